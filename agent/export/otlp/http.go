package otlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/endpoint"
)

const (
	protobufType = "application/x-protobuf"
	// maxAnswerBody bounds what is read of an answer, in bytes; OTLP's own limit
	// for a client is 4 MiB, but no answer to logs needs that.
	maxAnswerBody = 256 << 10
)

type httpSender struct {
	client *http.Client
	// compresses is set if a request has been read, and its memory is ours again, before
	// anything is sent.
	compresses bool
}

func newHTTPSender(e *endpoint.Endpoint) *httpSender {
	return &httpSender{client: e.Client(), compresses: e.Compresses()}
}

func (s *httpSender) close() error {
	s.client.CloseIdleConnections()
	return nil
}

func (s *httpSender) send(ctx context.Context, request []byte) export.Verdict {
	if !s.compresses {
		request = bytes.Clone(request) // the connection may read it after Do has returned
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint.Placeholder, bytes.NewReader(request))
	if err != nil {
		return export.Verdict{Outcome: export.Misconfigured, Text: err.Error()}
	}
	req.Header.Set("Content-Type", protobufType)
	resp, err := s.client.Do(req)
	if err != nil {
		return failed(unwrapURL(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBody))
	if err != nil && outcomeOf(resp.StatusCode) == export.Acknowledged { // another status says it all
		return export.Verdict{Outcome: export.Retry, Text: "read answer: " + err.Error()}
	}
	return judge(resp, body)
}

// failed is the verdict where there is no answer of the receiver.
func failed(err error) export.Verdict {
	v := export.Verdict{Outcome: export.Retry, Text: err.Error()}
	if p, ok := errors.AsType[*endpoint.ProxyError](err); ok && outcomeOf(p.Status) != export.Retry {
		v.Outcome = export.Misconfigured // it has not even seen the records
	}
	if _, ok := errors.AsType[*endpoint.MismatchError](err); ok {
		v.Outcome = export.Misconfigured
	}
	return v
}

// unwrapURL takes off the URL of the request, which is not the real one.
func unwrapURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// judge turns an answer into a verdict.
func judge(resp *http.Response, body []byte) export.Verdict {
	v := export.Verdict{Outcome: outcomeOf(resp.StatusCode), Text: answerText(resp, body)}
	switch v.Outcome {
	case export.Acknowledged:
		answer, err := decodeAnswer(resp.Header.Get("Content-Type"), body)
		if err != nil {
			return export.Verdict{
				Outcome: export.Misconfigured,
				Text:    fmt.Sprintf("%s, but %s: this is no OTLP receiver", resp.Status, err),
			}
		}
		return acknowledged(answer, resp.Status)
	case export.Retry:
		v.After = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	case export.Misconfigured:
		if location := resp.Header.Get("Location"); location != "" {
			v.Text += ", redirects to " + location
		}
	}
	return v
}

// outcomeOf sorts the statuses. OTLP would have the client give up on most of
// them; a wrong token or path must not eat evidence, so all of them keep it but
// those that blame the content.
func outcomeOf(status int) export.Outcome {
	switch {
	case status >= 200 && status < 300:
		return export.Acknowledged
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return export.Retry
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		return export.Rejected
	default:
		return export.Misconfigured
	}
}

// decodeAnswer reads the answer of an OTLP receiver: nothing at all, or its
// message as protobuf or JSON.
func decodeAnswer(contentType string, body []byte) (*collogpb.ExportLogsServiceResponse, error) {
	answer := &collogpb.ExportLogsServiceResponse{}
	if len(body) == 0 {
		return answer, nil
	}
	var err error
	switch mediaType(contentType) {
	case protobufType, "application/protobuf":
		err = proto.Unmarshal(body, answer)
	case "application/json":
		err = protojson.Unmarshal(body, answer)
	default:
		return nil, fmt.Errorf("the answer is %q", contentType)
	}
	if err != nil {
		return nil, fmt.Errorf("the answer is not what its type %q says", contentType)
	}
	return answer, nil
}

// mediaType is a content type without its parameters; empty if it is none.
func mediaType(contentType string) string {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return kind
}

// answerText is the status and, where a receiver explains itself, what it says.
func answerText(resp *http.Response, body []byte) string {
	kind := mediaType(resp.Header.Get("Content-Type"))
	if len(body) == 0 || kind == "text/html" || kind == protobufType {
		return resp.Status
	}
	return resp.Status + ": " + strings.TrimSpace(string(body))
}

// retryAfter reads seconds or a date; 0 if there is neither.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}
