package debug_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/agent/debug"
)

// pipes is a network without buffers, so that what a client has not read is not written,
// and time is that of the test.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// server is one under test.
type server struct {
	*pipes
	mu   sync.Mutex
	shed []string
}

func (s *server) note(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shed = append(s.shed, reason)
}

// times is how often a reason was given.
func (s *server) times(reason string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.shed {
		if r == reason {
			n++
		}
	}
	return n
}

func serve(t *testing.T, h http.Handler, test func(*server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &server{pipes: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- debug.Serve(ctx, debug.Server{Listener: s, Handler: h, Log: slog.New(slog.DiscardHandler), Shed: s.note})
		}()
		test(s)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// connect opens a connection, and asks for a path on it unless that is empty.
func (s *server) connect(t *testing.T, path string) net.Conn {
	t.Helper()
	client, conn := net.Pipe()
	s.conns <- conn
	if path != "" {
		send(t, client, path)
	}
	synctest.Wait()
	return client
}

func send(t *testing.T, client net.Conn, path string) {
	t.Helper()
	if _, err := fmt.Fprintf(client, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
		t.Errorf("ask for %s: %v", path, err)
	}
}

// isClosed reports whether the server has closed a connection on which nothing is written.
func isClosed(client net.Conn) bool {
	defer client.SetReadDeadline(time.Time{})
	_ = client.SetReadDeadline(time.Now())
	_, err := client.Read(make([]byte, 1))
	return err != nil && !strings.Contains(err.Error(), "timeout")
}

// answerOf reads an answer as fast as it comes.
func answerOf(t *testing.T, client net.Conn) string {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return response.Status + " " + string(text)
}

const maxConnections = 64

func hello(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }

// Whoever opens connections and leaves them open loses them, the oldest first, and a new
// client is answered.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	serve(t, http.HandlerFunc(hello), func(s *server) {
		var clients []net.Conn
		for n := range 3 * maxConnections {
			path := ""
			if n%2 == 0 {
				path = "/"
			}
			c := s.connect(t, path)
			if path != "" {
				if got := answerOf(t, c); got != "200 OK hello" {
					t.Fatalf("client %d: %s", n, got)
				}
			}
			clients = append(clients, c)
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		open := slices.DeleteFunc(slices.Clone(clients), isClosed)
		if !slices.Equal(open, clients[2*maxConnections:]) {
			t.Errorf("%d connections are open, want the last %d", len(open), maxConnections)
		}
		if n := s.times(debug.ShedIdle); n != 2*maxConnections {
			t.Errorf("%d were counted, want %d", n, 2*maxConnections)
		}
	})
}

// Where all connections have a request, a new one takes the place of one that takes long.
func TestLongRequestsMakeRoom(t *testing.T) {
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
			return
		}
		hello(w, r)
	})
	serve(t, slow, func(s *server) {
		var clients []net.Conn
		for range maxConnections {
			clients = append(clients, s.connect(t, "/slow"))
			time.Sleep(time.Millisecond)
		}
		if c := s.connect(t, ""); !isClosed(c) || s.times(debug.ShedRefused) != 1 {
			t.Errorf("a client was let in beside %d requests that have just begun, %v", maxConnections, s.shed)
		}
		time.Sleep(2 * time.Second)
		if got := answerOf(t, s.connect(t, "/")); got != "200 OK hello" {
			t.Errorf("the next client: %s", got)
		}
		if !isClosed(clients[0]) || isClosed(clients[1]) || s.times(debug.ShedLong) != 1 {
			t.Errorf("the oldest request is not the one that was given up: %v", s.shed)
		}
		for _, c := range clients {
			c.Close()
		}
	})
}

// A client that reads less than 32 KiB a second in the end is cut off, whatever it reads
// meanwhile; one that reads steadily gets all of a long answer.
func TestSlowClients(t *testing.T) {
	const size = 2 << 20
	long := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", size))
	})
	for _, tt := range []struct {
		name  string
		part  int
		every time.Duration
		whole bool
	}{
		{"nothing", 0, time.Second, false},
		{"a byte a second", 1, time.Second, false},
		{"8 KiB a second", 8 << 10, time.Second, false},
		{"64 KiB a second", 64 << 10, time.Second, true},
		{"all at once", 1 << 20, time.Millisecond, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, long, func(s *server) {
				c := s.connect(t, "/")
				begin, got := time.Now(), 0
				for text := make([]byte, max(tt.part, 1)); ; time.Sleep(tt.every) {
					if tt.part == 0 {
						if time.Since(begin) > time.Minute {
							break
						}
						continue
					}
					n, err := io.ReadFull(c, text)
					if got += n; err != nil || got >= size+100 {
						break
					}
				}
				c.Close()
				if whole := got >= size; whole != tt.whole || (s.times(debug.ShedSlow) == 1) == tt.whole {
					t.Errorf("read %d of %d bytes in %s, %v", got, size, time.Since(begin), s.shed)
				}
				if took := time.Since(begin); !tt.whole && tt.part > 0 && took > 30*time.Second {
					t.Errorf("it was cut off after %s only", took)
				}
			})
		})
	}
}

// Of many large answers at once a few are written, and the rest are refused: which says so
// at once, not as the first ones are done.
func TestFewAnswersAtOnce(t *testing.T) {
	w := storm()
	var s *server
	w.shed = func(reason string) { s.note(reason) }
	serve(t, w.handler(), func(running *server) {
		s = running
		var readers []net.Conn
		for range 20 {
			readers = append(readers, s.connect(t, "/debug/incidents?limit=10000"))
		}
		refused := 0
		for _, c := range readers {
			line, err := bufio.NewReader(c).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, "503 Service Unavailable") {
				refused++
			}
		}
		if refused != 12 || s.times(debug.ShedBusy) != 12 {
			t.Errorf("%d of 20 were refused, want 12: %v", refused, s.shed)
		}
		for _, c := range readers {
			c.Close()
		}
		synctest.Wait()
		c := s.connect(t, "/debug/incidents?limit=1")
		if got := answerOf(t, c); !strings.HasPrefix(got, "200 OK") {
			t.Errorf("after they have gone: %s", got)
		}
		c.Close()
		if w.most > 100 {
			t.Errorf("%d incidents were copied for one reader at once", w.most)
		}
	})
}

// A client that is refused is told when to ask again; health is never refused.
func TestBusyScrape(t *testing.T) {
	public := debug.NewPublic(debug.PublicConfig{
		Loops: func() []debug.Loop { return nil }, Ready: func() (bool, string) { return true, "" },
		Metrics: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), Now: time.Now,
	})
	serve(t, public, func(s *server) {
		var scrapers []net.Conn
		for range 4 {
			scrapers = append(scrapers, s.connect(t, "/metrics"))
		}
		answer := ask(t, public, http.MethodGet, "/metrics", "localhost")
		if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "1" {
			t.Errorf("the fifth scrape: got %d %v", answer.Code, answer.Header())
		}
		if got := answerOf(t, s.connect(t, "/healthz")); got != "200 OK ok\n" {
			t.Errorf("/healthz: %s", got)
		}
		for _, c := range scrapers {
			c.Close()
		}
	})
}
