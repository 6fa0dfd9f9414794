package debug

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The bounds of a request. What a client may take to read an answer is in pace.go.
const (
	readHeaderTimeout = 3 * time.Second
	readTimeout       = 5 * time.Second
	writeTimeout      = 15 * time.Second // Go's profiles extend it by their own length
	idleTimeout       = 30 * time.Second
	maxHeaderBytes    = 8 << 10
	stopTimeout       = 2 * time.Second // for requests under way; the agent drains for 5 s in all
)

// Server is what [Serve] needs.
type Server struct {
	Listener net.Listener
	Handler  http.Handler
	Log      *slog.Logger
	// Shed is called with one of [ShedReasons] when a client is cut off or refused. It may
	// be called from several goroutines at once; nil is allowed.
	Shed func(reason string)
}

// Serve answers requests until ctx ends, lets those under way finish for 2 s
// and returns nil. It closes the listener. Any other end is an error.
func Serve(ctx context.Context, s Server) error {
	shed := orNothing(s.Shed)
	server := &http.Server{
		Handler:           paced(s.Handler, shed),
		ConnState:         newConnections(maxConnections, shed).track,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { stopped <- shutdown(server, s.Log) })
	err := server.Serve(s.Listener)
	if stop() {
		return errors.Join(fmt.Errorf("serve %s: %w", s.Listener.Addr(), err), server.Close())
	}
	return <-stopped
}

func orNothing(shed func(reason string)) func(reason string) {
	if shed == nil {
		return func(string) {}
	}
	return shed
}

// shutdown ends a server, rudely where a client does not let go.
func shutdown(server *http.Server, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Debug("requests under way were cut off", "after", stopTimeout)
		err = server.Close()
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stop server: %w", err)
	}
	return nil
}
