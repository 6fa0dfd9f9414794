package redact

import "strings"

// pair is what stands behind a name: how it is assigned, and where.
type pair struct {
	op     byte // '=' or ':', 0 if nothing is assigned
	quoted bool // the name is quoted
	spaced bool // white space stands before the value
	value  int  // where the value begins
}

// pairAt reads what follows the name that ends at i: a=1, a: 1, "a":1, a => 1,
// a[0]=1, a:[]string{"1"}.
func pairAt(s string, i int) pair {
	var p pair
	if i < len(s) && s[i] == '[' {
		if n := strings.IndexByte(s[i:min(len(s), i+32)], ']'); n >= 0 && i+n+1 < len(s) && s[i+n+1] == '=' {
			i += n + 1
		}
	}
	if n := quoteLength(s, i); n > 0 {
		p.quoted = true
		i += n
		if i < len(s) && s[i] == ']' {
			i++
		}
	}
	blanks := i
	i = skipBlanks(s, i)
	switch {
	case i >= len(s):
		return p
	case strings.HasPrefix(s[i:], "=>"), strings.HasPrefix(s[i:], ":="), strings.HasPrefix(s[i:], "=="):
		p.op, i = '=', i+2
	case strings.HasPrefix(s[i:], "-> "):
		p.op, i = ':', i+2
	case s[i] == '=':
		p.op, i = '=', i+1
	case s[i] == ':' && (p.quoted || i == blanks) && !strings.HasPrefix(s[i:], "::"):
		p.op, i = ':', i+1
	default:
		return p
	}
	if p.quoted && i+1 < len(s) && s[i] == '+' && s[i+1] == '"' {
		i++ // a blank in a form
	}
	p.value = i
	if p.op == ':' && p.quoted {
		p.value = skipSpace(s, i)
	} else if p.value = skipBlanks(s, i); p.op == ':' && startsIndented(s[p.value:]) {
		p.value = skipSpace(s, i)
	}
	p.spaced = p.value > i
	return p
}

// startsIndented reports whether s begins with a line break and an indented line.
func startsIndented(s string) bool {
	s = strings.TrimPrefix(s, "\r")
	return len(s) > 1 && s[0] == '\n' && isBlank(s[1])
}

// named hides the value of a name of some kind and returns where to go on.
func (x *scanner) named(start, end int, kind nameKind) int {
	for end > start && (x.s[end-1] == '.' || x.s[end-1] == '-') {
		end-- // the full stop of a sentence
	}
	for start < end && (x.s[start] == '.' || x.s[start] == '-') {
		start++
	}
	if start > 0 && x.s[start-1] == '/' && kind != passwordName {
		return end // an image or a path: team/auth:1
	}
	p := pairAt(x.s, end)
	if p.op == 0 {
		return x.namedElsewhere(start, end, kind)
	}
	if strings.HasPrefix(x.s[p.value:], Replacement) {
		return end
	}
	switch kind {
	case authName:
		return x.authorization(start, p)
	case cookieName:
		return x.cookies(p)
	}
	if v := x.valueAt(p.value, start); !v.deeper && x.isSecret(start, kind, p, v) {
		return x.hideValue(v)
	}
	return end
}

// isSecret reports whether the value v of a name is a secret. The more the name
// and its assignment look like prose, the more the value must look like a secret.
func (x *scanner) isSecret(start int, kind nameKind, p pair, v value) bool {
	text := x.s[v.start:v.end]
	switch {
	case text == "", isPublic(text):
		return false
	case v.long:
		return true
	case kind == weakName:
		return !isSnapshotKey(text) && (looksSecret(text) || looksRandom(text))
	case p.op == '=':
		return !isCount(x.s[start:], text) && !(kind != passwordName && x.namesPullSecret(start, text))
	case p.quoted:
		return v.quoted && (x.startsPair(start) || looksSecret(text)) || !v.quoted && looksSecret(text)
	case !p.spaced:
		return x.isTightSecret(start, kind, v)
	case v.quoted:
		return x.startsPair(start) || kind >= keyName && !isProse(text) || looksSecret(text)
	case kind >= keyName || startsLine(x.s, start):
		return !isProse(text) && !isStatus(text)
	}
	return looksSecret(text)
}

// isTightSecret tells name:value of a struct that Go printed, {user:bob
// password:x}, from the name and tag of an image, auth:1.2.
func (x *scanner) isTightSecret(start int, kind nameKind, v value) bool {
	text := x.s[v.start:v.end]
	if v.quoted {
		return true
	}
	if kind == passwordName || strings.ContainsAny(x.s[start:v.start], "_ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return !isProse(text) || x.startsField(start)
	}
	return x.startsField(start) || looksSecret(text) && !isBuild(text)
}

// startsPair reports whether a pair of JSON or the like can begin at s[i], a
// quote before it aside: after a brace or a comma, or at the beginning of a line.
func (x *scanner) startsPair(i int) bool {
	if i > 0 && (x.s[i-1] == '"' || x.s[i-1] == '\'') {
		i--
	}
	if startsLine(x.s, i) {
		return true
	}
	for i > 0 && isSpace(x.s[i-1]) {
		i--
	}
	return i > 0 && strings.IndexByte("{,[(;<", x.s[i-1]) >= 0
}

// maxStruct bounds how far back the beginning of a struct is looked for.
const maxStruct = 256

// startsField reports whether the name at s[i] can be that of a field which Go
// printed: {Username:u,Password:p} as gogo's String does, {Username:u
// Password:p} as %+v of a struct, map[username:u password:p]. Names of images
// are in lower case, so that those of a list, [app:1 auth:2], are told by the
// bracket that was opened last before them and is open still.
func (x *scanner) startsField(i int) bool {
	s := x.s
	if i == 0 || strings.IndexByte("{,[ ", s[i-1]) < 0 {
		return false
	}
	if s[i-1] == '{' || s[i-1] == ',' || isUpper(s[i]) {
		return true
	}
	closed, quoted := 0, false
	for n := i - 1; n >= max(0, i-maxStruct); n-- {
		c := s[n]
		switch {
		case c == '\n':
			return false
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '}' || c == ']':
			closed++
		case (c == '{' || c == '[') && closed > 0:
			closed--
		case c == '{' || c == '[':
			return c == '{' || strings.HasSuffix(s[:n], "map")
		}
	}
	return false
}

// namedElsewhere looks for the value of a name that is a value itself, as in
// {"name":"TOKEN","value":"x"} and EnvVar{Name:TOKEN,Value:x}, or is followed
// by it in a sentence.
func (x *scanner) namedElsewhere(start, end int, kind nameKind) int {
	if i, ok := valueOfName(x.s, end); ok {
		if v := x.valueAt(i, start); !v.deeper && !isPublic(x.s[v.start:v.end]) {
			return x.hideValue(v)
		}
		return end
	}
	return x.prose(start, end, kind)
}

// valueOfName returns where the value begins of the entry whose name ends at i.
func valueOfName(s string, i int) (value int, ok bool) {
	const separators = "\"', \t\r\n-;"
	from := i
	for i < len(s) && i-from < 32 && strings.IndexByte(separators, s[i]) >= 0 {
		i++
	}
	if i == from || !hasPrefixFold(s[i:], "value") && !hasPrefixFold(s[i:], "content") {
		return 0, false
	}
	for i < len(s) && isLetter(s[i]) {
		i++
	}
	p := pairAt(s, i)
	return p.value, p.op != 0
}

// namesPullSecret reports whether the name at s[i] stands for a pull secret of
// the cluster, whose own name explains a failure: the kubelet's
// "Unable to retrieve pull secret …" pod="a/b" secret="a/regcred"
// (kubernetes 1.28 pkg/kubelet/kubelet_pods.go).
func (x *scanner) namesPullSecret(i int, value string) bool {
	return hasPrefixFold(x.s[i:], "secret") && isObjectName(value) && strings.Contains(x.s[max(0, i-maxStruct):i], "pull secret")
}

// unnamedStruct hides the fields of a struct that Go printed without their
// names, &{bob x }: nothing tells the user from the password.
func (x *scanner) unnamedStruct(i int) int {
	end := i
	for end < len(x.s) && end-i < maxStruct && strings.IndexByte("}\n:{[\"", x.s[end]) < 0 {
		end++
	}
	if end == len(x.s) || x.s[end] != '}' {
		return i
	}
	for i < end {
		stop := i
		for stop < end && x.s[stop] != ' ' {
			stop++
		}
		if looksSecret(x.s[i:stop]) && !strings.HasPrefix(x.s[i:stop], "0x") {
			x.hide(i, stop)
		}
		i = stop + 1
	}
	return end
}
