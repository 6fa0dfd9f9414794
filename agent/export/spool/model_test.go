package spool_test

import (
	"math/rand/v2"
	"testing"

	"pullcause/agent/export"
	"pullcause/agent/export/spool"
)

// model does random things to a spool on a bad disk, and knows what must be in it.
type model struct {
	rng  *rand.Rand
	disk *memFS
	s    *spool.Spool
	lost lossLog
	n    int // the next record's number

	waiting []int        // stored and not acknowledged, oldest first
	maybe   map[int]bool // those of an Append that failed
	failing int          // per cent
}

// TestModel compares the spool with a slice.
func TestModel(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 50
	}
	for range rounds {
		seed := rand.Uint64()
		m := &model{rng: rand.New(rand.NewPCG(seed, 0)), disk: newMemFS(), maybe: map[int]bool{}}
		m.open(t)
		for range 150 {
			m.step(t)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

func (m *model) step(t *testing.T) {
	switch p := m.rng.IntN(100); {
	case p < 45:
		m.append()
	case p < 90:
		m.read(t)
	case p < 93:
		m.failing = []int{0, 0, 20, 100}[m.rng.IntN(4)]
	case p < 95:
		m.s.Close()
		m.crash(t, m.disk.killed())
	case p < 98:
		m.crash(t, m.disk.killed())
	default:
		m.crash(t, m.disk.unplugged(m.rng))
	}
}

func (m *model) append() {
	var batch []export.Record
	var numbers []int
	for range 1 + m.rng.IntN(4) {
		batch = append(batch, record(m.n))
		numbers = append(numbers, m.n)
		m.n++
	}
	if m.s.Append(batch, 0) == nil {
		m.waiting = append(m.waiting, numbers...)
		return
	}
	for _, n := range numbers {
		m.maybe[n] = true
	}
}

func (m *model) read(t *testing.T) {
	limit := 1 + m.rng.IntN(8)
	got := numbers(t, m.s.Next(limit, int64(m.rng.IntN(3000)), nil))
	if len(got) == 0 && len(m.waiting) > 0 {
		t.Errorf("got nothing, want %v", m.waiting)
		return
	}
	same(t, "records", got, append([]int{}, m.waiting[:len(got)]...))
	done := m.rng.IntN(len(got) + 1)
	m.s.Ack(done)
	m.waiting = m.waiting[done:]
}

// crash goes on with what is found on the disk.
func (m *model) crash(t *testing.T, disk *memFS) {
	m.disk, m.failing = disk, 0
	m.open(t)
	got := numbers(t, m.s.Next(10_000, 1<<40, nil))
	found(t, "after a crash", got, 0, 0, m.n)
	at := 0
	for _, n := range m.waiting {
		if m.maybe[n] {
			continue // an earlier recovery found it, but it was never promised to last
		}
		for at < len(got) && got[at] != n {
			at++
		}
		if at == len(got) {
			t.Logf("%+v", m.lost)
			t.Errorf("after a crash: got %v without %d, which was stored", got, n)
			return
		}
	}
	// What came again, and what an Append that failed left, waits now as well.
	m.waiting = got
}

func (m *model) open(t *testing.T) {
	m.disk.cut = func(size int) int { return m.rng.IntN(size + 1) }
	m.disk.fail = func(action, path string) error {
		if action == "open" || action == "read" || m.rng.IntN(100) >= m.failing {
			return nil
		}
		return diskErrors[m.rng.IntN(len(diskErrors))]
	}
	m.s = open(t, spool.Config{Dir: "spool", SegmentBytes: 1500, Files: m.disk, Lost: m.lost.add})
}
