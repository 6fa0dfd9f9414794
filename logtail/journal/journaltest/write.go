//go:build linux

package journaltest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// Field is one field of an entry, such as MESSAGE.
type Field struct {
	Name  string
	Value []byte
}

// Entry is one entry that is to be written.
type Entry struct {
	// Realtime and Monotonic are its times in µs.
	Realtime, Monotonic uint64
	// BootID is 32 hexadecimal digits. It becomes the field _BOOT_ID as well.
	BootID string
	Fields []Field
}

// Write makes the journal file path of entries with systemd-journal-remote and
// checks that it has the format and all entries. The file must not exist. Only a
// chroot's systemd and sealed files need root.
//
// A file stores an entry's fields in the order in which they first occurred in the
// file, and equal ones once.
//
// Entries of a sealed file must not go back in time. Its key is thrown away: its
// seals cannot be verified, but a reader does not look at them.
func (s Systemd) Write(ctx context.Context, path string, f Format, entries []Entry) error {
	if err := s.write(ctx, path, f, entries); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

func (s Systemd) write(ctx context.Context, path string, f Format, entries []Entry) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, os.ErrExist)
	}
	// It is made in a folder of its own: another file shows that it grew too large.
	scratch, err := os.MkdirTemp(filepath.Dir(path), "journaltest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // the caller's folder is a temporary one itself
	made := filepath.Join(scratch, "files", "made.journal")
	if err := os.Mkdir(filepath.Dir(made), 0o700); err != nil {
		return err
	}
	if err := s.remote(ctx, scratch, made, f, entries); err != nil {
		return err
	}
	if err := check(made, f, len(entries)); err != nil {
		return err
	}
	return os.Rename(made, path)
}

// remote has systemd-journal-remote write the file. What it needs goes into scratch.
func (s Systemd) remote(ctx context.Context, scratch, path string, f Format, entries []Entry) error {
	inside, binds, err := s.inside(path)
	if err != nil {
		return err
	}
	if f.Sealed {
		sealing, err := s.setUpKeys(ctx, scratch, entries)
		if err != nil {
			return fmt.Errorf("set up keys: %w", err)
		}
		binds = append(binds, sealing...)
	}
	export := filepath.Join(scratch, "export")
	if err := writeExport(export, entries); err != nil {
		return err
	}
	in, err := os.Open(export)
	if err != nil {
		return err
	}
	defer in.Close()
	cmd := s.command(ctx, f.environment(), binds, journalRemote, append(f.options(), "--output="+inside, "-")...)
	cmd.Stdin = in
	_, err = output(cmd)
	return err
}

// check makes sure that a file that was made is what was asked for.
func check(path string, f Format, entries int) error {
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("the entries do not fit in one file: there are %d", len(files))
	}
	h, err := ReadHeader(path)
	if err != nil {
		return err
	}
	if h.Entries != uint64(entries) {
		return fmt.Errorf("%d entries of %d were written", h.Entries, entries)
	}
	return f.check(h)
}

// writeExport writes a file of systemd's export format.
func writeExport(path string, entries []Entry) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<16)
	for i := range entries {
		if err := entries[i].export(w); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return errors.Join(w.Flush(), file.Close())
}

// export writes the entry in systemd's export format.
func (e *Entry) export(w io.Writer) error {
	_, err := fmt.Fprintf(w, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n",
		e.Realtime, e.Monotonic, e.BootID)
	if err != nil {
		return err
	}
	var b []byte
	for _, f := range e.Fields {
		b = append(b[:0], f.Name...)
		if isText(f.Value) {
			b = append(append(b, '='), f.Value...)
		} else {
			b = binary.LittleEndian.AppendUint64(append(b, '\n'), uint64(len(f.Value)))
			b = append(b, f.Value...)
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	_, err = w.Write([]byte{'\n'})
	return err
}

// isText reports whether a value can stand in a line.
func isText(value []byte) bool {
	return utf8.Valid(value) && !bytes.ContainsFunc(value, func(r rune) bool { return r < ' ' })
}
