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
	"strconv"
	"strings"
)

// Line is an entry as journalctl reads it.
type Line struct {
	Cursor              string
	Realtime, Monotonic uint64 // µs
	BootID              string
	// Message is the first MESSAGE field, if HasMessage.
	Message    []byte
	HasMessage bool
	// Fields are all fields but _BOOT_ID in the order in which the file stores them,
	// which is the one in which they first occurred in it, see [Systemd.Write].
	Fields []Field
}

// Values returns the values of all fields of a name.
func (l *Line) Values(name string) [][]byte {
	var values [][]byte
	for _, f := range l.Fields {
		if f.Name == name {
			values = append(values, f.Value)
		}
	}
	return values
}

// Read returns what journalctl says of path, a journal file or a folder of such:
// every entry that fits any of the matches ("FIELD=value"), or just every entry, in
// journalctl's order. A folder may hold files or folders named by machine ids.
func (s Systemd) Read(ctx context.Context, path string, matches ...string) ([]Line, error) {
	lines, err := s.read(ctx, path, matches)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	return lines, nil
}

func (s Systemd) read(ctx context.Context, path string, matches []string) ([]Line, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	inside, binds, err := s.inside(path)
	if err != nil {
		return nil, err
	}
	option := "--file=" + inside
	if info.IsDir() {
		option = "--directory=" + inside
	}
	args := []string{option, "--output=export", "--all", "--no-pager", "--quiet"}
	for i, match := range matches {
		if i > 0 {
			args = append(args, "+")
		}
		args = append(args, match)
	}
	cmd := s.command(ctx, nil, binds, journalctl, args...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines, err := parseExport(out)
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), explain(cmd.Wait(), complaints.Bytes()))
	}
	if err := cmd.Wait(); err != nil {
		return nil, explain(err, complaints.Bytes())
	}
	return lines, nil
}

// parseExport reads systemd's export format.
func parseExport(r io.Reader) ([]Line, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	var lines []Line
	var line Line
	for {
		field, err := exportField(in)
		switch {
		case errors.Is(err, io.EOF) && line.Cursor == "":
			return lines, nil
		case err != nil:
			return nil, fmt.Errorf("parse export format behind %q: %w", line.Cursor, err)
		case field.Name == "":
			lines = append(lines, line)
			line = Line{}
		default:
			if err := line.add(field); err != nil {
				return nil, fmt.Errorf("parse export format behind %q: %w", line.Cursor, err)
			}
		}
	}
}

// exportField reads one field, or one without a name at the end of an entry.
func exportField(in *bufio.Reader) (Field, error) {
	text, err := in.ReadBytes('\n')
	if err != nil {
		if len(text) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return Field{}, err
	}
	text = text[:len(text)-1]
	name, value, isText := bytes.Cut(text, []byte{'='})
	if isText || len(name) == 0 {
		return Field{Name: string(name), Value: value}, nil
	}
	var size [8]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return Field{}, err
	}
	n := binary.LittleEndian.Uint64(size[:])
	var data bytes.Buffer // grows with what is there, whatever the size says
	if _, err := io.CopyN(&data, in, int64(n)); err != nil {
		return Field{}, err
	}
	if end, err := in.ReadByte(); err != nil || end != '\n' {
		return Field{}, fmt.Errorf("no end of the %d bytes of %s", n, name)
	}
	return Field{Name: string(name), Value: data.Bytes()}, nil
}

// add takes a field into the line. Those that journalctl makes begin with "__".
func (l *Line) add(f Field) (err error) {
	switch f.Name {
	case "__CURSOR":
		l.Cursor = string(f.Value)
	case "__REALTIME_TIMESTAMP":
		l.Realtime, err = strconv.ParseUint(string(f.Value), 10, 64)
	case "__MONOTONIC_TIMESTAMP":
		l.Monotonic, err = strconv.ParseUint(string(f.Value), 10, 64)
	case "_BOOT_ID":
		l.BootID = string(f.Value)
	default:
		if strings.HasPrefix(f.Name, "__") {
			return nil
		}
		if f.Name == "MESSAGE" && !l.HasMessage {
			l.Message, l.HasMessage = f.Value, true
		}
		l.Fields = append(l.Fields, f)
	}
	return err
}
