//go:build linux

package lab

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
)

// registry answers for every registry and token server of the lab. What is
// wrong with which repository is in [faults].
type registry struct {
	good    http.Handler
	faults  map[string]fault
	layers  map[string]bool // the digests of layers, to tell them from image configurations
	journal *journal
}

// exchange is a request for a repository, taken apart.
type exchange struct {
	w          http.ResponseWriter
	r          *http.Request
	repository string
	kind       string // manifests or blobs
	reference  string // a tag or a digest
	isLayer    bool
	good       http.Handler
}

func newRegistry(j *journal) (*registry, error) {
	g := &registry{
		good:    ggcr.New(ggcr.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelError))),
		faults:  faults(),
		layers:  map[string]bool{},
		journal: j,
	}
	if err := g.fill(); err != nil {
		return nil, fmt.Errorf("fill registry: %w", err)
	}
	return g, nil
}

func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
	defer func() { g.journal.add(r, recorder.status) }()
	if r.URL.Path == tokenPath {
		serveToken(recorder, r)
		return
	}
	x, ok := g.takeApart(recorder, r)
	if !ok {
		g.good.ServeHTTP(recorder, r)
		return
	}
	if f, ok := g.faults[r.Host+"/"+x.repository]; ok {
		f(x)
		return
	}
	x.serve()
}

func (g *registry) takeApart(w http.ResponseWriter, r *http.Request) (exchange, bool) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v2/")
	if !ok {
		return exchange{}, false
	}
	for _, kind := range []string{"manifests", "blobs"} {
		if repository, reference, ok := strings.Cut(path, "/"+kind+"/"); ok {
			return exchange{
				w: w, r: r, good: g.good,
				repository: repository, kind: kind, reference: reference,
				isLayer: kind == "blobs" && g.layers[reference],
			}, true
		}
	}
	return exchange{}, false
}

// serve answers as a registry should.
func (x exchange) serve() { x.good.ServeHTTP(x.w, x.r) }

// body is what a registry should answer.
func (x exchange) body() (http.Header, []byte) {
	recorder := httptest.NewRecorder()
	x.good.ServeHTTP(recorder, x.r)
	return recorder.Header(), recorder.Body.Bytes()
}

// direct carries requests to a handler without a network.
type direct struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	d.ServeHTTP(recorder, r)
	response := recorder.Result()
	response.Request = r
	return response, nil
}
