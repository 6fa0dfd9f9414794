package agent

import (
	"errors"
	"maps"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"pullcause/agent/detect"
)

// Duration is a time.Duration that is written "500ms", "30s" or "1h30m".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// MarshalText writes 5m rather than 5m0s.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is the shortest form: 5m rather than 5m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Lookback is how far back to read when no position is known: a duration, or
// everything there is.
type Lookback struct {
	All bool
	For time.Duration // not looked at if All
}

const lookbackAll = "all"

// UnmarshalText reads "all" or a duration that is not negative.
func (l *Lookback) UnmarshalText(text []byte) error {
	if string(text) == lookbackAll {
		*l = Lookback{All: true}
		return nil
	}
	v, err := time.ParseDuration(string(text))
	if err == nil && v < 0 {
		err = errors.New("negative")
	}
	*l = Lookback{For: v}
	return err
}

// MarshalText writes what UnmarshalText reads.
func (l Lookback) MarshalText() ([]byte, error) {
	if l.All {
		return []byte(lookbackAll), nil
	}
	return Duration(l.For).MarshalText()
}

// ByteSize is a number of bytes that is written "64MiB", "500KB" or "1048576".
type ByteSize int64

// byteUnits are those that a ByteSize may have, the longest first.
var byteUnits = [...]struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// UnmarshalText reads a whole number with or without a unit.
func (b *ByteSize) UnmarshalText(text []byte) error {
	number, unit := string(text), int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err == nil && (n < 0 || n > math.MaxInt64/unit) {
		err = errors.New("out of range")
	}
	*b = ByteSize(n * unit)
	return err
}

// MarshalText writes the largest unit of 1024 that leaves a whole number.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

func (b ByteSize) String() string {
	for _, u := range [...]struct {
		name  string
		bytes int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n := int64(b); n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// SourceFile is a log file to follow and who writes it.
type SourceFile struct {
	// Program is one of the programs of package detect, or empty: then each line has to tell.
	Program string
	// Path is absolute, as seen on the node.
	Path string
}

// UnmarshalText reads "/path" or "program:/path".
func (f *SourceFile) UnmarshalText(text []byte) error {
	program, file := "", string(text)
	if !path.IsAbs(file) {
		program, file, _ = strings.Cut(file, ":")
		switch program {
		case detect.Containerd, detect.Kubelet, detect.CRIO, detect.Dockerd:
		default:
			return errors.New("unknown program")
		}
	}
	if !path.IsAbs(file) {
		return errors.New("not absolute")
	}
	*f = SourceFile{Program: program, Path: path.Clean(file)}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (f SourceFile) MarshalText() ([]byte, error) {
	if f.Program == "" {
		return []byte(f.Path), nil
	}
	return []byte(f.Program + ":" + f.Path), nil
}

// SystemdUnit is the name of a unit, such as containerd.service.
type SystemdUnit string

// UnmarshalText reads a name; one without a type is a service's, as everywhere in
// systemd.
func (u *SystemdUnit) UnmarshalText(text []byte) error {
	name := string(text)
	if !isWord(name) {
		return errors.New("no unit")
	}
	if !strings.Contains(name, ".") {
		name += ".service"
	}
	*u = SystemdUnit(name)
	return nil
}

// Identifier is the name that a program writes to the journal under, such as kubelet.
type Identifier string

// UnmarshalText reads a name.
func (i *Identifier) UnmarshalText(text []byte) error {
	if !isWord(string(text)) {
		return errors.New("no identifier")
	}
	*i = Identifier(text)
	return nil
}

func isWord(s string) bool { return s != "" && !strings.ContainsAny(s, " \t\r\n=,/\x00") }

func cloneMap(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return maps.Clone(m)
}

func hasHeader(headers map[string]string, name string) bool {
	for have := range headers {
		if strings.EqualFold(have, name) {
			return true
		}
	}
	return false
}
