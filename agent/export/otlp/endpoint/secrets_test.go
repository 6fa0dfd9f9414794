package endpoint

import (
	"context"
	"net"
	"testing"
)

func TestHide(t *testing.T) {
	e, err := New(Config{
		Endpoint: "http://user:pa%2Fss@r.example/v1/logs?key=0123456789&n=1",
		Headers:  map[string]string{"X-Long": "abcd-efgh", "X-Short": "abcd", "X-One": "1", "X-Two": "Bearer first second", "X-None": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, text, want string }{
		{"nothing", "401 Unauthorized", "401 Unauthorized"},
		{"password as it is", "is pa/ss right", "is REDACTED right"},
		{"password as it is written", "user:pa%2Fss", "REDACTED"},
		{"user", "who is user", "who is REDACTED"},
		{"header", "abcd-efgh abcd", "REDACTED REDACTED"},
		{"a word of a header", "no such token: second", "no such token: REDACTED"},
		{"the whole header", "Bearer first second", "REDACTED"},
		{"the scheme is no secret", "want Bearer", "want Bearer"},
		{"query", "key 0123456789 and 1", "key REDACTED and 1"},
		{"basic", "got dXNlcjpwYS9zcw==", "got REDACTED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := e.Hide(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestSharedDialer: an address that one endpoint has reached is known to another
// of the same receiver.
func TestSharedDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var dialled string
	shared := &Dialer{
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialled = addr
			return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
		},
		Lookup: func(context.Context, string) ([]string, error) { return nil, &net.DNSError{Err: "server misbehaving"} },
	}
	for _, want := range []string{"r.example:4318", l.Addr().String()} {
		e, err := New(Config{Endpoint: "http://r.example:4318", Dialer: shared})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := e.dial.DialContext(t.Context(), "tcp", "r.example:4318")
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if dialled != want {
			t.Errorf("dialled %s, want %s", dialled, want)
		}
	}
}
