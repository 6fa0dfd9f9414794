package endpoint

import (
	"context"
	"net"
	"sync"
	"time"
)

const (
	connectTimeout = 5 * time.Second
	lookupTimeout  = 2 * time.Second
)

// dialer connects by name, and to the last address that worked where the name
// does not resolve: an agent that reports a DNS outage must get its report out.
type dialer struct {
	net    net.Dialer
	lookup func(ctx context.Context, host string) ([]string, error)

	mu   sync.Mutex
	last map[string]string // host:port to ip:port
}

func newDialer() *dialer {
	return &dialer{
		net:    net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second},
		lookup: net.DefaultResolver.LookupHost,
		last:   map[string]string{},
	}
}

// DialContext connects to addr, which is host:port.
func (d *dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || net.ParseIP(host) != nil {
		return d.net.DialContext(ctx, network, addr)
	}
	if last, known := d.lastOf(addr); known && !d.resolves(ctx, host) {
		return d.net.DialContext(ctx, network, last)
	}
	conn, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.last[addr] = conn.RemoteAddr().String()
	d.mu.Unlock()
	return conn, nil
}

func (d *dialer) lastOf(addr string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last, known := d.last[addr]
	return last, known
}

// resolves asks once with a bound of its own, so that a resolver which does not
// answer leaves time to connect.
func (d *dialer) resolves(ctx context.Context, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	_, err := d.lookup(ctx, host)
	return err == nil
}
