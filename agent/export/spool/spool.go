// Package spool keeps records on disk until the receiver has them: a bounded
// first-in-first-out queue that survives kill -9 and power loss. Start at [Spool].
//
// It is a folder of segments, files that only grow and are removed as a whole.
// A segment is named by the number of its first record, as in
// 00000000000000000001.jsonl, and holds a record a line: the CRC-32C of the
// JSON (8 hex digits), a blank, the length of the JSON in bytes, a blank, the
// JSON of an [export.Record], a line feed. To read what waits:
//
//	cut -d' ' -f3- *.jsonl | jq .
//
// The next segment's name says how many records of a segment were stored. What
// stands behind those is left of an Append that failed, and is passed over.
//
// Each [Spool.Append] is one write and one fsync, and one more of the folder if
// it began a segment; it returns nil only after both. Kernels forget, after an
// fsync that failed, which pages are not on the disk, so another one proves
// nothing: what was written is cut off and the next Append begins a new segment.
// Removals and acknowledgements are not synced, and where a segment is
// acknowledged in part that is not stored either: after a crash or a restart
// the rest of that segment, and after power loss perhaps more, comes again. So
// delivery is at least once; a record's UID tells that it is the same.
package spool

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Defaults of [Config].
const (
	DefaultMaxBytes     = 64 << 20
	DefaultSegmentBytes = 1 << 20
)

// Reasons of a [Loss].
const (
	// ReasonFull is that of records that went to keep to the bound.
	ReasonFull = "spool_full"
	// ReasonCorrupt is that of bytes that are no records.
	ReasonCorrupt = "spool_corrupt"
	// ReasonUnreadable is that of records that the disk does not give back.
	ReasonUnreadable = "spool_unreadable"
)

// ErrDropped is wrapped by what Append returns when a record can never be
// stored. Config.Lost is told, of one that counts as given only if it is not
// acknowledged; the others of that Append are stored. So nothing of it must be
// appended again.
var ErrDropped = errors.New("the record is dropped")

// ErrClosed is what Append returns after Close.
var ErrClosed = errors.New("write spool: it is closed")

// Config says where a spool is and how large it gets.
type Config struct {
	// Dir is made if need be, mode 0700. No other process may use it.
	Dir string
	// MaxBytes bounds the segments together; 0 means DefaultMaxBytes.
	MaxBytes int64
	// SegmentBytes is the size at which a new segment begins, at most a quarter
	// of MaxBytes; 0 means DefaultSegmentBytes.
	SegmentBytes int64
	// Files is nil but in tests.
	Files FS
	// Lost is told of each loss, with no lock held, by the goroutine that met
	// with it; it may be nil.
	Lost func(Loss)
}

// Loss is that of records. What is lost in a segment is told once by each
// process that opens the spool, until the segment is gone.
type Loss struct {
	Reason string
	// Records is how many there were, as far as that is known.
	Records int64
	Bytes   int64
	// Detail is a sentence for people.
	Detail string
}

// Spool is a queue of records on disk. One goroutine may append while another
// reads; neither waits for the other's disk.
type Spool struct {
	cfg Config

	// writing is held by one Append at a time; mu is not while it syncs.
	writing sync.Mutex
	coder   coder
	// leftover says that a file of the next segment's name may be there, which
	// holds nothing that is stored.
	leftover bool

	// reading is held by one Next at a time; mu is not while it reads.
	reading sync.Mutex
	decoder decoder
	buf     []byte

	mu       sync.Mutex
	segments []*segment // oldest first
	active   *segment   // of segments, written to through file; nil if the next Append begins one
	file     File
	busy     *segment // what an Append writes to; it must not be removed
	next     int64    // number of the next record
	size     int64    // of all segments
	given    []mark   // what Next gave, or counts as given, and was not acknowledged
	closed   bool
	appends  int64
	syncs    int64
	errs     [3]error // the last one of each action; nil once that works again
}

// Actions whose errors are kept.
const (
	write = iota
	read
	remove
)

// Open recovers what an earlier process left. It fails only if the folder cannot
// be made or listed, or no more files can be opened: call it again later.
func Open(cfg Config) (*Spool, error) {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.SegmentBytes <= 0 {
		cfg.SegmentBytes = DefaultSegmentBytes
	}
	cfg.SegmentBytes = min(cfg.SegmentBytes, max(cfg.MaxBytes/4, 1))
	if cfg.Files == nil {
		cfg.Files = disk{}
	}
	s := &Spool{cfg: cfg}
	losses, err := s.recover()
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s.tell(losses)
	return s, nil
}

// Close lets go of the files. What was appended is stored already.
func (s *Spool) Close() error {
	s.writing.Lock()
	s.mu.Lock()
	s.closed = true
	losses, err := s.takeBack(), s.seal()
	s.mu.Unlock()
	s.writing.Unlock()
	s.tell(losses)
	if err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

// Status is what /debug tells of a spool.
type Status struct {
	Records  int64 `json:"records"`
	Bytes    int64 `json:"bytes"`
	MaxBytes int64 `json:"max_bytes"`
	Segments int   `json:"segments"`
	// Oldest is the time of the oldest record, or of one a little older.
	Oldest time.Time `json:"oldest,omitzero"`
	// Err is what does not work at present.
	Err     string `json:"err,omitempty"`
	Appends int64  `json:"appends"`
	Syncs   int64  `json:"syncs"`
}

// Status may be called at any time from any goroutine.
func (s *Spool) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{
		Bytes:    s.size,
		MaxBytes: s.cfg.MaxBytes,
		Segments: len(s.segments),
		Appends:  s.appends,
		Syncs:    s.syncs,
	}
	for _, seg := range s.segments {
		if st.Records == 0 && seg.records > 0 {
			st.Oldest = seg.oldest
		}
		st.Records += seg.records
	}
	var texts []string
	for _, err := range s.errs {
		if err != nil {
			texts = append(texts, err.Error())
		}
	}
	st.Err = strings.Join(texts, "; ")
	return st
}

func (s *Spool) tell(losses []Loss) {
	if s.cfg.Lost == nil {
		return
	}
	for _, l := range losses {
		s.cfg.Lost(l)
	}
}

// Waiting reports whether there are records that are not acknowledged, also where Next
// gives none because the process lacks memory or file descriptors.
func (s *Spool) Waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments {
		if seg.records > 0 {
			return true
		}
	}
	return false
}
