package debug

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// Each listener serves a few clients: the kubelet's probes and Prometheus, or people who
// look into a node. A connection costs about 15 KiB of the agent's memory, and as much of
// the kernel's as its buffers hold.
const (
	maxConnections = 64
	// longRequest is how long a request may take before its connection may be closed to
	// make room.
	longRequest   = time.Second
	receiveBuffer = 16 << 10
	sendBuffer    = 64 << 10
)

// Why a client was cut off or refused.
const (
	ShedIdle    = "idle_connection"    // closed to make room for another one
	ShedLong    = "long_request"       // closed to make room, as no connection was idle
	ShedRefused = "connection_refused" // all others were answering short requests
	ShedBusy    = "busy"               // answered 503: too many answers were being written
	ShedSlow    = "slow_client"        // cut off: it read too slowly
)

// ShedReasons are all of them.
func ShedReasons() []string {
	return []string{ShedIdle, ShedLong, ShedRefused, ShedBusy, ShedSlow}
}

// connections bounds the connections of a server. At the bound a new one takes the place
// of that which has been idle, or has sent no request, for longest; else of the one whose
// request has taken longest, beyond a second. So no client can keep the kubelet's probes out.
type connections struct {
	max  int
	shed func(reason string)

	mu   sync.Mutex
	open map[net.Conn]connection
}

type connection struct {
	active bool
	since  time.Time
}

func newConnections(limit int, shed func(reason string)) *connections {
	return &connections{max: limit, shed: shed, open: make(map[net.Conn]connection)}
}

// track is the server's ConnState. The server calls it for a new connection before it
// accepts the next one.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.admit(conn)
	case http.StateActive, http.StateIdle:
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, ok := c.open[conn]; ok { // else it is being closed
			c.open[conn] = connection{state == http.StateActive, time.Now()}
		}
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, conn)
	}
}

func (c *connections) admit(conn net.Conn) {
	limitBuffers(conn)
	c.mu.Lock()
	c.open[conn] = connection{since: time.Now()}
	var victim net.Conn
	var reason string
	if len(c.open) > c.max {
		victim, reason = c.victim(conn)
		delete(c.open, victim)
	}
	c.mu.Unlock()
	if victim != nil {
		victim.Close()
		c.shed(reason)
	}
}

// victim chooses which connection to close for a new one; the caller holds the lock.
func (c *connections) victim(newest net.Conn) (victim net.Conn, reason string) {
	var idle, active net.Conn
	for conn, state := range c.open {
		switch {
		case conn == newest:
		case state.active && (active == nil || state.since.Before(c.open[active].since)):
			active = conn
		case !state.active && (idle == nil || state.since.Before(c.open[idle].since)):
			idle = conn
		}
	}
	switch {
	case idle != nil:
		return idle, ShedIdle
	case active != nil && time.Since(c.open[active].since) > longRequest:
		return active, ShedLong
	default:
		return newest, ShedRefused
	}
}

// limitBuffers keeps the kernel from buffering megabytes for a client that does not read:
// they count as the agent's in its cgroup. Linux doubles what it is told (socket(7)).
func limitBuffers(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(receiveBuffer) //nolint:errcheck // then it has the default
		_ = tcp.SetWriteBuffer(sendBuffer)   //nolint:errcheck // the same
	}
}
