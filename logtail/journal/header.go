package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
)

// The layout of journal files is that of systemd v257,
// src/libsystemd/sd-journal/journal-def.h, described in
// docs/JOURNAL_FILE_FORMAT.md. All numbers are little endian, all offsets count
// from the beginning of the file. A file may be inconsistent at any time, since
// journald writes to it while it is read, and may hold anything, since any
// process may write to the journal: so each number is checked before it is used.

// signature begins each journal file.
var signature = []byte("LPKSHHRH")

// headerSize is what every header has; systemd 187 and later ones added to its end.
const headerSize = 208

// flags are the features of a file that a reader must know.
type flags uint32

const (
	flagXZ      flags = 1 << 0 // some data is compressed with XZ
	flagLZ4     flags = 1 << 1 // likewise, LZ4
	flagKeyed   flags = 1 << 2 // hashes are siphash24 with the file's id, not Jenkins'
	flagZSTD    flags = 1 << 3 // some data is compressed with Zstandard
	flagCompact flags = 1 << 4 // offsets have 32 bits

	knownFlags = flagXZ | flagLZ4 | flagKeyed | flagZSTD | flagCompact
)

// The states of a file.
const (
	stateOffline  = 0 // closed, or nothing is being written
	stateOnline   = 1 // being written to, or it was when its writer died
	stateArchived = 2 // nothing will be added any more
)

// id128 is a file, a sequence of files, or a boot.
type id128 [16]byte

func (i id128) String() string { return hex.EncodeToString(i[:]) }

// header is what the beginning of a file says of it.
type header struct {
	flags              flags
	state              uint8
	fileID, sequence   id128  // sequence is called seqnum_id
	table, buckets     uint64 // hash table of DATA objects: offset and number of buckets
	entries            uint64
	headSeqnum         uint64 // 0 = no entry yet
	tailSeqnum         uint64
	array              uint64 // first array of all entries
	headTime, tailTime uint64 // µs since 1970
}

var (
	// errEmpty is a file that its writer has not filled yet, or one that journalctl
	// overwrote with zeros before journald, which had rotated it, cut off what lies behind
	// the last entry: all, then (systemd v252, managed_journal_file_truncate).
	errEmpty = errors.New("the file is shorter than a journal's header")
	// errNoJournal is a file that is none, or one that was removed: journald
	// overwrites those with zeros (systemd v257, vacuum_directory).
	errNoJournal = errors.New("the file does not begin as a journal does")
)

// unsupportedError is a file that needs a newer reader.
type unsupportedError struct{ flags flags }

func (e unsupportedError) Error() string {
	return fmt.Sprintf("the file uses the unknown incompatible features %#x: a newer pullcause is needed, or an older format on the host (SYSTEMD_JOURNAL_COMPACT=0 and the like in systemd-journald's environment)",
		uint32(e.flags&^knownFlags))
}

func parseHeader(b []byte) (header, error) {
	if len(b) < headerSize {
		return header{}, errEmpty
	}
	if !bytes.Equal(b[:8], signature) {
		return header{}, errNoJournal
	}
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	h := header{
		flags: flags(binary.LittleEndian.Uint32(b[12:])), state: b[16],
		fileID: id128(b[24:40]), sequence: id128(b[72:88]),
		table: u64(104), buckets: u64(112) / bucketSize,
		entries: u64(152), tailSeqnum: u64(160), headSeqnum: u64(168), array: u64(176),
		headTime: u64(184), tailTime: u64(192),
	}
	if unknown := h.flags &^ knownFlags; unknown != 0 {
		return header{}, unsupportedError{h.flags}
	}
	if size := u64(88); size < headerSize || size > 1<<20 {
		return header{}, fmt.Errorf("the header claims to have %d bytes", size)
	}
	return h, nil
}

func (h *header) is(f flags) bool { return h.flags&f != 0 }

// bounded makes an int64 of a number that a file tells, and that so may be anything: it
// is not below 0, and two of them can be added.
func bounded(n uint64) int64 { return int64(min(n, math.MaxInt64/2)) }
