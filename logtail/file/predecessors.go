package file

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

const (
	// maxPredecessors is how many rotated files a position remembers. Runtimes, kubelets
	// and logrotate keep fewer uncompressed.
	maxPredecessors = 24
	// setBack is how much earlier than the last write to a file its successor must have
	// been made to prove that the clock was set back. A late writer takes less.
	setBack = time.Minute
)

// predecessors are the rotated files that were made before the one that is being read.
// They tell a file that was rotated since from one that was there before, which no time
// does alone: the clock may have been set back in between. The zero value knows nothing.
type predecessors struct {
	keys  []uint32
	known bool // keys has all of them
}

// fileKey identifies a file through renames, restarts and reused inode numbers. The device
// is no part of it: it may have another number after the machine restarted.
func fileKey(ino uint64, born int64) uint32 {
	b := strconv.AppendUint(nil, ino, 16)
	b = strconv.AppendInt(append(b, '-'), born, 16)
	return uint32(xxhash.Sum64(b))
}

func (p *predecessors) add(ino uint64, born int64) {
	if key := fileKey(ino, born); !slices.Contains(p.keys, key) {
		p.keys = append(p.keys, key)
	}
}

func (p *predecessors) has(ino uint64, born int64) bool {
	return slices.Contains(p.keys, fileKey(ino, born))
}

// setAll replaces all by the files of a listing, since the path's own file comes after each.
// An empty one may still be written to.
func (p *predecessors) setAll(listed []sibling) {
	p.keys, p.known = p.keys[:0], true
	for _, s := range listed {
		if s.size > 0 {
			p.add(s.id.ino, bornAt(s.path))
		}
	}
}

// String is the form that is stored behind a [hint]: the number of files and a key of each.
// It is empty where not all are known.
func (p *predecessors) String() string {
	if !p.known || len(p.keys) > maxPredecessors {
		return ""
	}
	b := strconv.AppendInt([]byte{'-'}, int64(len(p.keys)), 16)
	for _, key := range p.keys {
		b = strconv.AppendUint(append(b, '-'), uint64(key), 16)
	}
	return string(b)
}

// parsePredecessors reads what stands behind a stored hint. The hints of earlier versions
// have nothing there.
func parsePredecessors(hint string) predecessors {
	parts := strings.Split(hint, "-")
	if len(parts) <= hintNumbers {
		return predecessors{}
	}
	n, err := strconv.ParseUint(parts[hintNumbers], 16, 16)
	if err != nil || n > maxPredecessors || int(n) != len(parts)-hintNumbers-1 {
		return predecessors{}
	}
	p := predecessors{known: true}
	for _, part := range parts[hintNumbers+1:] {
		key, err := strconv.ParseUint(part, 16, 32)
		if err != nil {
			return predecessors{}
		}
		p.keys = append(p.keys, uint32(key))
	}
	return p
}

// later returns those of the listed files that were made or written to after a file that
// was written to last at the given time. named is what the path names, nil if nothing.
func (p *predecessors) later(listed []sibling, named *stream, written time.Time) []sibling {
	if !p.known {
		return slices.DeleteFunc(listed, func(s sibling) bool { return s.mtime.Before(written) })
	}
	wentBack := named != nil && wasSetBack(named.born, written)
	var all, restored []sibling
	for _, s := range listed {
		born := bornAt(s.path)
		isOld := p.has(s.id.ino, born)
		switch {
		case isOld && born != 0: // without a birth the number may have been used again
		case !s.mtime.Before(written):
			all = append(all, s)
		case isOld:
		case s.mtime.UnixNano() >= born:
			all = append(all, s)
			wentBack = wentBack || wasSetBack(born, written)
		default: // older than its own birth: unpacked or copied with its old time, if no clock was set back
			restored = append(restored, s)
		}
	}
	if wentBack {
		all = append(all, restored...)
		slices.SortFunc(all, older)
	}
	return all
}

// wasSetBack reports whether a file was made before the last write to its predecessor.
func wasSetBack(born int64, written time.Time) bool {
	return born != 0 && born < written.Add(-setBack).UnixNano()
}
