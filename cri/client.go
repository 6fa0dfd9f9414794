// Package cri asks a container runtime what it has and does: images, image
// filesystem, sandboxes and, of containerd, events and unfinished downloads. It
// changes nothing there: method.go lists all that can be called.
//
// Start at [Dial]. Every answer is optional. A runtime that lacks a method, denies
// it or does not answer costs one feature, which [Client.Features] shows; nothing is
// retried here but the connection itself.
package cri

import (
	"context"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Config says whom to ask.
type Config struct {
	// Socket is the path of the runtime's unix socket.
	Socket string
	// Timeout is how long one call may take.
	Timeout time.Duration
}

// Client asks one runtime. Its methods may be called from several goroutines.
type Client struct {
	cfg      Config
	conn     *grpc.ClientConn
	features *features

	mu    sync.Mutex
	calls map[string]int64
}

// reconnect is how connecting is tried again after a failure. A runtime restarts in
// a second or two.
var reconnect = backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second}

// window is how many bytes the runtime may send before they are read.
const window = 256 << 10

// Dial returns a client; it does not wait until the runtime answers, see
// [Client.Watch].
func Dial(cfg Config) (*Client, error) {
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", cfg.Socket)
	}
	conn, err := grpc.NewClient("passthrough:///runtime",
		grpc.WithContextDialer(dial),
		grpc.WithAuthority("localhost"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: cfg.Timeout}),
		grpc.WithMaxHeaderListSize(maxHeaders),
		// Not to grow with what the runtime sends: what it may send ahead is held here.
		grpc.WithStaticStreamWindowSize(window), grpc.WithStaticConnWindowSize(window),
		grpc.WithIdleTimeout(0),        // the connection itself tells that the runtime is there
		grpc.WithReadBufferSize(4<<10), // calls are few
		grpc.WithWriteBufferSize(4<<10),
		grpc.WithDisableServiceConfig(),
		grpc.WithUserAgent("pullcause"),
	)
	if err != nil {
		return nil, fmt.Errorf("open the runtime's socket %s: %w", cfg.Socket, err)
	}
	return &Client{cfg: cfg, conn: conn, features: newFeatures(), calls: make(map[string]int64)}, nil
}

// Close ends the connection and every call.
func (c *Client) Close() error { return c.conn.Close() }

// Features tells which questions are answered.
func (c *Client) Features() []Feature { return c.features.list() }

// Calls counts the calls of each method, by its full name.
func (c *Client) Calls() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.calls)
}

func (c *Client) count(m method) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[m.name]++
}

// Watch connects, and again whenever the connection is lost, until ctx ends. It
// calls connected and lost in turns; both must return soon. Nothing is polled: the
// end of a process closes its socket.
func (c *Client) Watch(ctx context.Context, connected, lost func()) {
	up := false
	leave := func() {
		if up {
			up = false
			lost()
		}
	}
	defer leave()
	for {
		state := c.conn.GetState()
		switch state {
		case connectivity.Ready:
			leave() // it was away and came back between two looks
			up = true
			c.features.renew()
			connected()
		case connectivity.Idle:
			leave()
			c.conn.Connect()
		case connectivity.Connecting, connectivity.TransientFailure, connectivity.Shutdown:
			leave()
		}
		if !c.conn.WaitForStateChange(ctx, state) {
			return
		}
	}
}

// namespace is the one that the kubelet's images are in (containerd v2.4
// internal/cri/constants/constants.go K8sContainerdNamespace).
const namespace = "k8s.io"

// withNamespace makes a call to one of containerd's own services.
func withNamespace(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "containerd-namespace", namespace)
}
