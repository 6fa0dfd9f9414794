package debug

import (
	"errors"
	"net/http"
	"os"
	"time"
)

// How slowly a client may read: it may keep the server waiting for patience in all, and for
// the time that what it has read takes at minRate.
const (
	patience = 10 * time.Second
	minRate  = 32 << 10 // bytes a second
	maxPart  = 16 << 10 // bytes written under one deadline
)

// paced gives each answer a deadline that moves as its client reads.
func paced(next http.Handler, shed func(reason string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&pacedWriter{ResponseWriter: w, control: http.NewResponseController(w), shed: shed}, r)
	})
}

// pacedWriter cuts off a client that reads too slowly. Time that the handler takes does not
// count.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	shed    func(reason string)
	written int64
	waited  time.Duration
	cut     bool
}

// Unwrap is for http.ResponseController.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *pacedWriter) Write(text []byte) (written int, err error) {
	for len(text) > 0 && err == nil {
		n, failed := w.writePart(text[:min(len(text), maxPart)])
		written, text, err = written+n, text[n:], failed
	}
	return written, err
}

func (w *pacedWriter) writePart(part []byte) (n int, err error) {
	begin := time.Now()
	allowed := patience + time.Duration(w.written)*time.Second/minRate - w.waited
	_ = w.control.SetWriteDeadline(begin.Add(allowed)) //nolint:errcheck // a recorder of tests has none
	n, err = w.ResponseWriter.Write(part)
	w.written += int64(n)
	w.waited += time.Since(begin)
	if errors.Is(err, os.ErrDeadlineExceeded) && !w.cut {
		w.cut = true
		w.shed(ShedSlow)
	}
	return n, err
}

// Flush is for handlers that ask for an http.Flusher.
func (w *pacedWriter) Flush() {
	_ = w.control.Flush() //nolint:errcheck // the next Write says so
}
