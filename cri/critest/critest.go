// Package critest is a container runtime as far as package cri asks it: CRI v1 and
// some of containerd's own services on a unix socket, with answers and misbehaviour
// that a test sets. Start at [Start] and [Config]; what it answers is in services.go.
package critest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"sync"
	"time"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	eventsapi "github.com/containerd/containerd/api/services/events/v1"
	introspectionapi "github.com/containerd/containerd/api/services/introspection/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that ours wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"pullcause/cri"
)

// Config says what a server has and how it behaves.
type Config struct {
	Version cri.Version
	Images  []cri.Image
	// Info is what ImageStatus says beside an image, by the image's ID; see [Info].
	Info map[string]string
	// Sandboxes are ready, but for those without a name.
	Sandboxes []cri.Sandbox
	// Filesystem is that of images; the zero one is none.
	Filesystem cri.Filesystem

	// These are containerd's own, in its own types: a test may put nonsense into them.

	PID     uint64
	Plugins []*introspectionapi.Plugin
	Blobs   []Blob
	Ingests []*contentapi.Status
	// Snapshots are keys that the first snapshotter of Plugins has.
	Snapshots []string

	// Delay comes before each answer.
	Delay time.Duration
	// Refuse answers methods with a code, by their full name; [Every] stands for those
	// that are not named. With [codes.OK] a method is answered all the same.
	Refuse map[string]codes.Code
	// RefuseText comes before the text of a refusal.
	RefuseText string
	// Garbage answers with bytes that are no protobuf, Encoded with these bytes, by the
	// full names of methods with one answer.
	Garbage bool
	Encoded map[string][]byte
	// Flood sends events of images as fast as they are read.
	Flood bool
	// Instead, if set, is called for each connection; what speaks there is not gRPC.
	// The connection is closed with the server. Changes of it count at the next Start.
	Instead func(net.Conn)
}

// Every stands for all methods in [Config].Refuse.
const Every = ""

// Blob is one in containerd's store.
type Blob struct {
	Info *contentapi.Info
	Data []byte
}

// Mute takes a connection, reads and never says a word.
func Mute(c net.Conn) { io.Copy(io.Discard, c) } //nolint:errcheck // until it is closed

// Noise takes a connection and says what is not HTTP/2.
func Noise(c net.Conn) {
	c.Write([]byte("\x00\xff\x00 220 this is no runtime\r\n")) //nolint:errcheck // the client may have left
	Mute(c)
}

// Server is a runtime that runs.
type Server struct {
	listener net.Listener
	grpc     *grpc.Server // nil where Instead is set
	served   sync.WaitGroup

	mu          sync.Mutex
	cfg         Config
	calls       map[string]int
	subscribers map[chan string]bool
	conns       map[net.Conn]bool // where Instead is set
	closed      bool
}

// Start listens on a socket. What a server has left there that did not end well is
// taken away first, as runtimes do.
func Start(socket string, cfg Config) (*Server, error) {
	if info, err := os.Lstat(socket); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(socket); err != nil {
			return nil, fmt.Errorf("start runtime: %w", err)
		}
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("start runtime: %w", err)
	}
	s := &Server{
		listener: l, cfg: cfg, calls: make(map[string]int),
		subscribers: make(map[chan string]bool), conns: make(map[net.Conn]bool),
	}
	if cfg.Instead != nil {
		s.served.Go(func() { s.acceptInstead(cfg.Instead) })
		return s, nil
	}
	s.grpc = grpc.NewServer(
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2("proto"), s}),
		grpc.WaitForHandlers(true),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if err := s.before(ctx, info.FullMethod); err != nil {
				return nil, err
			}
			if answer, ok := s.config().Encoded[info.FullMethod]; ok {
				return encoded(answer), nil
			}
			return handler(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if err := s.before(stream.Context(), info.FullMethod); err != nil {
				return err
			}
			return handler(srv, stream)
		}),
	)
	runtimeapi.RegisterRuntimeServiceServer(s.grpc, runtimeService{s: s})
	runtimeapi.RegisterImageServiceServer(s.grpc, imageService{s: s})
	contentapi.RegisterContentServer(s.grpc, contentService{s: s})
	eventsapi.RegisterEventsServer(s.grpc, eventsService{s: s})
	snapshotsapi.RegisterSnapshotsServer(s.grpc, snapshotsService{s: s})
	introspectionapi.RegisterIntrospectionServer(s.grpc, introspectionService{s: s})
	s.served.Go(func() {
		s.grpc.Serve(l) //nolint:errcheck // clients see that it ended
	})
	return s, nil
}

// Close cuts all connections, as when the process ends.
func (s *Server) Close() {
	if s.grpc != nil {
		s.grpc.Stop()
	}
	s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.served.Wait()
}

// Set changes what the server has and how it behaves, from the next call on.
func (s *Server) Set(change func(*Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.cfg)
}

// Calls counts the calls by the full names of their methods.
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Publish sends an event to those who listen for events of images, and returns how
// many that are.
func (s *Server) Publish(topic string) (subscribers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.subscribers {
		select {
		case c <- topic:
		default: // it has enough to tell
		}
	}
	return len(s.subscribers)
}

// config is what holds now. Slices and maps in it are not changed but replaced.
func (s *Server) config() Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg
}

// before counts a call and behaves as configured.
func (s *Server) before(ctx context.Context, method string) error {
	s.mu.Lock()
	s.calls[method]++
	cfg := s.cfg
	s.mu.Unlock()
	if cfg.Delay > 0 {
		timer := time.NewTimer(cfg.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	code, ok := cfg.Refuse[method]
	if !ok {
		code = cfg.Refuse[Every]
	}
	if code != codes.OK {
		return status.Error(code, cfg.RefuseText+"refused for the test: "+code.String())
	}
	return nil
}

// acceptInstead hands connections on until the listener is closed.
func (s *Server) acceptInstead(speak func(net.Conn)) {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				continue
			}
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		if s.closed {
			c.Close()
		}
		s.mu.Unlock()
		s.served.Go(func() {
			speak(c)
			c.Close()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, c)
		})
	}
}

// encoded is an answer that is encoded already.
type encoded []byte

// codec answers with garbage where that is wanted.
type codec struct {
	encoding.CodecV2
	s *Server
}

// Marshal implements [encoding.CodecV2].
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if c.s.config().Garbage {
		return mem.BufferSlice{mem.SliceBuffer("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")}, nil
	}
	if answer, ok := v.(encoded); ok {
		return mem.BufferSlice{mem.SliceBuffer(answer)}, nil
	}
	return c.CodecV2.Marshal(v)
}
