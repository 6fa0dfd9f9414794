package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"pullcause/logtail"
	"pullcause/logtail/checkpoint"
)

const (
	// guardFile holds what [guardForm] says.
	guardFile = "reading.json"
	// maxUnguarded is the length of a record, in bytes, up to which reading it cannot cost
	// much. Only longer ones are noted, so an ordinary kill -9 costs no line.
	maxUnguarded = 8 << 10
	// maxSuspects bounds the records that are remembered, maxGuardFile the file, in bytes.
	maxSuspects  = 64
	maxGuardFile = 512 << 10
)

// crashGuard notes which long record is being read, so that no input ends the agent twice.
// The stored position lies before a record that ended the agent, so the next run reads it
// again: first only its beginning, and if that ends the agent too, not at all.
//
// The note is written without fsync: the page cache survives the death of the process, and
// a crash of the machine is not the record's fault.
type crashGuard struct {
	log *slog.Logger

	reading sync.Mutex // held while a long record is read: one at a time

	mu     sync.Mutex
	file   *os.File // nil if there is none
	failed bool     // to write, which was logged
	form   guardForm
}

type guardForm struct {
	Version int `json:"version"`
	// Reading is the record that is being read; nil if none is.
	Reading *suspect `json:"reading,omitempty"`
	// Suspects are records in which a run has ended, until the stored position is behind them.
	Suspects []suspect `json:"suspects,omitempty"`
}

// suspect is a record that may have ended the agent.
type suspect struct {
	Source string `json:"source"`
	Stream string `json:"stream"`
	Offset int64  `json:"offset"`
	// Ends is how many runs ended while it was being read.
	Ends int `json:"ends,omitempty"`
}

func suspectAt(p logtail.Position) suspect {
	return suspect{Source: p.Source, Stream: p.Stream, Offset: p.Offset}
}

func (s suspect) sameRecord(other suspect) bool {
	return s.Source == other.Source && s.Stream == other.Stream && s.Offset == other.Offset
}

// openCrashGuard reads what an earlier run noted in a folder. Without a folder, or if the
// file cannot be used, nothing is known of earlier runs.
func openCrashGuard(dir string, log *slog.Logger) *crashGuard {
	g := &crashGuard{log: log}
	if dir == "" {
		return g
	}
	path := filepath.Join(dir, guardFile)
	text, err := checkpoint.ReadFile(path, maxGuardFile)
	if err == nil && len(bytes.TrimSpace(text)) > 0 {
		// What stands behind the object is left of a longer one.
		err = json.NewDecoder(bytes.NewReader(text)).Decode(&g.form)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		g.file, err = checkpoint.OpenRegular(path, os.O_WRONLY|os.O_CREATE)
	}
	if err != nil {
		log.Warn("cannot use the note of the record that was read last; if a record ends the agent, it is read again", "file", path, "error", err)
		g.form = guardForm{}
	}
	g.suspect()
	return g
}

// suspect takes the record that was being read when the last run ended among the suspects.
func (g *crashGuard) suspect() {
	if r := g.form.Reading; r != nil {
		i := slices.IndexFunc(g.form.Suspects, r.sameRecord)
		if i < 0 {
			i = len(g.form.Suspects)
			g.form.Suspects = append(g.form.Suspects, *r)
		}
		g.form.Suspects[i].Ends++
		g.log.Warn("the agent ended while it read a long record; only its beginning is read now",
			"source", r.Source, "offset", r.Offset, "times", g.form.Suspects[i].Ends)
	}
	if n := len(g.form.Suspects) - maxSuspects; n > 0 {
		g.form.Suspects = slices.Delete(g.form.Suspects, 0, n)
	}
	g.form.Version, g.form.Reading = 1, nil
	g.write()
}

// write replaces what the file holds; the caller holds mu, or is alone.
func (g *crashGuard) write() {
	if g.file == nil {
		return
	}
	text, err := json.Marshal(g.form)
	if err == nil {
		_, err = g.file.WriteAt(append(text, '\n'), 0)
	}
	if err != nil && !g.failed {
		g.log.Warn("cannot note which record is being read; if a record ends the agent, it is read again", "error", err)
	}
	g.failed = err != nil
}

// ends is how many runs have ended while a record was being read.
func (g *crashGuard) ends(at logtail.Position) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.form.Suspects, suspectAt(at).sameRecord)
	if i < 0 {
		return 0
	}
	return g.form.Suspects[i].Ends
}

// read calls work on the long record at a place, with a note of it in the file.
func (g *crashGuard) read(at logtail.Position, work func()) {
	g.reading.Lock()
	defer g.reading.Unlock()
	record := suspectAt(at)
	g.note(&record)
	defer g.note(nil)
	work()
}

func (g *crashGuard) note(record *suspect) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.form.Reading = record
	g.write()
}

// stored forgets the suspects that lie before stored positions: they are not read again.
func (g *crashGuard) stored(positions map[string]logtail.Position) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := len(g.form.Suspects)
	g.form.Suspects = slices.DeleteFunc(g.form.Suspects, func(s suspect) bool {
		p, ok := positions[s.Source]
		return ok && p.Stream == s.Stream && p.Offset > s.Offset
	})
	if len(g.form.Suspects) != before {
		g.write()
	}
}

func (g *crashGuard) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.file == nil {
		return nil
	}
	f := g.file
	g.file = nil
	return f.Close()
}
