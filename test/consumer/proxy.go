package consumer

import (
	"fmt"
	"mime"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// CubeAPM's paths, after its documentation (cubeapm/docs at 905e3f75):
// docs/logs/ingestion/ingestion.md, docs/http-apis/metrics.md and logs.md.
const (
	cubePrefix  = "/api/logs"
	logsPath    = cubePrefix + "/insert/opentelemetry/v1/logs"
	metricsPath = "/api/metrics/v1/save/otlp"
	selectPath  = cubePrefix + "/select/logsql/"
)

// What begins the names of the headers of CubeAPM and of VictoriaLogs, and what
// CubeAPM documents behind it (docs/logs/logs.md).
const (
	cubeHeader     = "Cube-"
	victoriaHeader = "Vl-"
	streamFields   = "Stream-Fields"
)

var cubeHeaders = []string{streamFields, "Msg-Field", "Time-Field"}

// ingestion is CubeAPM's port 3130, as much of it as the agent uses. Records
// without the stream fields that are expected are refused: CubeAPM would take them
// and find nothing by those fields.
func ingestion(victoriaLogs *url.URL, expected string) http.Handler {
	logs := forward(victoriaLogs)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+logsPath, func(w http.ResponseWriter, r *http.Request) {
		problem := wrongHeaders(r.Header)
		if got := r.Header.Get(cubeHeader + streamFields); problem == "" && expected != "" && got != expected {
			problem = fmt.Sprintf("header %s: got %q, want %q", cubeHeader+streamFields, got, expected)
		}
		if problem != "" {
			http.Error(w, problem, http.StatusBadRequest)
			return
		}
		logs.ServeHTTP(w, r)
	})
	// VictoriaLogs takes no metrics; they are looked at elsewhere.
	mux.HandleFunc("POST "+metricsPath, func(w http.ResponseWriter, r *http.Request) {
		if problem := wrongHeaders(r.Header); problem != "" {
			http.Error(w, problem, http.StatusBadRequest)
		}
	})
	return mux
}

// wrongHeaders says what is wrong with a request to a receiver of OTLP. A header
// that CubeAPM does not document would be without effect there.
func wrongHeaders(h http.Header) string {
	if media, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || media != "application/x-protobuf" {
		return fmt.Sprintf("content type: got %q, want application/x-protobuf, the one that is documented", h.Get("Content-Type"))
	}
	for name := range h {
		if rest, ours := strings.CutPrefix(name, cubeHeader); ours && !slices.Contains(cubeHeaders, rest) {
			return "CubeAPM documents no header " + name
		}
	}
	return ""
}

// querying is CubeAPM's port 3140, as much of it as reads logs.
func querying(victoriaLogs *url.URL) http.Handler {
	logs := forward(victoriaLogs)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+selectPath, func(w http.ResponseWriter, r *http.Request) {
		// A form would be read here and missed there, so it goes on in the URL.
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if problem := foreign(r.Form.Get("query")); problem != "" {
			http.Error(w, problem, http.StatusBadRequest)
			return
		}
		if r.Form.Get("limit") == "" {
			r.Form.Set("limit", "100") // CubeAPM's default; VictoriaLogs has none
		}
		r.URL.RawQuery = r.Form.Encode()
		r.Body, r.ContentLength = http.NoBody, 0
		r.Header.Del("Content-Type")
		logs.ServeHTTP(w, r)
	})
	return mux
}

// forward hands requests on with VictoriaLogs' paths and headers, and with none of
// its own that CubeAPM would not know.
func forward(to *url.URL) http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.URL.Path = strings.TrimPrefix(r.In.URL.Path, cubePrefix)
		for name := range r.In.Header {
			if strings.HasPrefix(name, victoriaHeader) {
				r.Out.Header.Del(name)
			}
		}
		for name, values := range r.In.Header {
			if rest, ours := strings.CutPrefix(name, cubeHeader); ours {
				r.Out.Header.Del(name)
				r.Out.Header[victoriaHeader+rest] = values
			}
		}
	}}
}

// pipes are those that CubeAPM documents: docs/logs/querying.md, and filter in
// docs/http-apis/alerts/alert-rules.md.
var pipes = []string{
	"copy", "drop", "extract_regexp", "filter", "join", "keep", "limit", "math", "rename", "replace", "replace_regexp",
	"sort", "stats", "unpack_json",
}

var (
	quotedOrComment = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`|#[^\n]*")
	pipeName        = regexp.MustCompile(`\|\s*(\w*)`)
	// otherFields are made by VictoriaLogs of what CubeAPM stores under other names
	// or not at all.
	otherFields = regexp.MustCompile(`\b(event_name|severity_text|severity_number|scope\.name|scope\.version)\b`)
)

// foreign says what there is in a query that VictoriaLogs has and CubeAPM does
// not, or not by that name.
func foreign(query string) string {
	bare := quotedOrComment.ReplaceAllStringFunc(query, func(s string) string {
		if s[0] == '#' {
			return ""
		}
		return `""`
	})
	if strings.TrimSpace(bare) == "" {
		return "the query is empty: at least one condition is mandatory"
	}
	for _, m := range pipeName.FindAllStringSubmatch(bare, -1) {
		if !slices.Contains(pipes, m[1]) {
			return fmt.Sprintf("CubeAPM documents no pipe %q", m[1])
		}
	}
	if field := otherFields.FindString(bare); field != "" {
		return "CubeAPM has no field " + field + " as VictoriaLogs has"
	}
	return ""
}
