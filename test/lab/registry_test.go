//go:build linux

package lab

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestRegistryAnswers(t *testing.T) {
	t.Parallel()
	g := newTestRegistry(t)
	tests := []struct {
		name   string
		method string
		url    string
		header string // Authorization
		status int
		body   string // part of it
	}{
		{name: "an image", url: "https://registry.lab.test/v2/team/ok/manifests/1.0", status: 200, body: `"layers"`},
		{name: "no such tag", url: "https://registry.lab.test/v2/team/web/manifests/9.9", status: 404, body: "MANIFEST_UNKNOWN"},
		{name: "no such repository", url: "https://registry.lab.test/v2/team/absent/manifests/1.0", status: 404, body: "NAME_UNKNOWN"},
		{name: "basic", url: "https://registry.lab.test/v2/secure/basic/manifests/1.0", status: 401, body: "UNAUTHORIZED"},
		{name: "forbidden without a word", url: "https://registry.lab.test/v2/forbidden/empty/manifests/1.0", status: 403},
		{name: "forbidden", url: "https://registry.lab.test/v2/forbidden/denied/manifests/1.0", status: 403, body: "DENIED"},
		{name: "gateway", url: "https://registry.lab.test/v2/broken/502/manifests/1.0", status: 502, body: "502 Bad Gateway"},
		{name: "limit before a token", url: "https://registry-1.docker.io/v2/library/nginx/manifests/1.27", status: 401},
		{name: "limit with a token", url: "https://registry-1.docker.io/v2/library/nginx/manifests/1.27", header: "Bearer x", status: 429, body: "pull rate limit"},
		{name: "the same repository elsewhere is fine", url: "https://registry.corp.lab.test/v2/broken/502/manifests/1.0", status: 404},
		{name: "token", url: "https://auth.lab.test/token?scope=repository:secure/scope:pull", status: 200, body: `"token"`},
		{name: "no token", url: "https://auth.lab.test/token?scope=repository:private/anonymous:pull", status: 401},
		{name: "no token for a password", url: "https://auth.lab.test/token", header: "Basic dTpw", status: 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, tt.url, nil)
			if tt.header != "" {
				r.Header.Set("Authorization", tt.header)
			}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("got %d %s, want %d with %q", w.Code, w.Body, tt.status, tt.body)
			}
		})
	}
	if got := len(g.journal.all()); got != len(tests) {
		t.Errorf("journal: got %d requests, want %d", got, len(tests))
	}
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	g := newTestRegistry(t)
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "https://registry.lab.test/v2/private/anonymous/manifests/1.0", nil))
	want := `Bearer realm="https://auth.lab.test/token",service="registry.lab.test",scope="repository:private/anonymous:pull"`
	if got := w.Header().Get("WWW-Authenticate"); got != want {
		t.Errorf("challenge:\n got %s\nwant %s", got, want)
	}
}

// Layers are broken over a real connection: what breaks is the connection.
func TestBrokenLayers(t *testing.T) {
	t.Parallel()
	g := newTestRegistry(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "registry.lab.test"
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Run("truncated", func(t *testing.T) {
		_, err := fetch(t, server, g, "corrupt/short")
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("read: got %v, want %v", err, io.ErrUnexpectedEOF)
		}
	})
	t.Run("corrupt", func(t *testing.T) {
		layer := layerOf(t, g, "corrupt/digest")
		body, err := fetch(t, server, g, "corrupt/digest")
		if err != nil {
			t.Fatal(err)
		}
		hash, size, err := v1.SHA256(strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		if size != layer.Size || hash == layer.Digest {
			t.Errorf("layer: got %s of %d bytes, want another digest than %s and %d bytes", hash, size, layer.Digest, layer.Size)
		}
	})
}

func fetch(t *testing.T, server *httptest.Server, g *registry, repository string) ([]byte, error) {
	t.Helper()
	response, err := server.Client().Get(server.URL + "/v2/" + repository + "/blobs/" + layerOf(t, g, repository).Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

func layerOf(t *testing.T, g *registry, repository string) v1.Descriptor {
	t.Helper()
	w := httptest.NewRecorder()
	g.good.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v2/"+repository+"/manifests/1.0", nil))
	manifest, err := v1.ParseManifest(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return manifest.Layers[0]
}

func newTestRegistry(t *testing.T) *registry {
	t.Helper()
	g, err := newRegistry(&journal{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}
