package torture

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"pullcause/agent/export"
)

// mood is how a moody receiver answers.
type mood string

const (
	moodWell       mood = "acknowledges"
	moodTooMany    mood = "429 with Retry-After"
	moodBusy       mood = "503"
	moodSlow       mood = "slow"
	moodHangsUp    mood = "hangs up"
	moodPartial    mood = "partial success"
	moodBadRequest mood = "400"
	moodLoginPage  mood = "login page"
	moodRefused    mood = "connection refused"
	moodGarbage    mood = "garbage"
)

var allMoods = []mood{moodWell, moodTooMany, moodBusy, moodSlow, moodHangsUp, moodPartial, moodBadRequest, moodLoginPage, moodRefused, moodGarbage}

// moody stands before a receiver and has moods.
type moody struct {
	address, path string
	proxy         *httputil.ReverseProxy
	rng           *rand.Rand

	mu       sync.Mutex
	mood     mood
	server   *http.Server // nil while connections are refused
	times    map[mood]int // requests, by mood
	rejected map[string]bool
	partial  int // records that a partial success called rejected
}

func newMoody(t *testing.T, receiver string, rng *rand.Rand) *moody {
	t.Helper()
	target, err := url.Parse(receiver)
	if err != nil {
		t.Fatal(err)
	}
	m := &moody{path: target.Path, rng: rng, mood: moodWell, times: map[mood]int{}, rejected: map[string]bool{}}
	target.Path = ""
	m.proxy = httputil.NewSingleHostReverseProxy(target)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.address = l.Addr().String()
	m.serve(l)
	t.Cleanup(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.server != nil {
			m.server.Close()
		}
	})
	return m
}

func (m *moody) url() string { return "http://" + m.address + m.path }

func (m *moody) serve(l net.Listener) {
	m.server = &http.Server{Handler: m}
	go m.server.Serve(l)
}

// be changes the mood.
func (m *moody) be(next mood) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mood = next
	switch {
	case next == moodRefused && m.server != nil:
		m.server.Close()
		m.server = nil
	case next != moodRefused && m.server == nil:
		l, err := net.Listen("tcp", m.address)
		if err != nil {
			return fmt.Errorf("listen again: %w", err)
		}
		m.serve(l)
	}
	return nil
}

// comeAndGo changes the mood until ctx ends; half of the time the receiver is well.
func (m *moody) comeAndGo(ctx context.Context) error {
	for {
		next := moodWell
		if m.rng.IntN(2) == 0 {
			next = allMoods[m.rng.IntN(len(allMoods))]
		}
		if err := m.be(next); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return m.be(moodWell)
		case <-time.After(time.Duration(200+m.rng.IntN(2000)) * time.Millisecond):
		}
	}
}

// ServeHTTP implements [http.Handler].
func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	now := m.mood
	m.times[now]++
	m.mu.Unlock()
	switch now {
	case moodTooMany:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case moodBusy:
		http.Error(w, "try later", http.StatusServiceUnavailable)
	case moodSlow:
		time.Sleep(3 * time.Second)
		m.proxy.ServeHTTP(w, r)
	case moodHangsUp:
		panic(http.ErrAbortHandler)
	case moodPartial:
		m.refusePart(w, r)
	case moodBadRequest:
		m.reject(r)
		http.Error(w, "not these", http.StatusBadRequest)
	case moodLoginPage:
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html><title>Please log in</title>")
	case moodGarbage:
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Write([]byte("\x7f\x00\x13garbage\r\n\r\n\xff"))
			conn.Close()
		}
	default:
		m.proxy.ServeHTTP(w, r)
	}
}

// refusePart passes the records on and says that one of them was rejected.
func (m *moody) refusePart(w http.ResponseWriter, r *http.Request) {
	m.proxy.ServeHTTP(discard{http.Header{}}, r)
	answer, err := proto.Marshal(&collogpb.ExportLogsServiceResponse{PartialSuccess: &collogpb.ExportLogsPartialSuccess{RejectedLogRecords: 1, ErrorMessage: "too old"}})
	if err != nil {
		panic(err)
	}
	m.mu.Lock()
	m.partial++
	m.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Write(answer)
}

// reject notes the image of a record that was rejected alone, and so is dropped.
func (m *moody) reject(r *http.Request) {
	gz, err := gzip.NewReader(r.Body)
	if err != nil {
		return
	}
	raw, err := io.ReadAll(gz)
	var request collogpb.ExportLogsServiceRequest
	if err != nil || proto.Unmarshal(raw, &request) != nil {
		return
	}
	var images []string
	for _, resource := range request.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, record := range scope.LogRecords {
				image := ""
				for _, kv := range record.Attributes {
					if kv.Key == export.ImageRefKey {
						image = kv.Value.GetStringValue()
					}
				}
				images = append(images, image)
			}
		}
	}
	if len(images) == 1 {
		m.mu.Lock()
		m.rejected[images[0]] = true
		m.mu.Unlock()
	}
}
