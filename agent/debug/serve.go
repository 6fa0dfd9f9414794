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

// The bounds of a connection.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second // Go's profiles extend it by their own length
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
	stopTimeout       = 2 * time.Second // for requests under way; the agent drains for 5 s in all
)

// Serve answers requests until ctx ends, lets those under way finish for 2 s
// and returns nil. It closes the listener. Any other end is an error.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { stopped <- shutdown(server, log) })
	err := server.Serve(l)
	if stop() {
		return errors.Join(fmt.Errorf("serve %s: %w", l.Addr(), err), server.Close())
	}
	return <-stopped
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
