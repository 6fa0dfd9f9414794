package checkpoint

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"pullcause/logtail"
)

// chunk is how much of a journal is written, or read, before it counts, in bytes.
const chunk = 256 << 10

// maxFrame bounds one line of a journal: an entry, or positions.
const maxFrame = maxPositions

// frameHead is the length of a line's head: checksum and length, in hex.
const frameHead = len("00000000 00000000 ")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errJournalFull says that a snapshot must take the place of a journal.
var errJournalFull = errors.New("the journal is full")

// frame is one line of a journal. The first one names the journal. What the lines up to
// one with End say counts once that is there.
type frame struct {
	Version int    `json:"version,omitempty"`
	Journal string `json:"journal,omitempty"`

	Set    json.RawMessage `json:"set,omitempty"`    // an entry
	Remove string          `json:"remove,omitempty"` // id of one

	Positions []logtail.Position `json:"positions,omitempty"` // that moved
	Gone      []string           `json:"gone,omitempty"`      // sources without a position now
	End       bool               `json:"end,omitempty"`
}

// journal appends changes to a file.
type journal struct {
	file  file // nil if there is none
	size  int64
	buf   bytes.Buffer
	dirty bool // something was written and is not synced
}

// begin makes an empty journal. If it cannot, the next Save writes a snapshot again.
func (s *Store) begin(id string) (j journal) {
	path := filepath.Join(s.dir, journalName)
	f, err := s.files.create(path + ".tmp")
	if err != nil {
		return j
	}
	j.file = f
	j.add(frame{Version: version, Journal: id})
	err = j.sync()
	if err == nil {
		err = s.files.rename(path+".tmp", path)
	}
	if err == nil {
		err = s.files.syncDir(s.dir)
	}
	if err != nil {
		j.close()
	}
	return j
}

// add encodes a line.
func (j *journal) add(f frame) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text) // ends it with a newline
	encoder.SetEscapeHTML(false)      // which takes six bytes for one
	if err := encoder.Encode(f); err != nil {
		return // it is strings and numbers, and JSON that was made a moment ago
	}
	body := text.Bytes()[:text.Len()-1]
	fmt.Fprintf(&j.buf, "%08x %08x ", crc32.Checksum(body, castagnoli), len(body))
	j.buf.Write(text.Bytes())
}

// changes adds changed entries, but for those that are too long: they are as if removed.
// Whenever a chunk is full it is written and counts.
func (j *journal) changes(some []Change) (shed int, err error) {
	for _, c := range some {
		switch {
		case c.Value == nil:
			j.add(frame{Remove: c.ID})
		case len(c.Value) > maxEntry:
			shed++
			j.add(frame{Remove: c.ID})
		default:
			j.add(frame{Set: c.Value})
		}
		if j.buf.Len() < chunk {
			continue
		}
		j.commit(nil, nil)
		if err := j.flush(); err != nil {
			return shed, err
		}
	}
	return shed, nil
}

// commit makes what was added count.
func (j *journal) commit(moved []logtail.Position, gone []string) {
	j.add(frame{Positions: moved, Gone: gone, End: true})
}

// flush writes what was added.
func (j *journal) flush() error {
	if j.buf.Len() == 0 {
		return nil
	}
	if j.size+int64(j.buf.Len()) > maxJournal {
		return errJournalFull
	}
	n, err := j.file.Write(j.buf.Bytes())
	if err == nil && n < j.buf.Len() {
		err = io.ErrShortWrite
	}
	j.size += int64(n)
	j.dirty = true
	j.buf.Reset()
	if j.buf.Cap() > 2*chunk {
		j.buf = bytes.Buffer{}
	}
	return err
}

// sync writes what was added and waits until it is on the disk.
func (j *journal) sync() error {
	if err := j.flush(); err != nil || !j.dirty {
		return err
	}
	j.dirty = false
	return j.file.Sync()
}

func (j *journal) close() {
	if j.file != nil {
		//nolint:errcheck // what counts was synced
		j.file.Close()
	}
	*j = journal{}
}

// replay applies the journal of a snapshot that was read, as far as it goes: a crash leaves
// a part of a line at its end. The next Save goes on in it if all of it counts.
func (s *Store) replay(st *state, entries Entries) {
	s.journal.close()
	path := filepath.Join(s.dir, journalName)
	f, err := OpenRegular(path, os.O_RDONLY)
	if err != nil {
		return
	}
	defer f.Close()
	r := &replayer{in: bufio.NewReaderSize(io.LimitReader(f, maxJournal), 64<<10)}
	first, err := r.next()
	if err != nil || first.Version != version || first.Journal == "" || first.Journal != st.journal {
		return // of another snapshot
	}
	r.counts = r.read
	for r.transaction(st, entries) == nil { //nolint:revive // it applies what it reads
	}
	info, err := f.Stat()
	if err != nil || info.Size() != r.counts {
		return
	}
	if s.journal.file, err = s.files.extend(path); err == nil {
		s.journal.size = r.counts
	}
}

// replayer reads a journal.
type replayer struct {
	in     *bufio.Reader
	read   int64 // bytes
	counts int64 // bytes up to the end of the last transaction
	buf    []byte
}

// transaction applies the lines up to the next one with End, or none of them.
func (r *replayer) transaction(st *state, entries Entries) error {
	var pending []frame
	for size := 0; ; {
		f, err := r.next()
		if err != nil {
			return err
		}
		if size += len(f.Set); size > 2*(chunk+maxEntry) {
			return errors.New("a transaction is longer than any that is written")
		}
		pending = append(pending, f)
		if f.End {
			break
		}
	}
	for _, f := range pending {
		if f.Set != nil {
			if err := entries.Set(f.Set); err != nil {
				return err
			}
		}
		if f.Remove != "" {
			entries.Remove(f.Remove)
		}
		for _, p := range f.Positions {
			st.positions[p.Source] = p
		}
		for _, source := range f.Gone {
			delete(st.positions, source)
		}
	}
	r.counts = r.read
	return nil
}

// next reads a line.
func (r *replayer) next() (f frame, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return f, err
	}
	var sum, length uint32
	if _, err := fmt.Sscanf(string(head[:]), "%08x %08x ", &sum, &length); err != nil {
		return f, err
	}
	if length > maxFrame {
		return f, fmt.Errorf("got a line of %d bytes, want at most %d", length, maxFrame)
	}
	if cap(r.buf) < int(length)+1 {
		r.buf = make([]byte, length+1)
	}
	text := r.buf[:length+1]
	if _, err := io.ReadFull(r.in, text); err != nil {
		return f, err
	}
	if text[length] != '\n' || crc32.Checksum(text[:length], castagnoli) != sum {
		return f, errors.New("the checksum does not fit")
	}
	r.read += int64(frameHead) + int64(length) + 1
	if err := json.Unmarshal(text[:length], &f); err != nil {
		return f, err
	}
	return f, nil
}
