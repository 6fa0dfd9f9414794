package otlptest

import (
	"cmp"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"time"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"
)

const (
	protocolHTTP = "http"
	contentType  = "application/x-protobuf"
	// maxBody bounds a request, decompressed, as OTLP recommends.
	maxBody = 64 << 20
)

// ListenHTTP starts a receiver of OTLP over HTTP. The caller closes it.
func ListenHTTP(cfg Config) (*Receiver, error) {
	r, err := listen(cfg, protocolHTTP)
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(r.serveHTTP),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // the client is told, and has more to say
	}
	l := r.listener
	if cfg.TLS != nil {
		l = tls.NewListener(l, cfg.TLS)
	}
	r.stop = server.Close
	r.served.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			r.trouble(err)
		}
	})
	return r, nil
}

func (r *Receiver) serveHTTP(w http.ResponseWriter, req *http.Request) {
	counted := &counter{reader: http.MaxBytesReader(w, req.Body, maxBody)}
	records, problem := r.readHTTP(req, counted)
	if counted.cut {
		panic(http.ErrAbortHandler) // the client ended in the middle; to return would acknowledge what was not read
	}
	seen := Request{Header: req.Header.Clone(), Query: req.URL.RawQuery, Records: len(records), Bytes: counted.n}

	a := r.next(records)
	sleep(req.Context(), a.Delay)
	if a.Close {
		r.remember(seen, nil, problem)
		panic(http.ErrAbortHandler) // net/http's way to cut a connection
	}
	status, body := cmp.Or(a.Status, http.StatusOK), []byte(a.Body)
	w.Header().Set("Content-Type", contentType)
	maps.Copy(w.Header(), a.Header)
	switch {
	case problem != nil:
		status, body = http.StatusBadRequest, []byte(problem.Error())
		w.Header().Set("Content-Type", "text/plain")
	case a.Refused > 0:
		body = encode(partial(a))
	}
	seen.Answer = status
	if problem != nil || status < 200 || status > 299 {
		records = nil
	}
	r.remember(seen, records, problem)
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return // the client is gone, which is its own affair
	}
}

// encode is for messages of ours, which can be encoded.
func encode(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

func partial(a Answer) *collogpb.ExportLogsServiceResponse {
	return &collogpb.ExportLogsServiceResponse{PartialSuccess: &collogpb.ExportLogsPartialSuccess{
		RejectedLogRecords: a.Refused,
		ErrorMessage:       a.Message,
	}}
}

func (r *Receiver) readHTTP(req *http.Request, body io.Reader) ([]Record, error) {
	switch {
	case req.Method != http.MethodPost:
		return nil, fmt.Errorf("method: got %s, want POST", req.Method)
	case req.URL.Path != r.cfg.Path:
		return nil, fmt.Errorf("path: got %s, want %s", req.URL.Path, r.cfg.Path)
	case req.Header.Get("Content-Type") != contentType:
		return nil, fmt.Errorf("content type: got %q, want %s", req.Header.Get("Content-Type"), contentType)
	}
	switch encoding := req.Header.Get("Content-Encoding"); encoding {
	case "":
	case "gzip":
		gz, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		body = io.LimitReader(gz, maxBody)
	default:
		return nil, fmt.Errorf("content encoding: got %q, want gzip or none", encoding)
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	msg := &collogpb.ExportLogsServiceRequest{}
	if err := proto.Unmarshal(raw, msg); err != nil {
		return nil, fmt.Errorf("body is not an ExportLogsServiceRequest: %w", err)
	}
	return decode(msg, time.Now())
}

// counter counts the bytes read.
type counter struct {
	reader io.Reader
	n      int
	cut    bool // the connection ended before the body did
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	c.n += n
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); err != nil && !errors.Is(err, io.EOF) && !tooLarge {
		c.cut = true
	}
	return n, err
}
