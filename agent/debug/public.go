package debug

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// PublicConfig says where the public endpoint finds what it tells. Both
// functions may be called from several goroutines at once.
type PublicConfig struct {
	Loops func() []Loop
	// Ready reports whether the agent does its work; if not, a sentence says
	// why. It must name no image and no pod: anyone may read it.
	Ready func() (bool, string)
	// Metrics answers /metrics.
	Metrics http.Handler
	// Shed is that of [Server].
	Shed func(reason string)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Loop is something that must go round for the agent to live.
type Loop struct {
	Name string
	// LastTurn is when it went round last; zero before the first time, which is
	// then expected within MaxAge of the start.
	LastTurn time.Time
	// MaxAge is how long a turn may take, waiting included.
	MaxAge time.Duration
}

// NewPublic returns the handler of server.listen: /healthz, /readyz and
// /metrics. It tells nothing of any pull.
func NewPublic(cfg PublicConfig) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	started := cfg.Now()
	mux := http.NewServeMux()
	mux.HandleFunc("/", notFound("no such path; there are /healthz, /readyz and /metrics"))
	mux.Handle("/metrics", limited(maxScrapes, get(cfg.Metrics.ServeHTTP), orNothing(cfg.Shed)))
	mux.Handle("/healthz", get(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, strings.Join(stuck(cfg.Loops(), started, cfg.Now()), "\n"))
	}))
	mux.Handle("/readyz", get(func(w http.ResponseWriter, _ *http.Request) {
		ready, why := cfg.Ready()
		if !ready && why == "" {
			why = "not ready"
		}
		if ready {
			why = ""
		}
		answer(w, why)
	}))
	return guard(strictPolicy, mux)
}

// answer says ok, or what is wrong, in the plain text that probes log.
func answer(w http.ResponseWriter, wrong string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if wrong == "" {
		fmt.Fprintln(w, "ok")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintln(w, wrong)
}

// stuck names the loops that have not turned in time, a sentence each.
func stuck(loops []Loop, started, now time.Time) []string {
	var sentences []string
	for _, l := range loops {
		last := l.LastTurn
		if last.IsZero() {
			last = started
		}
		if age := now.Sub(last); age > l.MaxAge {
			sentences = append(sentences, fmt.Sprintf("the loop %s has not turned for %s, more than the %s it may take",
				l.Name, age.Round(time.Second), l.MaxAge))
		}
	}
	return sentences
}
