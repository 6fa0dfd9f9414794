// Package journal follows units in the systemd journal by reading its files:
// without libsystemd, without journalctl, whatever version of systemd since 235
// wrote them. Start at [New]; the course of things is in follower.go.
//
// From the bottom up: header.go and object.go read the format, chain.go walks the
// entries of one match, so that the entries of others cost nothing, file.go puts
// the chains of one file together, and reader.go the files of a journal that scan.go
// finds: rotated, left behind unclean, in /var or in /run. Entries that journald has
// removed before they were read are counted by the numbers that are missing
// (place.go).
//
// Files are read with pread and never mapped: one that is truncated under a reader
// that has it mapped kills the process.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pullcause/logtail"
	"pullcause/logtail/hostroot"
	"pullcause/logtail/watch"
)

// DefaultPoll is how often the journal is looked at.
const DefaultPoll = time.Second

// Config says what to read and how.
type Config struct {
	// Roots are folders that hold the journals of machines, each in a folder named
	// by its machine id. They may appear later. See [Roots].
	Roots []string
	// Host is where the node's file system is mounted. Symlinks are followed below it.
	Host hostroot.Root
	// Machine is the id of the machine whose journal is read. If it is empty or there
	// is none of that name, all are.
	Machine string
	// Follow lists whose entries are handed over; see [Known].
	Follow []Candidate
	// Name of the source; "journal" if empty.
	Name string
	// Poll is how often to look without being woken; 0 means DefaultPoll. Where
	// inotify is at work, a quiet journal is looked at five times less often.
	Poll time.Duration
	// Lookback is how far to go back at the first start; less than 0 reads all.
	Lookback time.Duration
	// Filter, if not nil, finds the lines to hand over.
	Filter logtail.Filter
	// Start is where to go on, as reported to [logtail.Handler]; nil at the first start.
	Start *logtail.Position
	// Watcher makes new entries known at once; nil leaves it to Poll. journald itself
	// announces them up to 250 ms late.
	Watcher *watch.Watcher
	// Logger may be nil.
	Logger *slog.Logger
}

// Source follows a journal. It implements [logtail.Source]. The offsets of its
// positions are journald's numbers of entries.
type Source struct {
	cfg   Config
	start *logtail.Position // where the next Run begins

	mu       sync.Mutex
	status   logtail.Status
	behind   time.Time // since when there has been something unread; zero if nothing is
	findings findings
}

var _ logtail.Source = (*Source)(nil)

// New makes a source. It touches no file; an error means that cfg is wrong.
func New(cfg Config) (*Source, error) {
	if len(cfg.Roots) == 0 {
		return nil, errors.New("journal source: got no folder, want those that hold the journal, such as /var/log/journal")
	}
	if len(cfg.Follow) == 0 {
		return nil, errors.New("journal source: got no unit and no identifier, want those to follow")
	}
	if cfg.Poll < 0 {
		return nil, fmt.Errorf("journal source: got poll %s, want more than 0", cfg.Poll)
	}
	if cfg.Poll == 0 {
		cfg.Poll = DefaultPoll
	}
	if cfg.Name == "" {
		cfg.Name = "journal"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Source{cfg: cfg, start: cfg.Start}
	s.status = logtail.Status{
		Name: cfg.Name, Kind: "journal", Path: cfg.Roots[0],
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
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-timer.C:
		}
		f.turn(ctx)
		timer.Reset(f.delay(time.Now()))
	}
}

// Read reads all that is in a copied journal once: the files in the folders
// cfg.Roots or, one level below, in those of machine ids. It ignores Poll, Lookback
// and Start. The error says which files could not be read.
func Read(ctx context.Context, cfg Config, h logtail.Handler) error {
	cfg.Lookback, cfg.Start, cfg.Watcher = -1, nil, nil
	s, err := New(cfg)
	if err != nil {
		return err
	}
	f := newFollower(s, h)
	defer f.stop()
	f.reader.copied = true
	f.turn(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return f.failure()
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

// lag takes notice that entries since then are still to be read.
func (s *Source) lag(since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = since
}

// update changes the status.
func (s *Source) update(change func(*logtail.Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}
