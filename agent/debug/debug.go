// Package debug shows what the agent sees and whether it lives: health and
// metrics for the cluster ([NewPublic]), a page and JSON for whoever looks into
// a node ([NewDebug]). [Serve] puts either behind a listener.
//
// Nothing here keeps state. All that is shown is asked for by the functions of
// [PublicConfig] and [DebugConfig] when a request comes, and no request changes
// anything. What is shown was written by pod authors and registries: it is
// escaped, cut and made visible, and the page runs no script but its own.
//
// The JSON is in json.go and view.go, written by document.go and paging.go; the page in
// page.go (its sections in rows.go), incident_page.go and page/. What every request has to
// pass is in guard.go. What bounds the memory that clients can take is in connections.go,
// pace.go and busy.go, and in history.go for what is shown.
package debug

import (
	"context"
	"net/http"
	"net/http/pprof"
	"time"

	"pullcause/agent/enrich"
	"pullcause/agent/hostconf"
	"pullcause/logtail"
)

// DebugConfig says where the debug endpoint finds what it shows. Every function
// is needed, may be called from several goroutines at once and must return
// values of the caller's own: nobody changes them later, and they may be sorted.
type DebugConfig struct {
	// NodeName and Version stand on the page.
	NodeName, Version string
	// History has the incidents and attempts.
	History History
	// Sources returns the logs that are read, Candidates all places where there could
	// be one.
	Sources    func() []logtail.Status
	Candidates func() []logtail.Candidate
	// LooksForLogs is false where only the logs that the configuration names are read.
	LooksForLogs bool
	// Images returns what is on the node, Pulls those in flight, the oldest first, and
	// Hosts what the runtime's configuration says about a registry.
	Images func() enrich.Images
	Pulls  func() []enrich.Pull
	Hosts  func(registry string) hostconf.List
	// Runtime tells about the container runtime, Cache what is on the node; ok is false if
	// that is not known.
	Runtime func() enrich.Runtime
	Cache   func() (r enrich.Report, ok bool)
	// Node asks the runtime, until ctx ends; see Delivery.
	Node func(ctx context.Context) any
	// Delivery and Config return what their endpoint shows as JSON,
	// without credentials. The page knows Delivery by the JSON names of
	// export.Status.
	Delivery, Config func() any
	// Loops and Ready are those of [PublicConfig].
	Loops func() []Loop
	Ready func() (bool, string)
	// Pprof adds /debug/pprof/.
	Pprof bool
	// Shed is that of [Server].
	Shed func(reason string)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// NewDebug returns the handler of server.debug: the page and the JSON. Requests
// that arrive over loopback must name a loopback host.
func NewDebug(cfg DebugConfig) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &debugHandler{cfg: cfg, pages: newPages()}
	mux := http.NewServeMux()
	mux.HandleFunc("/", notFound("no such path; GET /debug/ lists what there is"))
	for _, e := range d.endpoints() {
		mux.Handle(e.path, get(e.handler))
	}
	mux.Handle("/{$}", get(d.index))
	mux.Handle("/incidents/{id}", get(d.incidentPage))
	mux.Handle("/debug/{$}", get(d.contents))
	if cfg.Pprof {
		addPprof(mux)
	}
	return guard(d.pages.policy, hostCheck(limited(maxDetails, mux, orNothing(cfg.Shed))))
}

// debugHandler answers the requests of the debug endpoint.
type debugHandler struct {
	cfg   DebugConfig
	pages *pages
}

// endpoint is one of the JSON documents.
type endpoint struct {
	path, about string
	handler     http.HandlerFunc
}

func (d *debugHandler) endpoints() []endpoint {
	return []endpoint{
		{"/debug/incidents", "images that cannot be pulled, then the last that could not, the newest of each first; ?limit=N&state=open|closed", d.incidents},
		{"/debug/incidents/{id}", "one of them, with its attempts and their log lines, the newest first; ?limit=N", d.incident},
		{"/debug/attempts", "the last failed attempts, the newest first; ?limit=N", d.attempts},
		{"/debug/sources", "the logs that are read, how far, and what was found at each place where there could be one; ?limit=N", d.sources},
		{"/debug/delivery", "the receiver's last answer, and what waits for it", d.value(d.cfg.Delivery)},
		{"/debug/pulls", "pulls in flight, the oldest first, and how far they have come; ?limit=N", d.pulls},
		{"/debug/images", "images on the node by name, and names that were removed; ?limit=N", d.images},
		{"/debug/node", "the machine, its runtime and what that answers, and the image filesystem", d.node},
		{"/debug/config", "the effective configuration, secrets masked", d.value(d.cfg.Config)},
	}
}

// addPprof adds Go's profiles, except for the command line: it may hold secrets.
func addPprof(mux *http.ServeMux) {
	mux.Handle("/debug/pprof/", get(pprof.Index))
	mux.Handle("/debug/pprof/profile", get(pprof.Profile))
	mux.Handle("/debug/pprof/symbol", get(pprof.Symbol))
	mux.Handle("/debug/pprof/trace", get(pprof.Trace))
}
