package endpoint

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	connectTimeout = 5 * time.Second
	lookupTimeout  = 2 * time.Second
)

// Dialer connects by name, and to the last address that worked where the name
// does not resolve: an agent that reports a DNS outage must get its report out.
// Endpoints that share one share what it has learnt. The zero value is ready.
type Dialer struct {
	// Dial connects to host:port, and Lookup resolves a host; nil stands for how
	// the system does it.
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	Lookup func(ctx context.Context, host string) ([]string, error)
	// Learnt is called when an address that worked is new or another one than before; nil
	// tells nobody. It must not block: what was dialled waits for it.
	Learnt func()

	mu    sync.Mutex
	last  map[string]string // host:port to ip:port
	tried []Dialed          // the newest last
}

// Dialed is an address that was connected to, or not.
type Dialed struct {
	// Host is host:port as configured, Address the ip:port; empty if none was reached.
	Host    string    `json:"host"`
	Address string    `json:"address,omitempty"`
	At      time.Time `json:"at"` // the last time
	Error   string    `json:"error,omitempty"`
}

// maxDialed is how many different outcomes are remembered.
const maxDialed = 10

// Tried are the last outcomes of connecting, the newest first.
func (d *Dialer) Tried() []Dialed {
	d.mu.Lock()
	defer d.mu.Unlock()
	tried := slices.Clone(d.tried)
	slices.Reverse(tried)
	return tried
}

// Know takes up what an earlier Dialer has learnt, host:port to ip:port.
func (d *Dialer) Know(addresses map[string]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = maps.Clone(addresses)
}

// Known are the addresses that worked last, host:port to ip:port.
func (d *Dialer) Known() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.last)
}

// learn keeps the address of a host that was reached by name.
func (d *Dialer) learn(host, address string) {
	d.mu.Lock()
	known := d.last[host] == address
	if d.last == nil {
		d.last = map[string]string{}
	}
	d.last[host] = address
	d.mu.Unlock()
	if !known && d.Learnt != nil {
		d.Learnt()
	}
}

// remember keeps an outcome in place of one that is alike.
func (d *Dialer) remember(host string, conn net.Conn, err error) {
	t := Dialed{Host: host, At: time.Now()}
	if err != nil {
		t.Error = err.Error()
	} else {
		t.Address = conn.RemoteAddr().String()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tried = slices.DeleteFunc(d.tried, func(was Dialed) bool {
		return was.Host == t.Host && was.Address == t.Address && was.Error == t.Error
	})
	if len(d.tried) == maxDialed {
		d.tried = slices.Delete(d.tried, 0, 1)
	}
	d.tried = append(d.tried, t)
}

// DialContext connects to addr, which is host:port.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, addr)
	d.remember(addr, conn, err)
	return conn, err
}

func (d *Dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || net.ParseIP(host) != nil {
		return d.connect(ctx, network, addr)
	}
	if last, known := d.lastOf(addr); known && !d.resolves(ctx, host) {
		return d.connect(ctx, network, last)
	}
	conn, err := d.connect(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	d.learn(addr, conn.RemoteAddr().String())
	return conn, nil
}

func (d *Dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if d.Dial != nil {
		return d.Dial(ctx, network, addr)
	}
	system := net.Dialer{KeepAlive: 30 * time.Second}
	return system.DialContext(ctx, network, addr)
}

func (d *Dialer) lastOf(addr string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last, known := d.last[addr]
	return last, known
}

// resolves asks once with a bound of its own, so that a resolver which does not
// answer leaves time to connect.
func (d *Dialer) resolves(ctx context.Context, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	lookup := d.Lookup
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	_, err := lookup(ctx, host)
	return err == nil
}
