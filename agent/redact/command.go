package redact

import "strings"

// flag hides the argument of a flag whose name is that of a secret, --password
// x, or that holds user and password, -u bob:x. The flag is s[i:end].
func (x *scanner) flag(i, end int) int {
	s := x.s
	name := strings.TrimLeft(s[i:end], "-")
	if name == "" || len(name) == end-i || len(name) < end-i-2 || i > 0 && !isSpace(s[i-1]) && strings.IndexByte("\"'`([", s[i-1]) < 0 {
		return i
	}
	if len(name) > 1 && name[0] == 'u' && len(name) == end-i-1 && end < len(s) && s[end] == ':' {
		return x.userArgument(i + len("-u")) // curl -ubob:x
	}
	value := end
	for value < len(s) && (s[value] == ' ' || s[value] == '=') {
		value++
	}
	if value == end || value == len(s) || strings.HasPrefix(s[value:], "-") && s[value-1] == ' ' {
		return i
	}
	switch {
	case isUserFlag(name):
		return x.userArgument(value)
	case name == "p" && len(s[i:end]) == 2 && isLogin(s, i), len(name) > 2 && nameOf(name) > weakName, nameOf(name) == weakName && len(name) > 3:
	default:
		return i
	}
	v := x.valueAt(value, i)
	if v.deeper || isPublic(s[v.start:v.end]) {
		return i
	}
	return x.hideValue(v)
}

// isUserFlag reports whether a flag takes user:password: those of curl, ctr,
// skopeo, podman and nerdctl.
func isUserFlag(name string) bool {
	switch name {
	case "u", "user", "proxy-user", "U", "creds", "src-creds", "dest-creds", "login":
		return true
	}
	return false
}

// userArgument hides user:password at s[i]; 1000:1000 is user and group.
func (x *scanner) userArgument(i int) int {
	v := x.valueAt(i, i)
	text := x.s[v.start:v.end]
	_, password, found := strings.Cut(text, ":")
	if v.deeper || !found || strings.Trim(password, "0123456789") == "" && strings.Trim(text, "0123456789:") == "" {
		return i
	}
	return x.hide(v.start, v.end)
}

// isLogin reports whether s[:i] is the beginning of a login command.
func isLogin(s string, i int) bool {
	return strings.Contains(s[max(0, i-2*maxName):i], "login")
}

// writesPassword reports whether a command behind a pipe reads a password.
func writesPassword(s string) bool {
	s = s[:min(len(s), maxStruct)]
	return strings.Contains(s, "login") || strings.Contains(s, "stdin")
}

// echo hides what a command line writes into another, echo X | docker login
// --password-stdin, if s[i:end] is such a command.
func (x *scanner) echo(i, end int) int {
	s := x.s
	if run := s[i:end]; run != "echo" && run != "printf" {
		return i
	}
	start := skipBlanks(s, end)
	for strings.HasPrefix(s[start:], "-n ") || strings.HasPrefix(s[start:], "'%s' ") || strings.HasPrefix(s[start:], "%s ") {
		start = skipBlanks(s, start+strings.IndexByte(s[start:], ' '))
	}
	stop := start
	for stop < len(s) && stop-start < maxStruct && s[stop] != '|' && s[stop] != '\n' {
		stop++
	}
	if stop == len(s) || s[stop] != '|' || !writesPassword(s[stop:]) {
		return i
	}
	if n := quoteLength(s, start); n > 0 && start < stop {
		start += n
		stop = start + max(0, strings.LastIndexAny(s[start:stop], "\"'`"))
	}
	for stop > start && s[stop-1] == ' ' {
		stop--
	}
	return x.hide(start, stop)
}
