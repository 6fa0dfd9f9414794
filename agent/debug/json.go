package debug

import (
	"iter"
	"net/http"
	"strconv"

	"pullcause/agent/escape"
	"pullcause/agent/incident"
)

const (
	contentType = "Content-Type"
	jsonType    = "application/json"
)

// writeJSON writes one small value, indented: curl is what most will read it with.
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

// incidents writes the open incidents, then the closed ones.
func (d *debugHandler) incidents(w http.ResponseWriter, r *http.Request) {
	p, ok := readPaging(w, r)
	if !ok {
		return
	}
	begin, ok := parseCursor(after(r))
	if !ok {
		wrongAfter(w)
		return
	}
	switch p.state = r.URL.Query().Get("state"); p.state {
	case "", stateOpen, stateClosed:
	default:
		writeError(w, http.StatusBadRequest, "state takes open or closed; without it both are meant")
		return
	}
	totals := d.cfg.History.Totals()
	doc := newDocument(w)
	doc.value("open_total", totals.Open)
	doc.value("closed_total", totals.Closed)
	for _, l := range []struct {
		name string
		read func(incident.Place, int) []Incident
	}{{stateOpen, d.cfg.History.Open}, {stateClosed, d.cfg.History.Closed}} {
		elements := incidentsFrom(begin.placeIn(l.name), l.read)
		if p.state != "" && p.state != l.name || begin.list == stateClosed && l.name == stateOpen {
			elements = func(func(Incident) bool) {}
		}
		list(doc, p, l.name, views(elements), func(i *incidentView) string { return cursor{l.name, i.place}.String() })
	}
	p.end(doc)
}

// placeIn is where to begin in one of the lists.
func (c cursor) placeIn(list string) incident.Place {
	if c.list == list {
		return c.place
	}
	return incident.Place{}
}

// views makes the JSON form of incidents, one after the other.
func views(incidents iter.Seq[Incident]) iter.Seq[incidentView] {
	return func(yield func(incidentView) bool) {
		for i := range incidents {
			if !yield(viewIncident(&i)) {
				return
			}
		}
	}
}

// incident writes one incident and its attempts.
func (d *debugHandler) incident(w http.ResponseWriter, r *http.Request) {
	i, ok := d.cfg.History.Find(r.PathValue("id"))
	if !ok {
		writeError(w, http.StatusNotFound, "no such incident; GET /debug/incidents lists those that are remembered")
		return
	}
	p, before, ok := readAttemptPaging(w, r)
	if !ok {
		return
	}
	doc := newDocument(w)
	doc.value("incident", viewIncident(&i))
	if i.Registry != "" {
		doc.value("registry_configuration", d.cfg.Hosts(i.Registry))
	}
	d.listAttempts(doc, p, "recent_attempts", AttemptQuery{Incident: i.ID, Before: before})
}

func (d *debugHandler) attempts(w http.ResponseWriter, r *http.Request) {
	p, before, ok := readAttemptPaging(w, r)
	if !ok {
		return
	}
	doc := newDocument(w)
	doc.value("attempts_total", d.cfg.History.Totals().Attempts)
	d.listAttempts(doc, p, "attempts", AttemptQuery{Before: before})
}

// readAttemptPaging is readPaging where ?after= is the number of an attempt.
func readAttemptPaging(w http.ResponseWriter, r *http.Request) (p *paging, before int64, ok bool) {
	if p, ok = readPaging(w, r); !ok || after(r) == "" {
		return p, 0, ok
	}
	before, err := strconv.ParseInt(after(r), 10, 64)
	if err != nil || before <= 0 {
		wrongAfter(w)
		return nil, 0, false
	}
	return p, before, true
}

func (d *debugHandler) listAttempts(doc *document, p *paging, name string, q AttemptQuery) {
	list(doc, p, name, attemptsFrom(q, d.cfg.History.Attempts), func(a *Attempt) string { return strconv.FormatInt(a.Number, 10) })
	p.end(doc)
}

func (d *debugHandler) sources(w http.ResponseWriter, r *http.Request) {
	p, ok := readNumbered(w, r)
	if !ok {
		return
	}
	sources, candidates := d.cfg.Sources(), d.cfg.Candidates()
	doc := newDocument(w)
	doc.value("sources_total", len(sources))
	doc.value("candidates_total", len(candidates))
	values(doc, p, "sources", sources)
	values(doc, p, "candidates", candidates)
	p.end(doc)
}

func (d *debugHandler) pulls(w http.ResponseWriter, r *http.Request) {
	p, ok := readNumbered(w, r)
	if !ok {
		return
	}
	pulls := d.cfg.Pulls()
	doc := newDocument(w)
	doc.value("pulls_total", len(pulls))
	values(doc, p, "pulls", pulls)
	p.end(doc)
}

func (d *debugHandler) images(w http.ResponseWriter, r *http.Request) {
	p, ok := readNumbered(w, r)
	if !ok {
		return
	}
	all := d.cfg.Images()
	doc := newDocument(w)
	doc.value("known", !all.AsOf.IsZero())
	doc.value("as_of", all.AsOf.UTC())
	doc.value("images_total", len(all.Images))
	doc.value("bytes_total", all.Bytes)
	doc.value("removed_total", len(all.Removed))
	values(doc, p, "images", all.Images)
	values(doc, p, "removed", all.Removed)
	p.end(doc)
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
