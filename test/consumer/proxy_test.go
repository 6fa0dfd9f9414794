package consumer

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
)

// behind is a VictoriaLogs that remembers what reaches it.
func behind(t *testing.T) (to *url.URL, last func() *http.Request) {
	t.Helper()
	var seen *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r }))
	t.Cleanup(server.Close)
	to, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return to, func() *http.Request {
		r := seen
		seen = nil
		return r
	}
}

func ask(t *testing.T, h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestIngestion(t *testing.T) {
	to, last := behind(t)
	h := ingestion(to, "service.name")
	const protobuf, cube = "application/x-protobuf", "Cube-Stream-Fields"
	tests := []struct {
		name, method, path string
		header             []string
		status             int
		forwarded          string
	}{
		{"records", "POST", logsPath, []string{"Content-Type", protobuf, cube, "service.name"}, 200, "/insert/opentelemetry/v1/logs"},
		{"metrics", "POST", metricsPath, []string{"Content-Type", protobuf}, 200, ""},
		{"JSON", "POST", logsPath, []string{"Content-Type", "application/json", cube, "service.name"}, 400, ""},
		{"metrics in JSON", "POST", metricsPath, []string{"Content-Type", "application/json"}, 400, ""},
		{"other stream fields", "POST", logsPath, []string{"Content-Type", protobuf, cube, "service.name,k8s.pod.name"}, 400, ""},
		{"no stream fields", "POST", logsPath, []string{"Content-Type", protobuf, "VL-Stream-Fields", "service.name"}, 400, ""},
		{"unknown header", "POST", logsPath, []string{"Content-Type", protobuf, cube, "service.name", "Cube-Tenant", "1"}, 400, ""},
		{"method", "GET", logsPath, []string{"Content-Type", protobuf, cube, "service.name"}, 405, ""},
		{"path of VictoriaLogs", "POST", "/insert/opentelemetry/v1/logs", []string{"Content-Type", protobuf}, 404, ""},
		{"path of a Collector", "POST", "/v1/logs", []string{"Content-Type", protobuf}, 404, ""},
		{"query at the wrong port", "POST", selectPath + "query", nil, 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if w := ask(t, h, tt.method, tt.path, "", tt.header...); w.Code != tt.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.status)
			}
			got := last()
			switch {
			case tt.forwarded == "" && got != nil:
				t.Errorf("forwarded to %s", got.URL)
			case tt.forwarded == "":
			case got == nil || got.URL.Path != tt.forwarded || got.Header.Get("VL-Stream-Fields") != "service.name" || got.Header.Get(cube) != "":
				t.Errorf("forwarded %v, want %s with the header of VictoriaLogs", got, tt.forwarded)
			}
		})
	}
}

func TestQuerying(t *testing.T) {
	to, last := behind(t)
	h := querying(to)
	tests := []struct {
		query  string
		status int
	}{
		{`{service.name="pullcause"} * | stats count() as n`, 200},
		{"# event_name | uniq\nerror | filter n:>5", 200},
		{`_msg:"severity_text | uniq by (x)" | sort by (_time)`, 200},
		{"", 400},
		{"# nothing", 400},
		{`event_name:="x"`, 400},
		{`* | stats by (severity_text) count() as n`, 400},
		{`* | uniq by (error.type)`, 400},
		{`* | join by (a) (* | top 5 by (a))`, 400},
	}
	for _, tt := range tests {
		form := url.Values{"query": {tt.query}}.Encode()
		w := ask(t, h, "POST", selectPath+"query", form, "Content-Type", "application/x-www-form-urlencoded")
		if w.Code != tt.status {
			t.Errorf("%q: got %d, want %d", tt.query, w.Code, tt.status)
		}
		got := last()
		if forwarded := got != nil; forwarded != (tt.status == http.StatusOK) {
			t.Errorf("%q: forwarded %v", tt.query, forwarded)
		}
		if got != nil && (got.URL.Path != "/select/logsql/query" || got.URL.Query().Get("query") != tt.query || got.URL.Query().Get("limit") != "100") {
			t.Errorf("%q: forwarded to %s", tt.query, got.URL)
		}
	}
	if w := ask(t, h, "POST", logsPath, ""); w.Code != http.StatusNotFound {
		t.Errorf("records at the wrong port: got %d", w.Code)
	}
}

func TestStartFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	if c, err := Start(t.Context(), Config{VictoriaLogs: "/nowhere"}); err == nil || c != nil {
		t.Errorf("a program that is not there: got %v, %v", c, err)
	}
	if c, err := StartCollector(t.Context(), CollectorConfig{Program: "/bin/false"}); err == nil || c != nil {
		t.Errorf("a program that ends at once: got %v, %v", c, err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
}
