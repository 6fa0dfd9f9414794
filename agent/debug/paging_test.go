package debug_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pullcause/agent/debug"
	"pullcause/agent/incident"
)

// storm is an outage of 10,001 images.
func storm() *world {
	w := outage()
	for n := range 10_000 {
		i := opened()
		i.ID = fmt.Sprintf("%016x", n)
		i.FirstSeen = i.FirstSeen.Add(-time.Duration(n/3) * time.Millisecond)
		w.open = append(w.open, i)
	}
	return w
}

// answer is a page of the lists of incidents.
type answer struct {
	Total        int `json:"open_total"`
	Open, Closed []struct{ ID string }
	Next         string
}

func readPage(t *testing.T, h http.Handler, path string) (a answer) {
	t.Helper()
	if err := json.Unmarshal(get(t, h, path).Body.Bytes(), &a); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return a
}

// A client that follows next reads each incident once, in whatever steps, and the agent
// never copies more than some of them.
func TestPagesOfIncidents(t *testing.T) {
	for _, tt := range []struct {
		path  string
		pages int
	}{
		{"/debug/incidents", 11},
		{"/debug/incidents?limit=10001", 2},
		{"/debug/incidents?limit=10002", 1},
		{"/debug/incidents?limit=1000000", 1},
		{"/debug/incidents?state=open&limit=10001", 1},
		{"/debug/incidents?state=open&limit=3000", 4},
		{"/debug/incidents?state=closed&limit=1", 1},
	} {
		t.Run(tt.path, func(t *testing.T) {
			w := storm()
			want := map[string]bool{}
			for _, list := range [][]incident.Incident{w.open, w.closed} {
				for _, i := range list {
					if !strings.Contains(tt.path, "state=") || strings.Contains(tt.path, "state="+string(i.State)) || i.State != incident.Open && strings.Contains(tt.path, "state=closed") {
						want[i.ID] = true
					}
				}
			}
			h, pages := w.handler(), 0
			for path := tt.path; path != ""; pages++ {
				a := readPage(t, h, path)
				for _, i := range append(a.Open, a.Closed...) {
					if !want[i.ID] {
						t.Fatalf("%s has %s, which an earlier page had or which was not asked for", path, i.ID)
					}
					delete(want, i.ID)
				}
				if a.Total != 10_001 {
					t.Errorf("%s: open_total is %d", path, a.Total)
				}
				path = a.Next
			}
			if len(want) > 0 || pages != tt.pages {
				t.Errorf("%d incidents are missing after %d pages, want %d pages", len(want), pages, tt.pages)
			}
			if w.most > 100 {
				t.Errorf("%d incidents were copied at once", w.most)
			}
		})
	}
}

func TestPagesOfOtherLists(t *testing.T) {
	w := outage()
	for n := range 30 {
		a := failed()
		a.UID = fmt.Sprint("attempt-", n)
		w.attempts = append(w.attempts, a)
		w.sources = append(w.sources, reading())
		w.pulls = append(w.pulls, w.pulls[0])
		w.images.Images = append(w.images.Images, w.images.Images[0])
		w.images.Removed = append(w.images.Removed, w.images.Removed[0])
	}
	h := w.handler()
	for path, want := range map[string]int{
		"/debug/attempts?limit=7":                   31,
		"/debug/incidents/7f3a90c1d2e4b5a6?limit=7": 31,
		"/debug/sources?limit=7":                    32,
		"/debug/pulls?limit=7":                      31,
		"/debug/images?limit=7":                     62,
	} {
		got := 0
		for next := path; next != ""; {
			var a map[string]json.RawMessage
			if err := json.Unmarshal(get(t, h, next).Body.Bytes(), &a); err != nil {
				t.Fatalf("%s: %v", next, err)
			}
			next = ""
			for name, value := range a {
				var list []json.RawMessage
				if json.Unmarshal(value, &list) == nil {
					got += len(list)
				}
				if name == "next" {
					if err := json.Unmarshal(value, &next); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if got != want {
			t.Errorf("%s: the pages have %d elements, want %d", path, got, want)
		}
	}
}

func TestWrongPages(t *testing.T) {
	for path, want := range map[string]string{
		"/debug/incidents?after=x":                  "after takes what the member next",
		"/debug/incidents?after=open.x.0.id":        "after takes what the member next",
		"/debug/incidents?after=open.0.x.id":        "after takes what the member next",
		"/debug/incidents?after=open.0.0.":          "after takes what the member next",
		"/debug/incidents?after=all.0.0.id":         "after takes what the member next",
		"/debug/incidents?state=new":                "state takes open or closed",
		"/debug/attempts?after=-1":                  "after takes what the member next",
		"/debug/images?after=x":                     "after takes what the member next",
		"/debug/pulls?limit=x":                      "limit takes a number",
		"/debug/sources?limit=1000001":              "limit takes a number",
		"/debug/incidents/7f3a90c1d2e4b5a6?after=0": "after takes what the member next",
	} {
		if a := get(t, outage().handler(), path); a.Code != http.StatusBadRequest || !strings.Contains(a.Body.String(), want) {
			t.Errorf("%s: got %d %s, want %q", path, a.Code, a.Body, want)
		}
	}
}

var _ debug.History = (*world)(nil)
