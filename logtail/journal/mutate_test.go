package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"pullcause/logtail"
)

const (
	// mutatedFiles is how many files are damaged, a tenth of it with -short or under
	// the race detector, which has nothing to find here and takes ten times as long.
	mutatedFiles = 2000
	// mutatedTime and mutatedMemory bound what it takes to read one: the memory is
	// all that is allocated beyond what the undamaged file needs, so that what is held
	// at once is less.
	mutatedTime   = time.Second
	mutatedMemory = 64 << 20
)

// TestMutatedFiles damages real files in all ways that come to mind. It fails where
// the reader trusts a number in a file: it panics, goes round in a circle, reserves
// what a file claims to need; and where damage makes entries vanish, or be other
// ones, and nobody is told.
func TestMutatedFiles(t *testing.T) {
	files, limit := mutatedFiles, mutatedTime
	if testing.Short() || underRace() {
		files /= 10
	}
	if underRace() {
		limit *= 5
	}
	samples, bombs := make([]*sample, 0, len(fixtures)), bombs()
	for _, name := range fixtures {
		s := newSample(t, name)
		s.bombs = bombs
		samples = append(samples, s)
	}
	path := filepath.Join(t.TempDir(), "mutated.journal")
	for i, d := range damages() {
		t.Run(d.name, func(t *testing.T) {
			sum := toll{limit: limit}
			for n := range (files + len(damages()) - 1) / len(damages()) {
				r := rand.New(rand.NewPCG(uint64(i), uint64(n)))
				s := samples[n%len(samples)]
				b := d.do(&mutation{r, s, bytes.Clone(s.bytes)})
				sum.add(t, &d, s, fmt.Sprintf("number %d, of %s", n, s.name), measure(t, path, b))
			}
			t.Log(sum.String())
		})
	}
}

func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// sample is a file to damage.
type sample struct {
	name    string
	bytes   []byte // without the room for more at its end
	header  header
	objects []object
	clean   result
	lines   map[string]bool // of clean
	bombs   []bomb
}

// object is one of a sample's.
type object struct {
	off, size  uint64
	typ, codec uint8
}

func newSample(t *testing.T, name string) *sample {
	t.Helper()
	s := &sample{name: name, bytes: readFixture(t, name), lines: make(map[string]bool)}
	var err error
	if s.header, err = parseHeader(s.bytes); err != nil {
		t.Fatal(err)
	}
	u64 := func(at uint64) uint64 { return binary.LittleEndian.Uint64(s.bytes[at:]) }
	const headerBytes, tailObject = 88, 136 // where the header says so
	end := u64(headerBytes)
	for end <= u64(tailObject) {
		o := object{end, u64(end + 8), s.bytes[end], s.bytes[end+1]}
		s.objects = append(s.objects, o)
		end += (o.size + 7) &^ 7
	}
	s.bytes = s.bytes[:end:end]
	s.clean = measure(t, filepath.Join(t.TempDir(), "clean.journal"), s.bytes)
	for _, l := range s.clean.lines {
		s.lines[l] = true
	}
	if len(s.clean.losses) > 0 || len(s.lines) == 0 {
		t.Fatalf("%s: got %d entries and losses %v, want some and none", name, len(s.lines), s.clean.losses)
	}
	return s
}

// result is what came of reading a file.
type result struct {
	lines  []string
	losses []logtail.Loss
	took   time.Duration
	memory uint64
}

// measure reads a file of the given content. It is the only thing that the process
// does meanwhile: the test is not parallel, and those that are wait for it.
func measure(t *testing.T, path string, content []byte) (r result) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	r.lines, r.losses = readLines(filepath.Dir(path))
	r.took = time.Since(begin)
	runtime.ReadMemStats(&after)
	r.memory = after.TotalAlloc - before.TotalAlloc
	return r
}

// unnoticed tells of entries that were lost or made up, without a loss that is
// counted; empty if there are none.
func (s *sample) unnoticed(r result) string {
	if len(r.losses) > 0 {
		return ""
	}
	for _, l := range r.lines {
		// Of a longer text there is only the beginning, which no sum covers; it is
		// handed over as one that was cut.
		if !s.lines[l] && !strings.Contains(l, fmt.Sprintf(" %d ", logtail.MaxLine)) {
			return "this entry is not one of the file's: " + l
		}
	}
	if len(r.lines) != len(s.clean.lines) {
		return fmt.Sprintf("%d of %d entries were read", len(r.lines), len(s.clean.lines))
	}
	return ""
}

// toll sums up the files of one kind.
type toll struct {
	limit                  time.Duration
	files, counted, silent int
	time                   time.Duration // the longest
	memory                 uint64        // the most beyond what the undamaged file needs
}

func (c *toll) String() string {
	return fmt.Sprintf("%d files: %d with losses counted, %d with others; at most %s and %d KiB beyond the undamaged file's",
		c.files, c.counted, c.silent, c.time.Round(100*time.Microsecond), c.memory>>10)
}

func (c *toll) add(t *testing.T, d *damage, s *sample, which string, r result) {
	t.Helper()
	more := r.memory - min(r.memory, s.clean.memory)
	c.files++
	c.time, c.memory = max(c.time, r.took), max(c.memory, more)
	if len(r.losses) > 0 {
		c.counted++
	}
	if r.took > c.limit {
		t.Errorf("%s: it took %s to read, want at most %s", which, r.took, c.limit)
	}
	if more > mutatedMemory {
		t.Errorf("%s: it took %d KiB to read, want at most %d beyond the %d KiB of the undamaged file", which, r.memory>>10, mutatedMemory>>10, s.clean.memory>>10)
	}
	if why := s.unnoticed(r); why != "" {
		c.silent++
		if d.silent == "" {
			t.Errorf("%s: no loss was counted, but %s", which, why)
		}
	}
}
