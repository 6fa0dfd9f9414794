package debug

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pullcause/agent/incident"
)

// An answer has at most 1,000 elements unless ?limit= asks for more or less. Where there
// are more, its member next is the path that continues it.
const (
	defaultLimit = 1000
	maxLimit     = 1_000_000
)

// paging is which part of its lists an answer holds.
type paging struct {
	path, state  string
	limit, left  int
	skip, number int    // of lists whose elements are numbered
	last         string // the place of the last element
	more         bool
}

// readPaging reads ?limit=N. It answers a wrong one itself.
func readPaging(w http.ResponseWriter, r *http.Request) (p *paging, ok bool) {
	p = &paging{path: r.URL.Path, limit: defaultLimit}
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > maxLimit {
			writeError(w, http.StatusBadRequest, fmt.Sprintf("limit takes a number from 0 to %d", maxLimit))
			return nil, false
		}
		p.limit = n
	}
	p.left = p.limit
	return p, true
}

// after reads ?after=, what the next of an earlier answer said; empty at the beginning.
func after(r *http.Request) string { return r.URL.Query().Get("after") }

func wrongAfter(w http.ResponseWriter) {
	writeError(w, http.StatusBadRequest, "after takes what the member next of an earlier answer says")
}

// readNumbered is readPaging where ?after= is a number of elements.
func readNumbered(w http.ResponseWriter, r *http.Request) (p *paging, ok bool) {
	if p, ok = readPaging(w, r); !ok || after(r) == "" {
		return p, ok
	}
	n, err := strconv.Atoi(after(r))
	if err != nil || n < 0 {
		wrongAfter(w)
		return nil, false
	}
	p.skip = n
	return p, true
}

// end writes how to get the next page, if there is one, and ends the answer.
func (p *paging) end(d *document) {
	if p.more && p.last != "" {
		query := url.Values{"after": {p.last}, "limit": {strconv.Itoa(p.limit)}}
		if p.state != "" {
			query.Set("state", p.state)
		}
		d.value("next", p.path+"?"+query.Encode())
	}
	d.end()
}

// The lists of incidents, in the order in which they are written.
const (
	stateOpen   = "open"
	stateClosed = "closed"
)

// cursor is a place in one of the lists of incidents.
type cursor struct {
	list  string
	place incident.Place
}

// String is LIST.SECONDS.NANOSECONDS.ID: the year may be 1, which has no nanoseconds since
// 1970 in 64 bits.
func (c cursor) String() string {
	return fmt.Sprintf("%s.%d.%d.%s", c.list, c.place.At.Unix(), c.place.At.Nanosecond(), c.place.ID)
}

// parseCursor reads it; empty text is the beginning.
func parseCursor(text string) (c cursor, ok bool) {
	if text == "" {
		return cursor{list: stateOpen}, true
	}
	parts := strings.SplitN(text, ".", 4)
	if len(parts) != 4 || parts[3] == "" || parts[0] != stateOpen && parts[0] != stateClosed {
		return c, false
	}
	seconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return c, false
	}
	nanoseconds, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return c, false
	}
	return cursor{parts[0], incident.Place{At: time.Unix(seconds, nanoseconds), ID: parts[3]}}, true
}
