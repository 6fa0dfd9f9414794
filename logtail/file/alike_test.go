package file

import (
	"os"
	"slices"
	"strings"
	"testing"

	"pullcause/logtail/hostroot"
	"pullcause/logtail/logtailtest"
)

// What a kubelet with flags that are deprecated writes first, each time it starts: without
// a time, and more than the head that files are told apart by (Kubernetes v1.34
// cmd/kubelet/app/options/options.go, spf13/pflag flag.go).
const alike = `Flag --container-runtime-endpoint has been deprecated, This parameter should be set via the config file specified by the Kubelet's --config flag. See https://kubernetes.io/docs/tasks/administer-cluster/kubelet-config-file/ for more information.
Flag --pod-infra-container-image has been deprecated, will be removed in a future release. Image garbage collector will get sandbox image information from CRI.
`

// expectAlike checks all lines so far of files that begin alike: one with five lines and
// others with twenty each.
func (r *rig) expectAlike(others int) {
	r.t.Helper()
	head := strings.Split(strings.TrimSuffix(alike, "\n"), "\n")
	want := append(slices.Clone(head), lines(0, 5)...)
	for i := range others {
		want = append(append(want, head...), lines(100*(i+1), 20)...)
	}
	r.expect(want...)
}

func (r *rig) writeAlike(i int) { r.write(alike + text(100*i, 20)) }

// Files that begin alike are no copies of one another.
func TestFilesThatBeginAlike(t *testing.T) {
	for name, rotate := range map[string]struct {
		do     func(*rig)
		others int
	}{
		"renamed": {func(r *rig) {
			logtailtest.RenameCreate(r.t, r.file)
			r.writeAlike(1)
		}, 1},
		"renamed twice": {func(r *rig) {
			logtailtest.RenameCreate(r.t, r.file)
			r.writeAlike(1)
			logtailtest.RenameCreate(r.t, r.file)
			r.writeAlike(2)
		}, 2},
		"removed": {func(r *rig) {
			r.must(os.Remove(r.file))
			r.writeAlike(1)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.write(alike + text(0, 5))
				r.start()
				rotate.do(r)
				r.turn(3)
				r.expectAlike(rotate.others)
				r.expectLosses()
			})
		})
	}
}

// The inode of a file that was removed is used for the next one, which begins alike and is
// longer: it is not read from the middle.
func TestResumeFileThatBeginsAlike(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.write(alike + text(0, 5))
		r.start()
		r.stop()
		at := *r.Position()
		r.must(os.Remove(r.file))
		r.writeAlike(1)
		s, err := openStream(hostroot.Root{}, r.file)
		r.must(err)
		h := parseHint(at.Hint)
		h.id, h.born = s.id, 0 // on a file system that does not tell when a file was made
		at.Hint = h.String()
		s.close()
		r.start(func(c *Config) { c.Start = &at })
		r.turn(2)
		r.expectAlike(1)
		r.expectLosses("position 1 0")
	})
}

func TestPlaceKnowsWhenItsFileWasMade(t *testing.T) {
	id := fileID{dev: 1, ino: 2}
	for _, c := range []struct {
		was, is int64
		want    bool
	}{{7, 7, true}, {7, 8, false}, {0, 8, true}, {7, 0, true}} {
		p := place{hint: hint{id: id, born: c.was}}
		if got := p.maybe(&stream{id: id, born: c.is}); got != c.want {
			t.Errorf("a file made at %d in the place of one made at %d: got %t, want %t", c.is, c.was, got, c.want)
		}
	}
}

// What other versions stored: the first hints had no tail, later ones may know more.
func TestResumeAtHintOfAnotherVersion(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"no tail": func(h string) string { return strings.Join(strings.Split(h, "-")[:4], "-") },
		"none":    func(string) string { return "" },
		"more":    func(h string) string { return h + "-0" },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.write(text(0, 4))
				r.start()
				r.stop()
				at := *r.Position()
				at.Hint = change(at.Hint)
				r.write(text(4, 1))
				r.start(func(c *Config) { c.Start = &at })
				r.expect(lines(0, 5)...)
				r.expectLosses()
			})
		})
	}
}
