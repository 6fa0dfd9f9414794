package journal

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/journal/journaltest"
)

// What journald may do in the middle of a look, one thing at a time. Each of these was
// seen to happen under rotation every second.

// rig is a journal and a reader of it whose turns are taken apart.
type rig struct {
	*reader

	t      *testing.T
	daemon *journaltest.Daemon
	dir    string // that holds the files
	losses []logtail.Loss
}

func newRig(t *testing.T) *rig {
	t.Helper()
	d := startDaemon(t, journaltest.Options{Systemd: host(t)})
	r := &rig{t: t, daemon: d, dir: filepath.Join(d.Journal(), d.MachineID())}
	matches := []match{newMatch("_SYSTEMD_UNIT", containerd.Unit), newMatch("_SYSTEMD_UNIT", kubelet.Unit)}
	r.reader = newReader(roots{dirs: []string{d.Journal()}, machine: d.MachineID()}, matches, func(l logtail.Loss) { r.losses = append(r.losses, l) })
	t.Cleanup(r.close)
	return r
}

// write has a unit write lines and waits until they are stored.
func (r *rig) write(unit string, lines ...string) {
	r.t.Helper()
	w, err := r.daemon.Writer(context.WithoutCancel(r.t.Context()), "x", unit)
	must(r.t, err)
	_, err = io.WriteString(w, strings.Join(lines, "\n")+"\n")
	must(r.t, err)
	must(r.t, w.Close())
}

// all reads what can be read without another look.
func (r *rig) all() (got []string) {
	r.t.Helper()
	var v values
	for f := r.next(); f != nil; f = r.next() {
		must(r.t, f.readValues(&v))
		got = append(got, string(v.message))
		r.advance(f)
	}
	return got
}

// startBehind has reading begin behind the first entries, as after a restart.
func (r *rig) startBehind(next uint64) {
	first := r.files[0].head.sequence
	origin := cursor{sequence: first, next: next}
	r.origin, r.ends[first] = &origin, end{next: next}
}

// vacuum has the archived files removed, as journald does it (systemd v257,
// vacuum_directory).
func (r *rig) vacuum() {
	r.t.Helper()
	archived, err := filepath.Glob(filepath.Join(r.dir, "system@*.journal"))
	if err != nil || len(archived) == 0 {
		r.t.Fatalf("got archived files %v, %v, want some", archived, err)
	}
	for _, path := range archived {
		editor(r.t, path)(0, make([]byte, 4096))
		must(r.t, os.Remove(path))
	}
}

func (r *rig) expect(got, want []string) {
	r.t.Helper()
	if !slices.Equal(got, want) {
		r.t.Errorf("got %q, want %q", got, want)
	}
	if len(r.losses) > 0 {
		r.t.Errorf("got losses %+v, want none", r.losses)
	}
}

// expectLoss checks how many entries are told to be lost, all of them to a vacuum. own
// is how many more there may be of journald's own.
func (r *rig) expectLoss(want, own int64) {
	r.t.Helper()
	var got int64
	for _, l := range r.losses {
		if got += l.Count; l.Reason != logtail.LostVacuumed {
			r.t.Errorf("got %+v, want no loss but to a vacuum", l)
		}
	}
	if got < want || got > want+own {
		r.t.Errorf("%d entries are told to be lost, want %d and up to %d: %+v", got, want, own, r.losses)
	}
}

// journald archives the file, and cuts off what it does not need, after its entries
// were counted and before the last ones are read.
func TestFileShrinks(t *testing.T) {
	r := newRig(t)
	r.write(containerd.Unit, numbered(0, 100)...)
	r.refresh(time.Now())
	must(t, r.daemon.Rotate(t.Context()))
	got := r.all()
	r.refresh(time.Now())
	r.expect(append(got, r.all()...), numbered(0, 100))
}

// journald makes the file longer, as it does with a new one at once, after it was
// asked how long it is.
func TestFileGrows(t *testing.T) {
	r := newRig(t)
	r.write(containerd.Unit, numbered(0, 10)...)
	f, err := os.Open(filepath.Join(r.dir, "system.journal"))
	must(t, err)
	info, err := f.Stat()
	must(t, err)
	for size := int64(headerSize); size < info.Size(); size *= 4 {
		asked := 0
		growing := func() (int64, error) {
			if asked++; asked == 1 {
				return size, nil
			}
			return info.Size(), nil
		}
		g := newFile(f, growing, r.matches, &r.codecs)
		_, err = g.readHeader()
		must(t, err)
		if errs := g.count(); len(errs) > 0 {
			t.Errorf("%d bytes long at first: got %v", size, errs)
		}
		for range 10 {
			if ok, errs := g.peek(); !ok || len(errs) > 0 {
				t.Fatalf("%d bytes long at first: got %v, %v, want ten entries", size, ok, errs)
			}
			g.advance()
		}
	}
	must(t, f.Close())
}

// journald writes two entries of two units after the first unit's were counted and
// before the second's are.
func TestUnitsAreCountedInTurn(t *testing.T) {
	r := newRig(t)
	r.write(containerd.Unit, "a0")
	r.write(kubelet.Unit, "b0")
	r.refresh(time.Now())
	r.expect(r.all(), []string{"a0", "b0"})
	f := r.files[0]
	_, err := f.readHeader()
	must(t, err)
	must(t, f.countOne(f.chains[0], r.matches[0].payload))
	r.write(containerd.Unit, "a1")
	r.write(kubelet.Unit, "b1")
	must(t, f.countOne(f.chains[1], r.matches[1].payload))
	got := r.all()
	r.refresh(time.Now())
	r.expect(append(got, r.all()...), []string{"a1", "b1"})
}

// journald writes the first entry of a new file after the files were put into their
// order and before it is looked at again.
func TestNewFileIsTheNewest(t *testing.T) {
	r := newRig(t)
	r.write(containerd.Unit, numbered(0, 100)...)
	must(t, r.daemon.Rotate(t.Context()))
	r.write(containerd.Unit, numbered(100, 10)...)
	must(t, r.daemon.Stop())

	edit := editor(t, filepath.Join(r.dir, "system.journal"))
	f, err := os.Open(filepath.Join(r.dir, "system.journal"))
	must(t, err)
	defer f.Close()
	var numbers [48]byte // of entries, first and last entry, their array, their times
	_, err = f.ReadAt(numbers[:], 152)
	must(t, err)
	edit(152, make([]byte, len(numbers)))
	r.scan()
	if got := filepath.Base(r.files[len(r.files)-1].path); got != "system.journal" {
		t.Errorf("the newest file is %s, want the one without an entry", got)
	}
	r.startBehind(5)
	edit(152, numbers[:])
	r.updateAll()
	r.account()
	if len(r.losses) > 0 {
		t.Errorf("got losses %+v, want none", r.losses)
	}
}

// journald renames its file and makes another while the folder is listed: the
// renamed one is in no list.
func TestTornList(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		r.write(containerd.Unit, numbered(100*i, 100)...)
		must(t, r.daemon.Rotate(t.Context()))
	}
	torn := true
	r.list = func() ([]found, []problem) {
		files, problems := r.roots.list()
		if torn {
			torn = false
			slices.SortFunc(files, func(a, b found) int { return strings.Compare(a.path, b.path) })
			files = slices.Delete(files, 2, 3) // system.journal, then the archived ones by age
		}
		return files, problems
	}
	r.scan()
	r.startBehind(2)
	torn = true
	r.files = nil
	r.refresh(time.Now())
	got := r.all()
	if len(got) != 300 && len(got) != 299 {
		t.Errorf("got %d lines, want all but those before the start", len(got))
	}
	r.expect(got, numbered(300-len(got), len(got)))
}

// journald removes files before the next look: each entry that was not read is lost
// once, be it that its file's header told of it or not, and none that was read is.
func TestVacuumBetweenLooks(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(*rig)
		want, own int64
	}{
		"all was read": {func(r *rig) { r.updateAll(); r.expect(r.all(), numbered(0, 100)) }, 0, 0},
		"not read":     {func(r *rig) { r.updateAll() }, 100, 0},
		"not known of": {func(*rig) {}, 100, 0},
		"the middle one as it was opened": {func(r *rig) {
			must(r.t, r.daemon.Rotate(r.t.Context()))
			r.vacuum()
			r.write(containerd.Unit, numbered(100, 10)...)
			must(r.t, r.daemon.Rotate(r.t.Context()))
			r.write(containerd.Unit, numbered(110, 10)...)
			r.scan()
			r.vacuum()
			r.updateAll()
			r.account()
			r.all()
		}, 110, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.write(containerd.Unit, "the first")
			r.refresh(time.Now())
			r.expect(r.all(), []string{"the first"})
			r.write(containerd.Unit, numbered(0, 100)...)
			c.meanwhile(r)
			must(t, r.daemon.Rotate(t.Context()))
			r.vacuum()
			r.write(containerd.Unit, "the end")
			r.refresh(time.Now())
			if got := r.all(); !slices.Equal(got, []string{"the end"}) {
				t.Errorf("got %q, want only the line after the vacuum", got)
			}
			r.expectLoss(c.want, c.own)
		})
	}
}
