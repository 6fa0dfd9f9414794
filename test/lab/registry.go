//go:build linux

package lab

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
)

// registry answers for every registry and token server of the lab. What is
// wrong with which repository is in [faults].
type registry struct {
	good    http.Handler
	pause   []byte // the program in all images, nil for none
	journal *journal

	mu     sync.Mutex
	faults map[string]fault
	layers map[string]bool // the digests of layers, to tell them from image configurations
	pushed map[string]bool // the images on demand that exist
}

// onDemandTag is the tag of images that exist as soon as somebody asks for them, in
// repositories whose paths begin with one of these.
const (
	onDemandTag   = "1.0"
	onDemand      = "app/"
	onDemandLarge = "large/" // with a layer of 30 MiB
	onDemandOther = "other/" // of [OtherArch] alone, without an index
)

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

// newRegistry returns a registry whose images hold the program pause, if it is given.
func newRegistry(j *journal, pause []byte) (*registry, error) {
	g := &registry{
		good:    ggcr.New(ggcr.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelError))),
		pause:   pause,
		journal: j,
		faults:  faults(),
		layers:  map[string]bool{},
		pushed:  map[string]bool{},
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
	x, f, err := g.takeApart(recorder, r)
	switch {
	case err != nil:
		http.Error(recorder, err.Error(), http.StatusInternalServerError)
	case f != nil:
		f(x)
	default:
		x.serve()
	}
}

// takeApart returns a request in its parts, with the fault that it meets or nil.
func (g *registry) takeApart(w http.ResponseWriter, r *http.Request) (exchange, fault, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	x := exchange{w: w, r: r, good: g.good}
	x.repository, x.kind, x.reference = splitPath(r.URL.Path)
	x.isLayer = x.kind == "blobs" && g.layers[x.reference]
	name := x.repository + ":" + x.reference
	if x.reference == onDemandTag && !g.pushed[name] {
		if err := g.pushOnDemand(name); err != nil {
			return exchange{}, nil, fmt.Errorf("make %s: %w", name, err)
		}
		g.pushed[name] = true
	}
	return x, g.faults[r.Host+"/"+x.repository], nil
}

// pushOnDemand makes an image if it is one of those.
func (g *registry) pushOnDemand(name string) error {
	switch {
	case strings.HasPrefix(name, onDemand):
		return g.push(name, runtime.GOARCH, smallLayer)
	case strings.HasPrefix(name, onDemandLarge):
		return g.push(name, runtime.GOARCH, largeLayer)
	case strings.HasPrefix(name, onDemandOther):
		return g.push(name, OtherArch(), smallLayer)
	}
	return nil
}

// splitPath takes the path of a request apart, into empty strings if it is not
// for a manifest or a blob.
func splitPath(path string) (repository, kind, reference string) {
	path, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return "", "", ""
	}
	for _, kind := range []string{"manifests", "blobs"} {
		if repository, reference, ok := strings.Cut(path, "/"+kind+"/"); ok {
			return repository, kind, reference
		}
	}
	return "", "", ""
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
