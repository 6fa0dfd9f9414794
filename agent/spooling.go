package agent

import (
	"errors"
	"sync"

	"pullcause/agent/export"
	"pullcause/agent/export/spool"
)

// spooler is the spool of the state folder. The folder may be unusable, at the start or
// later; it is tried again with each record that is to be stored.
type spooler struct {
	cfg spool.Config

	mu   sync.Mutex
	open *spool.Spool // nil while it cannot be opened
	err  error        // why
}

// start opens what an earlier run has left, if it can.
func (s *spooler) start() {
	_, _ = s.get() //nolint:errcheck // kept in err, and tried again
}

func (s *spooler) get() (*spool.Spool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open, s.err = spool.Open(s.cfg)
	}
	return s.open, s.err
}

// opened is the spool if it is open, else nil.
func (s *spooler) opened() *spool.Spool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// Append implements [export.Store].
func (s *spooler) Append(records []export.Record, given int) error {
	open, err := s.get()
	if err != nil {
		return err
	}
	if err := open.Append(records, given); !errors.Is(err, spool.ErrDropped) {
		return err
	}
	return nil // it was told, and the others are stored
}

// Next implements [export.Store].
func (s *spooler) Next(records int, bytes int64, batch []export.Record) []export.Record {
	if open := s.opened(); open != nil {
		return open.Next(records, bytes, batch)
	}
	return batch
}

// Ack implements [export.Store].
func (s *spooler) Ack(n int) {
	if open := s.opened(); open != nil {
		open.Ack(n)
	}
}

// Waiting implements [export.Store].
func (s *spooler) Waiting() bool {
	open := s.opened()
	return open != nil && open.Waiting()
}

// status is what the spool tells of itself, as far as it could be opened.
func (s *spooler) status() spool.Status {
	s.mu.Lock()
	open, err := s.open, s.err
	s.mu.Unlock()
	if open != nil {
		return open.Status()
	}
	return spool.Status{MaxBytes: s.cfg.MaxBytes, Err: err.Error()}
}

func (s *spooler) close() error {
	if open := s.opened(); open != nil {
		return open.Close()
	}
	return nil
}
