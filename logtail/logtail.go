// Package logtail holds the nouns of reading logs: what a source is, what it
// hands over and what it promises. Start at [Source] and [Handler].
//
// The readers live below: file follows log files, journal the systemd journal;
// checkpoint keeps positions durable. This package imports nothing of them.
package logtail

import (
	"context"
	"time"
)

// MaxLine is the longest line, in bytes, that a source hands over. The rest of
// a longer one is skipped and counted as [LostLineTooLong].
const MaxLine = 1 << 20

// MaxSilence is how long the next line of a record of several lines is waited for. A
// program writes all of them at once; if it is killed in between, they never come.
const MaxSilence = 5 * time.Second

// Position is a place in one source that can be stored and returned to.
type Position struct {
	// Source is the name of the source, as in [Status].
	Source string `json:"source"`
	// Stream identifies what Offset counts in: one file (whatever its name is
	// now) or one journal sequence. The source made it and alone understands it.
	Stream string `json:"stream"`
	// Offset is a number of bytes from the start of a file, or a sequence number.
	Offset int64 `json:"offset"`
	// Hint helps the source to find the stream again after a restart (a file's
	// device and inode). It is no part of what identifies the place.
	Hint string `json:"hint,omitempty"`
	// Generation numbers the streams of a source in the order in which this
	// process read them. It orders positions within one run and is not stored.
	Generation uint64 `json:"-"`
}

// Before reports whether p comes before q in the same source and run.
func (p Position) Before(q Position) bool {
	if p.Generation != q.Generation {
		return p.Generation < q.Generation
	}
	return p.Offset < q.Offset
}

// Span is a stretch of one source, from the beginning of its first record to
// the end of its last.
type Span struct {
	First, Last Position
}

// Spans are stretches of several sources, one of each.
type Spans []Span

// With returns the spans that cover t too. It may change s.
func (s Spans) With(t Span) Spans {
	for i := range s {
		if s[i].First.Source != t.First.Source {
			continue
		}
		if t.First.Before(s[i].First) {
			s[i].First = t.First
		}
		if s[i].Last.Before(t.Last) {
			s[i].Last = t.Last
		}
		return s
	}
	return append(s, t)
}

// Record is one line (or journal entry) as its writer made it.
type Record struct {
	Source string
	// Program is who wrote it ("containerd", "kubelet", "crio", "dockerd") if
	// the source knows; empty where the line itself has to tell.
	Program string
	// Time is when the log system stamped the record; zero for files, whose
	// lines carry their own time.
	Time time.Time
	// Observed is when the source read it.
	Observed time.Time
	// Body is the text without its newline. It is valid until Handle returns.
	Body []byte
	// Truncated is set when Body was cut at [MaxLine].
	Truncated bool
	// Writer tells apart the processes whose lines are mixed in one source; empty
	// where the source does not know them.
	Writer string
	// Broken is set when the log system broke a line: the writer's next record goes
	// on with it, without a newline between the two.
	Broken bool
	// Pos is where the record begins, End the place behind it.
	Pos, End Position
}

// Filter finds the next place in a block of whole lines that is worth a look:
// the index of any byte of that line, or -1. A source that is given one hands
// over only the lines so found, and so never cuts the noise between them.
type Filter func(block []byte) int

// Progress says how far a source has come.
type Progress struct {
	// Pos is a place before which everything has been handed over.
	Pos Position
	// Lines and Bytes were passed since the last Progress, handed over or not.
	Lines, Bytes int64
	// Time is when the last line passed was written; zero if the source does not know.
	Time time.Time
}

// The reasons of a [Loss]; each is a value of the metric label "reason".
const (
	LostLineTooLong   = "line_too_long"    // the rest of a line beyond MaxLine; Bytes
	LostRotation      = "rotation"         // a file was removed, truncated or compressed before it was read to its end, or written to once it had been left; Bytes if known
	LostBinary        = "binary"           // a run of NUL bytes; Bytes
	LostPosition      = "position"         // a stored position fits no file any more
	LostRecordTooLong = "record_too_long"  // the rest of a record of several lines; Bytes
	LostFailures      = "failures_in_line" // failures that one line reports beyond the first 1,000: Count
	LostSkipped       = "record_skipped"   // a record in which an earlier run of the agent ended, or that made reading fail: all beyond its first 8 KiB, or all of it; Bytes

	LostVacuumed    = "journal_vacuumed"    // journald removed entries, of any unit, before they were read: at most Count
	LostCorrupt     = "journal_corrupt"     // an entry, or what leads to some, that cannot be read
	LostUnsupported = "journal_unsupported" // a journal file of a newer format
	LostSuppressed  = "journal_suppressed"  // journald dropped entries of a unit that wrote too many: Count
)

// Loss is something that was not, or could not be, handed over.
type Loss struct {
	Source, Reason string
	// Count is how many times it happened, Bytes how much is gone; 0 if unknown.
	Count, Bytes int64
	// Unit is the systemd unit whose lines they were, if it is known.
	Unit string
	// Detail is a sentence for people: what happened and what to do.
	Detail string
}

// Handler receives what a source reads. A source calls it from one goroutine
// at a time; several sources may call at once.
type Handler interface {
	// Handle takes one record. It reports whether the record is unfinished: the
	// source then hands over the line of the same Writer that follows within
	// [MaxSilence] too, whatever its Filter says.
	Handle(Record) (more bool)
	// Progress is called after each block, also where nothing was handed over. While
	// a record is unfinished a source of several writers calls it too when it looked
	// and found nothing.
	Progress(Progress)
	// Lost is called for each loss.
	Lost(Loss)
}

// Source follows one log. It degrades and retries instead of giving up: what
// is wrong is in its Status, never in a crash.
type Source interface {
	// Name is stable over restarts and unique in an agent: "file:/var/log/x.log".
	Name() string
	// Run reads until ctx ends and then returns nil once no call to the handler
	// is under way. Any other error means that the source cannot be used at all
	// (wrong configuration).
	Run(ctx context.Context, h Handler) error
	// Status may be called at any time from any goroutine.
	Status() Status
}

// Stretch is how many polls become one in a source that learns of new text at once, when
// nothing has happened for a while. So long its loop may rest.
const Stretch = 5

// The states of a source.
const (
	StateWaiting = "waiting" // nothing there yet, or not readable; see Error
	StateReading = "reading"
	StateStopped = "stopped"
)

// How a source learns of new text.
const (
	WakeInotify = "inotify" // at once; the poll stays as a second look
	WakePoll    = "poll"    // only when it looks
)

// Status is what a source tells about itself on /debug/sources.
type Status struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"` // file or journal
	Program string `json:"program,omitempty"`
	Path    string `json:"path"`
	State   string `json:"state"`
	// Error says why nothing is read, and what to do; empty when all is well.
	Error string `json:"error,omitempty"`
	// Problems are what cannot be read while the rest is.
	Problems []string `json:"problems,omitempty"`
	// Position is the place before which all has been handed over.
	Position  Position  `json:"position"`
	Lines     int64     `json:"lines"`
	Bytes     int64     `json:"bytes"`
	Behind    int64     `json:"behind_bytes"`
	Rotations int64     `json:"rotations"`
	LastRead  time.Time `json:"last_read,omitzero"` // when something was read last
	LastTurn  time.Time `json:"last_turn,omitzero"` // when the loop turned last
	// LastLine is when the last line that was read was written, as the line itself or
	// the journal says; zero if neither does.
	LastLine time.Time `json:"last_line,omitzero"`
	// Lag is for how long there has been unread text, in seconds.
	Lag float64 `json:"lag_seconds"`
	// Wake is how the source learns of new text: inotify or poll.
	Wake string `json:"wake,omitempty"`
}

// Candidate is a place where a runtime or kubelet may log, and what was found there.
type Candidate struct {
	Kind         string `json:"kind"` // file, folder, unit or identifier
	Name         string `json:"name"`
	Program      string `json:"program,omitempty"`
	Distribution string `json:"distribution,omitempty"`
	Found        bool   `json:"found"`
	// Detail says what was found, or why nothing is read there.
	Detail string `json:"detail"`
}
