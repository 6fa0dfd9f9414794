//go:build linux

package journaltest

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// Flags of a [Header], as systemd names them.
const (
	CompatibleSealed uint32 = 1

	IncompatibleXZ      uint32 = 1
	IncompatibleLZ4     uint32 = 2
	IncompatibleKeyed   uint32 = 4
	IncompatibleZstd    uint32 = 8
	IncompatibleCompact uint32 = 16
)

// States of a [Header]. A file that nobody writes to and that is online was not
// closed: its writer was killed.
const (
	StateOffline  uint8 = 0
	StateOnline   uint8 = 1
	StateArchived uint8 = 2
)

// Header is what the beginning of a journal file says of the file.
type Header struct {
	Compatible, Incompatible uint32
	State                    uint8
	Entries, Tags            uint64
}

// ReadHeader reads the header of a journal file.
func ReadHeader(path string) (Header, error) {
	f, err := os.Open(path)
	if err != nil {
		return Header{}, fmt.Errorf("read journal header: %w", err)
	}
	defer f.Close()
	var b [232]byte // all until behind the number of tags
	if _, err := io.ReadFull(f, b[:]); err != nil {
		return Header{}, fmt.Errorf("read journal header: %w", err)
	}
	if string(b[:8]) != "LPKSHHRH" {
		return Header{}, fmt.Errorf("read journal header: %s is no journal file", path)
	}
	return Header{
		Compatible:   binary.LittleEndian.Uint32(b[8:]),
		Incompatible: binary.LittleEndian.Uint32(b[12:]),
		State:        b[16],
		Entries:      binary.LittleEndian.Uint64(b[152:]),
		Tags:         binary.LittleEndian.Uint64(b[224:]),
	}, nil
}
