package file

import (
	"os"
	"testing"

	"pullcause/logtail/hostroot"
	"pullcause/logtail/logtailtest"
)

// pack has a rotated file look as if it was compressed: as gzip does it, which keeps its
// time, or as lumberjack, which does not.
func (r *rig) pack(name string, keep bool) {
	s, err := statPath(hostroot.Root{}, name)
	r.must(err)
	r.must(os.WriteFile(name+".gz", []byte("compressed"), 0o600))
	if keep {
		r.must(os.Chtimes(name+".gz", s.mtime, s.mtime))
	}
	r.must(os.Remove(name))
}

// What is rotated and compressed before it was looked at cannot be read, and is counted.
func TestCompressedBetweenTurns(t *testing.T) {
	for name, c := range map[string]struct {
		rotate func(*rig) // of lines 2 to 4 in one file, and 5 in the last
		lines  []string
		losses []string
	}{
		"the middle one": {func(r *rig) {
			logtailtest.RenameCreate(r.t, r.file)
			r.write(text(2, 3))
			r.pack(logtailtest.RenameCreate(r.t, r.file), true)
		}, append(lines(0, 2), line(5)), []string{"rotation 1 0"}},
		"the middle one, by lumberjack": {func(r *rig) {
			logtailtest.RenameCreate(r.t, r.file)
			r.write(text(2, 3))
			r.pack(logtailtest.RenameCreate(r.t, r.file), false)
		}, append(lines(0, 2), line(5)), []string{"rotation 1 0"}},
		"both": {func(r *rig) {
			first := logtailtest.RenameCreate(r.t, r.file)
			r.write(text(2, 3))
			r.pack(logtailtest.RenameCreate(r.t, r.file), true)
			r.pack(first, true)
		}, append(lines(0, 2), line(5)), []string{"rotation 1 0"}},
		"the first, which is open": {func(r *rig) {
			r.write(text(2, 3))
			r.pack(logtailtest.RenameCreate(r.t, r.file), true)
		}, lines(0, 6), nil},
		"the first, by lumberjack": {func(r *rig) {
			r.write(text(2, 3))
			r.pack(logtailtest.RenameCreate(r.t, r.file), false)
		}, lines(0, 6), nil},
		"the first, not done yet": {func(r *rig) {
			r.write(text(2, 3))
			r.must(os.WriteFile(logtailtest.RenameCreate(r.t, r.file)+".gz", nil, 0o600))
		}, lines(0, 6), nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.write(text(0, 2))
				r.start()
				c.rotate(r)
				r.write(text(5, 1))
				r.turn(3)
				r.expect(c.lines...)
				r.expectLosses(c.losses...)
			})
		})
	}
}
