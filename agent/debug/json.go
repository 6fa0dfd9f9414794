package debug

import (
	"bufio"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"

	"pullcause/agent/enrich"
	"pullcause/agent/enrich/hostconf"
	"pullcause/agent/escape"
	"pullcause/logtail"
)

const (
	contentType = "Content-Type"
	jsonType    = "application/json"
)

// writeJSON writes one value, indented: curl is what most will read it with.
func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := escape.IndentedJSON(v)
	if err != nil {
		writeError(w, http.StatusInternalServerError, "write JSON: "+err.Error())
		return
	}
	w.Header().Set(contentType, jsonType)
	w.WriteHeader(status)
	w.Write(append(text, '\n'))
}

func writeError(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, struct {
		Error  string `json:"error"`
		Status int    `json:"status"`
	}{text, status})
}

// document writes a JSON object of lists with one element on each line, each
// made when it is its turn: ten thousand incidents are never in memory at once.
type document struct {
	w *bufio.Writer
	// next stands before the next member.
	next string
}

func newDocument(w http.ResponseWriter) *document {
	w.Header().Set(contentType, jsonType)
	return &document{w: bufio.NewWriter(w), next: "{"}
}

func (d *document) member(name string) {
	fmt.Fprintf(d.w, "%s%q:", d.next, name)
	d.next = ","
}

func (d *document) number(name string, n int) { d.value(name, n) }

// value writes a number, a time or the like.
func (d *document) value(name string, v any) {
	text, err := escape.JSON(v)
	if err != nil {
		return // of these it cannot fail
	}
	d.member(name)
	d.w.Write(text)
}

// list writes the elements up to limit; elements are marshalled one by one.
func list[T any](d *document, name string, limit int, elements iter.Seq[T]) {
	d.member(name)
	separator := "[\n"
	for e := range elements {
		if limit--; limit < 0 {
			break
		}
		text, err := escape.JSON(e)
		if err != nil {
			continue // strings, numbers and times: they cannot fail
		}
		d.w.WriteString(separator)
		d.w.Write(text)
		separator = ",\n"
	}
	if separator == "[\n" {
		d.w.WriteString("[]")
		return
	}
	d.w.WriteString("\n]")
}

func (d *document) end() {
	d.w.WriteString("}\n")
	d.w.Flush() //nolint:errcheck // the client is gone: nobody to tell
}

// maxLimit is more than any list has.
const maxLimit = 1_000_000

// limit reads ?limit=N; without it all are meant. It answers a wrong one itself.
func limit(w http.ResponseWriter, r *http.Request) (n int, ok bool) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return maxLimit, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxLimit {
		writeError(w, http.StatusBadRequest, fmt.Sprintf("limit takes a number from 0 to %d", maxLimit))
		return 0, false
	}
	return n, true
}

func (d *debugHandler) incidents(w http.ResponseWriter, r *http.Request) {
	n, ok := limit(w, r)
	if !ok {
		return
	}
	open, closed := d.cfg.Incidents()
	known := remember(d.cfg.Attempts())
	doc := newDocument(w)
	doc.number("open_total", len(open))
	doc.number("closed_total", len(closed))
	list(doc, "open", n, known.views(open))
	list(doc, "closed", n, known.views(closed))
	doc.end()
}

func (d *debugHandler) incident(w http.ResponseWriter, r *http.Request) {
	i, attempts, ok := d.cfg.Incident(r.PathValue("id"))
	if !ok {
		writeError(w, http.StatusNotFound, "no such incident; GET /debug/incidents lists those that are remembered")
		return
	}
	var hosts *hostconf.List
	if i.Registry != "" {
		list := d.cfg.Hosts(i.Registry)
		hosts = &list
	}
	writeJSON(w, http.StatusOK, struct {
		Incident incidentView   `json:"incident"`
		Attempts []Attempt      `json:"recent_attempts"`
		Hosts    *hostconf.List `json:"registry_configuration,omitempty"`
	}{viewIncident(&i, remember(attempts).status(&i)), append([]Attempt{}, attempts...), hosts})
}

func (d *debugHandler) attempts(w http.ResponseWriter, r *http.Request) {
	n, ok := limit(w, r)
	if !ok {
		return
	}
	attempts := d.cfg.Attempts()
	doc := newDocument(w)
	doc.number("attempts_total", len(attempts))
	list(doc, "attempts", n, slices.Values(attempts))
	doc.end()
}

func (d *debugHandler) sources(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Sources    []logtail.Status    `json:"sources"`
		Candidates []logtail.Candidate `json:"candidates"`
	}{append([]logtail.Status{}, d.cfg.Sources()...), append([]logtail.Candidate{}, d.cfg.Candidates()...)})
}

func (d *debugHandler) pulls(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Pulls []enrich.Pull `json:"pulls"`
	}{append([]enrich.Pull{}, d.cfg.Pulls()...)})
}

func (d *debugHandler) images(w http.ResponseWriter, r *http.Request) {
	n, ok := limit(w, r)
	if !ok {
		return
	}
	all := d.cfg.Images()
	doc := newDocument(w)
	doc.value("known", !all.AsOf.IsZero())
	doc.value("as_of", all.AsOf.UTC())
	doc.number("images_total", len(all.Images))
	doc.value("bytes_total", all.Bytes)
	doc.number("removed_total", len(all.Removed))
	list(doc, "images", n, slices.Values(all.Images))
	list(doc, "removed", n, slices.Values(all.Removed))
	doc.end()
}

func (d *debugHandler) node(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, d.cfg.Node(r.Context()))
}

// value shows what a function of the configuration returns.
func (d *debugHandler) value(read func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, read())
	}
}

// contents lists the endpoints.
func (d *debugHandler) contents(w http.ResponseWriter, _ *http.Request) {
	paths := make(map[string]string)
	for _, e := range d.endpoints() {
		paths[e.path] = e.about
	}
	if d.cfg.Pprof {
		paths["/debug/pprof/"] = "profiles of the Go runtime"
	}
	writeJSON(w, http.StatusOK, map[string]any{"endpoints": paths})
}
