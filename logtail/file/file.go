// Package file follows log files through every kind of rotation and resumes
// where it stopped. Start at [New]; the course of things is in follower.go.
//
// A [Source] keeps the file that it reads open, so a file that was renamed or
// removed is read to its end. It looks at the path once in a [Config].Poll; what
// it sees then is the truth. A [watch.Watcher] only makes it look sooner.
//
// Rotations that are followed: renamed and made anew (also several times between
// two looks, and while no one was reading, as long as the renamed files are in
// the same directory, plain or compressed with gzip), copied and truncated, removed and made
// anew, and a symlink that points elsewhere. What stood in a file that was removed
// or truncated while no one was reading, and is in no copy, is lost and counted.
package file

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/hostroot"
	"pullcause/logtail/watch"
)

// DefaultPoll is how often a file is looked at.
const DefaultPoll = time.Second

// Config says what to read and how.
type Config struct {
	// Path is the file. It and its directory may appear later. It may be a
	// symlink.
	Path string
	// Root is where the node's file system is mounted. Symlinks are followed below it.
	Root hostroot.Root
	// Program is put into each record; empty if lines of several are mixed.
	Program string
	// Name of the source; "file:" and Path if empty.
	Name string
	// Poll is how often to look without being woken; 0 means DefaultPoll. Where
	// inotify has proved to tell of all changes, a quiet file is looked at five times
	// less often.
	Poll time.Duration
	// Lookback is how far to go back, at the first start, in a file that is there
	// already; 0 starts at its end, less than 0 at its beginning.
	Lookback time.Duration
	// LineTime tells when a line was written. It finds where Lookback begins. If it
	// is nil or knows none of the lines, the file is read from its beginning if it
	// was written to within Lookback, else from its end.
	LineTime func(line []byte) (time.Time, bool)
	// Filter, if not nil, finds the lines to hand over.
	Filter logtail.Filter
	// Start is where to go on, as reported to [logtail.Handler]; nil at the first start.
	Start *logtail.Position
	// Scratch is a folder for what is unpacked of a rotated file that was compressed before
	// it was read; empty for the system's. What is there has no name, and is gone with the
	// process.
	Scratch string
	// Watcher makes new text known at once; nil leaves it to Poll.
	Watcher *watch.Watcher
	// Block is how many bytes are read at once, which is what a file costs while it has
	// something to read; 0 means 512 KiB.
	Block int
	// Folders is shared by sources in the same folders; nil if there are few.
	Folders *Folders
	// Logger may be nil.
	Logger *slog.Logger
}

// Source follows one path. It implements [logtail.Source].
type Source struct {
	cfg   Config
	start *logtail.Position // where the next Run begins

	mu     sync.Mutex
	status logtail.Status
	behind time.Time // since when there has been unread text; zero if none
}

var _ logtail.Source = (*Source)(nil)

// New makes a source. It touches no file; an error means that cfg is wrong.
func New(cfg Config) (*Source, error) {
	if cfg.Path == "" {
		return nil, errors.New("file source: got no path, want that of a log file")
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("file source %s: %w", cfg.Path, err)
	}
	if cfg.Poll < 0 {
		return nil, fmt.Errorf("file source %s: got poll %s, want more than 0", path, cfg.Poll)
	}
	cfg.Path = path
	if cfg.Poll == 0 {
		cfg.Poll = DefaultPoll
	}
	if cfg.Name == "" {
		cfg.Name = "file:" + path
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Block == 0 {
		cfg.Block = blockSize
	}
	if cfg.Block < minRoom {
		return nil, fmt.Errorf("file source %s: got blocks of %d bytes, want at least %d", path, cfg.Block, minRoom)
	}
	if cfg.Folders == nil {
		cfg.Folders = new(Folders)
	}
	s := &Source{cfg: cfg, start: cfg.Start}
	s.status = logtail.Status{
		Name: cfg.Name, Kind: "file", Program: cfg.Program, Path: path,
		State: logtail.StateStopped, Wake: logtail.WakePoll,
	}
	if cfg.Start != nil {
		s.status.Position = *cfg.Start
	}
	return s, nil
}

// Name implements [logtail.Source].
func (s *Source) Name() string { return s.cfg.Name }

// Run implements [logtail.Source]. Run again goes on where the last one stopped.
// It must not be called while another call of it is under way.
func (s *Source) Run(ctx context.Context, h logtail.Handler) error {
	f := newFollower(s, h)
	defer f.stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		woken := false
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake():
			woken = true
		case <-timer.C:
		}
		f.turn(ctx, woken)
		timer.Reset(f.delay())
	}
}

// Status implements [logtail.Source].
func (s *Source) Status() logtail.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	if !s.behind.IsZero() {
		st.Lag = time.Since(s.behind).Seconds()
	}
	return st
}

// update changes the status.
func (s *Source) update(change func(*logtail.Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

// passed takes a block into the status.
func (s *Source) passed(p logtail.Progress, behind int64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Position = p.Pos
	s.status.Lines += p.Lines
	s.status.Bytes += p.Bytes
	s.status.LastRead, s.status.LastTurn = now, now
	s.setBehind(behind, now)
}

func (s *Source) turned(behind int64, wake string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.LastTurn = now
	s.status.Wake = wake
	s.setBehind(behind, now)
}

func (s *Source) setBehind(behind int64, now time.Time) {
	s.status.Behind = max(behind, 0)
	switch {
	case behind <= 0:
		s.behind = time.Time{}
	case s.behind.IsZero():
		s.behind = now
	}
}
