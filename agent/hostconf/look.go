package hostconf

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"unicode"
)

// maxText bounds a Problem's text, maxShown what it quotes of a file.
const (
	maxText  = 600
	maxShown = 200
)

// look is one look at the files for one registry.
type look struct {
	disk *disk
	list List
}

func newList(registry string) List {
	return List{Registry: registry, Files: []string{}, Hosts: []Host{}, Problems: []Problem{}}
}

// read returns the file at path. What is absent is no problem, and what cannot
// be read is one.
func (l *look) read(path string) ([]byte, bool) {
	data, err := l.disk.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	path = shown(path)
	if err != nil {
		l.problem(path, 0, "read "+base(path)+": "+reason(err))
		return nil, false
	}
	if len(l.list.Files) < maxFiles && !slices.Contains(l.list.Files, path) {
		l.list.Files = append(l.list.Files, path)
	}
	return data, true
}

func (l *look) addHost(h Host) {
	if len(l.list.Hosts) < maxHosts {
		l.list.Hosts = append(l.list.Hosts, h)
	}
}

func (l *look) problem(file string, line int, text string) {
	p := Problem{File: shown(file), Line: line, Text: printable(text, maxText)}
	if len(l.list.Problems) < maxProblems && !slices.Contains(l.list.Problems, p) {
		l.list.Problems = append(l.list.Problems, p)
	}
}

// place is where something stands.
type place struct {
	file string
	line int
}

func (l *look) problemAt(at place, text string) { l.problem(at.file, at.line, text) }

// reason says why a file could not be read, without its path: that is known,
// and the one in the error is the agent's.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied: the agent may not read it, the runtime as root may"
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return err.Error()
}

// shown is s as it may be quoted: without userinfo and query, which may hold
// passwords, even if s is only nearly a URL.
func shown(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		scheme, _, ok := strings.Cut(s, "://")
		s = s[i+1:]
		if ok && (scheme == "http" || scheme == "https") {
			s = scheme + "://" + s
		}
	}
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i]
	}
	return printable(s, maxShown)
}

// quoted is shown between quotes.
func quoted(s string) string { return `"` + shown(s) + `"` }

// printable replaces what would break a line of text and cuts it.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(s[:min(len(s), limit)], ""))
	return s
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
