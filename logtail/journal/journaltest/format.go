//go:build linux

package journaltest

import (
	"fmt"
	"strings"
)

// Format selects how a journal file is written.
type Format struct {
	// Compact files hold offsets of 32 bits.
	Compact bool
	// Keyed files hash with SipHash and a key of their own, others with Jenkins'.
	Keyed bool
	// Sealed files have tags between the entries, see [Systemd.Write].
	Sealed bool
	// Compression is the codec of fields of 512 bytes or more: "none", "zstd", "lz4" or "xz".
	Compression string
}

// String names the format, such as "compact,keyed,zstd".
func (f Format) String() string {
	words := []string{"regular", "jenkins"}
	if f.Compact {
		words[0] = "compact"
	}
	if f.Keyed {
		words[1] = "keyed"
	}
	if f.Sealed {
		words = append(words, "sealed")
	}
	return strings.Join(append(words, f.Compression), ",")
}

// canChooseCodec is the version of systemd from which on the codec can be chosen.
const canChooseCodec = 254

// Formats lists those that this systemd can write: every combination. One before
// 254 has zstd as its only codec.
func (s Systemd) Formats() []Format {
	codecs := []string{"none", "zstd"}
	if s.Version >= canChooseCodec {
		codecs = append(codecs, "lz4", "xz")
	}
	var all []Format
	for _, sealed := range []bool{false, true} {
		for _, codec := range codecs {
			for i := range 4 {
				all = append(all, Format{Compact: i&1 != 0, Keyed: i&2 != 0, Sealed: sealed, Compression: codec})
			}
		}
	}
	return all
}

// environment makes systemd's programs write the format.
func (f Format) environment() []string {
	env := []string{
		fmt.Sprintf("SYSTEMD_JOURNAL_COMPACT=%t", f.Compact),
		fmt.Sprintf("SYSTEMD_JOURNAL_KEYED_HASH=%t", f.Keyed),
	}
	if f.Compression != "none" {
		env = append(env, "SYSTEMD_JOURNAL_COMPRESS="+strings.ToUpper(f.Compression))
	}
	return env
}

// options makes systemd-journal-remote write the format.
func (f Format) options() []string {
	return []string{
		fmt.Sprintf("--compress=%t", f.Compression != "none"),
		fmt.Sprintf("--seal=%t", f.Sealed),
	}
}

// check says what a file has of the format that it should not, or the other way round.
func (f Format) check(h Header) error {
	flags := uint32(0)
	if f.Compact {
		flags |= IncompatibleCompact
	}
	if f.Keyed {
		flags |= IncompatibleKeyed
	}
	switch f.Compression {
	case "zstd":
		flags |= IncompatibleZstd
	case "lz4":
		flags |= IncompatibleLZ4
	case "xz":
		flags |= IncompatibleXZ
	}
	if h.Incompatible != flags {
		return fmt.Errorf("the file's incompatible flags are %#x, those of %s %#x", h.Incompatible, f, flags)
	}
	if sealed := h.Compatible&CompatibleSealed != 0 && h.Tags > 0; sealed != f.Sealed {
		return fmt.Errorf("the file's compatible flags are %#x and it has %d tags, unlike %s", h.Compatible, h.Tags, f)
	}
	return nil
}
