package export

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
)

func TestWriterSink(t *testing.T) {
	at := time.Date(2026, 6, 12, 10, 0, 0, 5, time.UTC)
	r := Record{
		Version: 1, UID: "u", Name: EventFailed, Time: at, Observed: at, Severity: SeverityWarn, Body: `a "b" <c>`,
		Attributes: []Attribute{{"z", "<1>"}, {"a", int64(2)}, {"t", []string{"x"}}, {"b", true}, {"f", 1.5}},
	}
	var out strings.Builder
	if v := NewWriterSink(&out).Export(t.Context(), []Record{r, r}); v.Outcome != Acknowledged {
		t.Fatalf("verdict: %+v", v)
	}
	want := `{"time":"2026-06-12T10:00:00.000000005Z","observed":"2026-06-12T10:00:00.000000005Z","severity":"WARN",` +
		`"name":"pullcause.image_pull.failed","uid":"u","body":"a \"b\" <c>",` +
		`"attributes":{"z":"<1>","a":2,"t":["x"],"b":true,"f":1.5}}` + "\n"
	if got := out.String(); got != want+want {
		t.Errorf("got  %s\nwant %s", got, want+want)
	}
}

func TestWriterSinkRecordOfAChange(t *testing.T) {
	var out strings.Builder
	NewWriterSink(&out).Export(t.Context(), []Record{FromChange(rateLimited(), "n")})
	var got struct {
		Attributes map[string]any `json:"attributes"`
	}
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Attributes[ErrorTypeKey] != "rate_limited" {
		t.Errorf("got %v", got)
	}
}

// Standard output may be a terminal: what it would obey, reorder or not show is escaped.
func TestWriterSinkEscapes(t *testing.T) {
	const evil = "\u009b31m\u202e\u2066\u200b\u2028\x7f"
	var out strings.Builder
	change := rateLimited()
	change.Attempt.Image, change.Attempt.Hosts[0].Error = evil, evil
	record := FromChange(change, "n")
	record.Body = evil
	NewWriterSink(&out).Export(t.Context(), []Record{record})
	if i := strings.IndexFunc(strings.TrimSpace(out.String()), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("written as it is: %+q", out.String()[max(0, i-40):i+3])
	}
	var got struct{ Body string }
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil || got.Body != evil {
		t.Errorf("the body reads as %+q, %v; want %+q", got.Body, err, evil)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriterSinkThatCannotWrite(t *testing.T) {
	v := NewWriterSink(broken{}).Export(t.Context(), []Record{{}})
	if v.Outcome != Retry || v.Text != "write records: disk full" {
		t.Errorf("got %+v", v)
	}
	v = NewWriterSink(broken{}).Export(t.Context(), []Record{{Attributes: []Attribute{{"k", func() {}}}}})
	if v.Outcome != Rejected {
		t.Errorf("got %+v", v)
	}
}

// Nobody reads what is written. That is waited for while there is time, and no longer.
func TestWriterSinkThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		store, l := healthy(), newLedger()
		e := New(NewWriterSink(w), Config{Settled: l.settled, Store: store}).Start()
		l.put(e, "a")
		time.Sleep(time.Second)
		begin := time.Now()
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != DrainTime {
			t.Errorf("got %s, want %s", took, DrainTime)
		}
		if store.left() != 1 || len(l.done["a"]) != 1 {
			t.Errorf("%d stored, done %v", store.left(), l.done)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A write that is left behind does not mix with the next.
func TestWriterSinkAfterItBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		sink := NewWriterSink(w)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			v := sink.Export(ctx, []Record{{UID: "a"}})
			cancel()
			if v.Outcome != Retry || v.Text != "write records: context deadline exceeded" {
				t.Errorf("got %+v", v)
			}
		}
		var lines []string
		go func() {
			for in := bufio.NewScanner(r); in.Scan(); {
				lines = append(lines, in.Text())
			}
		}()
		if v := sink.Export(t.Context(), []Record{{UID: "b"}}); v.Outcome != Acknowledged {
			t.Errorf("got %+v", v)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(lines) != 2 || !strings.Contains(lines[0], `"uid":"a"`) || !strings.Contains(lines[1], `"uid":"b"`) {
			t.Errorf("got lines %q", lines)
		}
	})
}
