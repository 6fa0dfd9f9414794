package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pullcause/logtail"
)

// entry is what the tests store beside positions.
type entry struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// owner keeps entries, and knows which of them have changed.
type owner struct {
	all     map[string]string
	changed map[string]bool
	next    []Change
}

func newOwner() *owner { return &owner{all: map[string]string{}, changed: map[string]bool{}} }

func (o *owner) put(id, text string) { o.all[id], o.changed[id] = text, true }

func (o *owner) drop(id string) {
	delete(o.all, id)
	o.changed[id] = true
}

func (o *owner) Reset() { clear(o.all) }

func (o *owner) Set(value []byte) error {
	var e entry
	err := json.Unmarshal(value, &e)
	o.all[e.ID] = e.Text
	return err
}

func (o *owner) Remove(id string) { delete(o.all, id) }

func (o *owner) Begin(all bool) {
	o.next = nil
	if all {
		clear(o.changed)
		for id := range o.all {
			o.changed[id] = true
		}
	}
	for id := range o.changed {
		c := Change{ID: id}
		if text, ok := o.all[id]; ok {
			c.Value, _ = json.Marshal(entry{id, text})
		}
		o.next = append(o.next, c)
	}
	slices.SortFunc(o.next, func(a, b Change) int { return strings.Compare(a.ID, b.ID) })
	clear(o.changed)
}

func (o *owner) Next() []Change {
	n := min(2, len(o.next))
	some := o.next[:n]
	o.next = o.next[n:]
	return some
}

// contents is what a store holds: positions and entries in one map.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	o := newOwner()
	positions, err := Open(dir).Load(o)
	if err != nil {
		t.Errorf("Load: %v", err)
	}
	return together(positions, o)
}

func together(positions map[string]logtail.Position, o *owner) map[string]string {
	all := map[string]string{}
	for source, p := range positions {
		all["at "+source] = fmt.Sprint(p.Stream, p.Offset)
	}
	maps.Copy(all, o.all)
	return all
}

// steps are what a store goes through: each changes positions and entries.
var steps = []func(at map[string]logtail.Position, o *owner){
	func(at map[string]logtail.Position, o *owner) {
		at["a"] = logtail.Position{Stream: "s", Offset: 1}
		o.put("x", "opened")
	},
	func(at map[string]logtail.Position, _ *owner) { at["a"] = logtail.Position{Stream: "s", Offset: 2} },
	func(at map[string]logtail.Position, o *owner) {
		at["b"] = logtail.Position{Stream: "t", Offset: 7}
		o.put("x", "repeated <b>\u2028")
		o.put("y", "opened")
		o.put("z", "opened")
	},
	func(map[string]logtail.Position, *owner) {},
	func(at map[string]logtail.Position, o *owner) {
		delete(at, "b")
		o.drop("x")
	},
	func(_ map[string]logtail.Position, o *owner) { o.put("y", "recovered") },
}

// What is stored comes back, whether it is in the snapshot or in the journal.
func TestJournal(t *testing.T) {
	dir := t.TempDir()
	s, at, o := Open(dir), map[string]logtail.Position{}, newOwner()
	for i, step := range steps {
		step(at, o)
		want := together(at, o)
		if _, err := s.Save(at, o); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, contents(t, dir)); diff != "" {
			t.Errorf("after step %d (-want +got):\n%s", i, diff)
		}
		if i%2 == 0 { // go on with what another process would find
			s, o = Open(dir), newOwner()
			if _, err := s.Load(o); err != nil {
				t.Fatal(err)
			}
		}
	}
	snapshot, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || !strings.Contains(string(snapshot), `"offset":1`) {
		t.Errorf("got the snapshot %s, %v, want that of the first step: the others belong into the journal", snapshot, err)
	}
}

// A crash of the machine leaves any part of what was written last: the state is then that
// of before or after, and the agent goes on from it.
func TestJournalTorn(t *testing.T) {
	dir := t.TempDir()
	s, at, o := Open(dir), map[string]logtail.Position{}, newOwner()
	path := filepath.Join(dir, journalName)
	before, had := map[string]string{}, 0
	for i, step := range steps {
		step(at, o)
		after := together(at, o)
		if _, err := s.Save(at, o); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := had; i > 0 && n <= len(text); n++ {
			for tail, damage := range map[string][]byte{"cut": nil, "zeros": make([]byte, len(text)-n)} {
				other := t.TempDir()
				copyTo(t, filepath.Join(dir, name), filepath.Join(other, name))
				if err := os.WriteFile(filepath.Join(other, journalName), append(bytes.Clone(text[:n]), damage...), 0o600); err != nil {
					t.Fatal(err)
				}
				want := before
				if n == len(text) {
					want = after
				}
				if got := contents(t, other); !cmp.Equal(got, want) {
					t.Fatalf("step %d, %s at byte %d of %d: got %v, want %v", i, tail, n, len(text), got, want)
				}
				if n%16 == 0 {
					goesOn(t, other)
				}
			}
		}
		before, had = after, len(text)
	}
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// goesOn saves something in what a crash left.
func goesOn(t *testing.T, dir string) {
	t.Helper()
	s, o := Open(dir), newOwner()
	at, err := s.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	at["new"] = logtail.Position{Stream: "n", Offset: 1}
	o.put("new", "opened")
	if _, err := s.Save(at, o); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, dir), together(at, o); !cmp.Equal(got, want) {
		t.Fatalf("after going on: got %v, want %v", got, want)
	}
}

var errDisk = errors.New("input/output error")

// faulty is a file system that fails at the n-th call and from then on until it is mended;
// a failing write leaves half of it.
type faulty struct {
	disk

	left   int
	broken bool
}

func (d *faulty) fail() bool {
	d.left--
	return d.broken && d.left < 0
}

func (d *faulty) create(path string) (file, error) {
	if d.fail() {
		return nil, errDisk
	}
	f, err := d.disk.create(path)
	return &faultyFile{f, d}, err
}

func (d *faulty) extend(path string) (file, error) {
	if d.fail() {
		return nil, errDisk
	}
	f, err := d.disk.extend(path)
	return &faultyFile{f, d}, err
}

func (d *faulty) rename(from, to string) error {
	if d.fail() {
		return errDisk
	}
	return d.disk.rename(from, to)
}

func (d *faulty) syncDir(dir string) error {
	if d.fail() {
		return errDisk
	}
	return d.disk.syncDir(dir)
}

type faultyFile struct {
	file

	d *faulty
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if f.d.fail() {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, errDisk
	}
	return f.file.Write(p)
}

func (f *faultyFile) Sync() error {
	if f.d.fail() {
		return errDisk
	}
	return f.file.Sync()
}

// Whatever call of the file system fails, in whatever save: what another process finds then
// is the state of before or after, and once the disk works again all is stored.
func TestSaveFails(t *testing.T) {
	for failing := range steps {
		for call := range 10 {
			dir := t.TempDir()
			d := &faulty{}
			s, at, o := Open(dir), map[string]logtail.Position{}, newOwner()
			s.files = d
			for i, step := range steps {
				before := together(at, o)
				if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
					before = map[string]string{}
				}
				step(at, o)
				after := together(at, o)
				d.left, d.broken = call, i == failing
				_, err := s.Save(at, o)
				d.broken = false
				if got := contents(t, dir); !cmp.Equal(got, after) && (err == nil || !cmp.Equal(got, before)) {
					t.Fatalf("call %d of step %d, error %v: got %v, want %v or if it failed %v", call, failing, err, got, after, before)
				}
			}
			if _, err := s.Save(at, o); err != nil {
				t.Fatal(err)
			}
			if got, want := contents(t, dir), together(at, o); !cmp.Equal(got, want) {
				t.Fatalf("call %d of step %d, once the disk works: got %v, want %v", call, failing, got, want)
			}
		}
	}
}

// A journal that outgrows its snapshot is replaced, so its size is bounded.
func TestJournalIsReplaced(t *testing.T) {
	dir := t.TempDir()
	s, at, o := Open(dir), map[string]logtail.Position{}, newOwner()
	var most int64
	for i := range 300 {
		at["a"] = logtail.Position{Stream: "s", Offset: int64(i)}
		o.put(fmt.Sprint(i%50), strings.Repeat("x", 20<<10))
		if _, err := s.Save(at, o); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, journalName)); err != nil {
			t.Fatal(err)
		} else {
			most = max(most, info.Size())
		}
	}
	if most > 50*20<<10+200<<10 {
		t.Errorf("the journal had up to %d bytes, want about as many as all entries at most", most)
	}
	if got, want := contents(t, dir), together(at, o); !cmp.Equal(got, want) {
		t.Errorf("got %d entries, want %d", len(got), len(want))
	}
}

// What Load would refuse is not written: the last entries are left out and counted.
func TestSaveShedsWhatLoadWouldRefuse(t *testing.T) {
	dir := t.TempDir()
	s, at, o := Open(dir), map[string]logtail.Position{"a": {Stream: "s", Offset: 1}}, newOwner()
	const each = 100 << 10
	for i := range 400 {
		o.put(fmt.Sprintf("%03d", i), strings.Repeat("x", each))
	}
	o.put("too long", strings.Repeat("x", maxEntry))
	shed, err := s.Save(at, o)
	if err != nil {
		t.Fatal(err)
	}
	got := contents(t, dir)
	if kept := len(got) - 1; kept+shed != 401 || kept < 200 || got["at a"] != "s1" || got["000"] == "" || got["399"] != "" {
		t.Errorf("got %d entries and %d left out, want the first 240 or so of 401", kept, shed)
	}
	// So does what is added to a journal.
	o.put("000", strings.Repeat("y", maxEntry))
	if shed, err := s.Save(at, o); err != nil || shed != 1 {
		t.Errorf("got %d left out and %v, want 1", shed, err)
	}
	if _, ok := contents(t, dir)["000"]; ok {
		t.Error("the entry of before is there, which is no longer true")
	}
}

// Thousands of entries in one save are read again in pieces.
func TestManyChangesInOneSave(t *testing.T) {
	dir := t.TempDir()
	s, at, o := Open(dir), map[string]logtail.Position{}, newOwner()
	for round := range 2 {
		at["a"] = logtail.Position{Stream: "s", Offset: int64(round)}
		for i := range 9000 {
			o.put(fmt.Sprint(i), strings.Repeat("x", 1000+round))
		}
		if _, err := s.Save(at, o); err != nil {
			t.Fatal(err)
		}
		if got, want := contents(t, dir), together(at, o); !cmp.Equal(got, want) {
			t.Errorf("round %d: got %d entries at %s, want %d at %s", round, len(got), got["at a"], len(want), want["at a"])
		}
	}
}

// The state of an earlier release has no journal.
func TestSnapshotWithoutAJournal(t *testing.T) {
	dir := t.TempDir()
	text := `{"version":1,"positions":[{"source":"a","stream":"s","offset":4}],"incidents":[{"id":"x","text":"opened"}]}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"at a": "s4", "x": "opened"}, contents(t, dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	goesOn(t, dir)
}
