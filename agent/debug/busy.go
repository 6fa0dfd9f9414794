package debug

import (
	"fmt"
	"net/http"
)

// How many answers of some size may be written at once.
const (
	maxDetails = 8 // pages and JSON of the debug endpoint
	maxScrapes = 4 // of /metrics
)

// limited lets n requests through at once and answers 503 to the rest.
func limited(n int, next http.Handler, shed func(reason string)) http.Handler {
	slots := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next.ServeHTTP(w, r)
		default:
			shed(ShedBusy)
			w.Header().Set("Retry-After", "1")
			writeError(w, http.StatusServiceUnavailable, fmt.Sprintf("%d answers are being written, which is as many as may be; ask again in a second", n))
		}
	})
}
