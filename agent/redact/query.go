package redact

import "strings"

// URL returns the URL s without userinfo, and with every query value replaced
// but those that explain a request to a registry.
func URL(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i+1] + redactQuery(s[i+1:])
	}
	return Text(s)
}

// redactQuery redacts all of a query string, whatever its values hold.
func redactQuery(q string) string {
	var out strings.Builder
	for i := 0; i < len(q); {
		n := strings.IndexAny(q[i:], "&#")
		if n < 0 {
			n = len(q) - i
		}
		key, value, pair := strings.Cut(q[i:i+n], "=")
		switch {
		case pair && (value == "" || isPublicParameter(key, value)):
			out.WriteString(q[i : i+n])
		case pair:
			out.WriteString(key + "=" + Replacement)
		case hasWord(key):
			out.WriteString(Replacement)
		default:
			out.WriteString(key)
		}
		i += n
		if i < len(q) {
			out.WriteByte(q[i])
			i++
		}
	}
	return out.String()
}

// isPublicParameter reports whether the value of a query parameter may be
// shown. ns is what containerd tells a mirror (core/remotes/docker/resolver.go),
// scope and service are those of a token URL (OCI distribution, token spec),
// digest, mount, from, n and last are those of the distribution API, the rest
// are of the Kubernetes API, whose URLs stand in a kubelet's log. Each value
// must have the shape of its parameter, so that nothing else hides in it.
func isPublicParameter(key, value string) bool {
	switch strings.TrimPrefix(key, "amp;") {
	case "ns", "service":
		return isPlainText(value, "")
	case "fieldSelector":
		return strings.HasPrefix(value, "metadata.name") && isPlainText(value, "=")
	case "scope":
		known := hasPrefixFold(value, "repository") || hasPrefixFold(value, "registry")
		return isPlainText(value, ",") && (known || !looksSecret(value))
	case "digest", "mount":
		return startsDigest(strings.Replace(value, "%3A", ":", 1)) && isPlainText(value, "")
	case "from", "last", "client_id":
		return isPlainText(value, "/") && !looksSecret(value)
	case "n", "limit", "timeout", "timeoutSeconds", "resourceVersion":
		return len(value) <= 20 && strings.Trim(strings.TrimRight(value, "msh"), "0123456789") == ""
	case "offline_token", "watch", "allowWatchBookmarks":
		return value == "true" || value == "false"
	}
	return false
}

// isPlainText reports whether a value is made of names, ports and separators. What is
// escaped in it is read at the next level (view.go); < > * and ! stand in texts that
// people or a faulty printf changed.
func isPlainText(value, more string) bool {
	for i, c := range []byte(value) {
		if !isKeyByte(c) && c != ':' && c != '%' && c != '+' && c != '<' && c != '>' && c != '*' && c != '(' && c != ')' && c != '!' && c != '/' && strings.IndexByte(more, c) < 0 {
			return false
		}
		if c == '%' && hasPrefixFold(value[i:], "%3f") {
			return false
		}
	}
	return strings.IndexByte(value, '%') >= 0 || !looksRandom(value)
}

// query hides the values of the query behind the ? at i, in a URL with or
// without scheme and in relative ones.
func (x *scanner) query(i int) int {
	s := x.s
	if i > 0 && s[i-1] == '<' || i+1 >= len(s) || i < x.opaque {
		return i + 1
	}
	start := i + 1
	for start < len(s) && start-i < 4 && s[start] == '?' {
		start++
	}
	opaque := x.endsURL(i)
	for start < len(s) {
		next, ok := x.parameter(start, opaque)
		if !ok {
			return i + 1 // no query: what follows is read by the other rules
		}
		start = next
		if start >= len(s) || s[start] != '&' && s[start] != ';' && s[start] != '?' {
			return start
		}
		start++
	}
	return start
}

// endsURL reports whether what stands before s[i] is a URL or a path, so that a
// query without = must be one.
func (x *scanner) endsURL(i int) bool {
	for n := i - 1; n >= 0 && i-n < maxName && !endsWord(x.s, n); n-- {
		if x.s[n] == '/' {
			return true
		}
	}
	return false
}

// parameter hides the value of the parameter at s[i] and returns where it ends.
func (x *scanner) parameter(i int, opaque bool) (next int, ok bool) {
	s := x.s
	equals := i
	for equals < len(s) && equals-i < maxLook && s[equals] != '=' && s[equals] != '&' && s[equals] != ';' && s[equals] != '#' && (!endsWord(s, equals) || x.isSpacedKey(i, equals)) {
		equals++
	}
	if equals == len(s) || s[equals] != '=' {
		x.opaque = equals
		end := trimPunctuation(s, i, equals)
		if opaque && end-i > 5 && hasWord(s[i:end]) && !isLetters(s[i:end]) {
			x.hide(i, end)
		}
		return equals, equals < len(s) && (s[equals] == '&' || s[equals] == ';')
	}
	start := equals + 1
	end := start
	for end < len(s) && s[end] != '&' && s[end] != '#' && !(s[end] == ';' && startsKey(s[end+1:])) && (!endsWord(s, end) || isMark(s, end)) {
		end++
	}
	stop := trimPunctuation(s, start, end)
	if !isPublicParameter(s[i:equals], s[start:stop]) {
		x.hide(start, stop)
	}
	return end, true
}

// isSpacedKey reports whether the blank at s[i] stands in the key that begins at
// s[key]: another word and its = follow before anything else.
func (x *scanner) isSpacedKey(key, i int) bool {
	s := x.s
	if s[i] != ' ' || i-key > 32 {
		return false
	}
	n := i + 1
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return n > i+1 && n < len(s) && s[n] == '=' && x.inQuotes(key)
}

// inQuotes reports whether the URL before s[i] began behind a quote.
func (x *scanner) inQuotes(i int) bool {
	for n := i - 1; n >= 0 && i-n < maxStruct; n-- {
		if endsWord(x.s, n) {
			return x.s[n] == '"'
		}
	}
	return false
}

// isMark reports whether the angle bracket at s[i] stands for a name that people
// removed: scope=repository%3A<user>%2F<project>.
func isMark(s string, i int) bool {
	switch s[i] {
	case '<':
		n := strings.IndexByte(s[i:min(len(s), i+40)], '>')
		return n > 1 && isTag(s[i+1:i+n])
	case '>':
		n := strings.LastIndexByte(s[max(0, i-40):i], '<')
		return n >= 0
	}
	return false
}

func hasWord(s string) bool {
	for i := range len(s) {
		if isWord(s[i]) {
			return true
		}
	}
	return false
}

// fragment hides what stands behind the # of a URL, at i, if it is a list of
// parameters or a secret; the name of a section stays.
func (x *scanner) fragment(i int) int {
	if !x.endsURL(i) {
		return i + 1
	}
	start := i + 1
	for start < len(x.s) && start-i < 4 && strings.IndexByte("&;#?", x.s[start]) >= 0 {
		start++
	}
	end := start
	for end < len(x.s) && isKeyByte(x.s[end]) {
		end++
	}
	if end < len(x.s) && x.s[end] == '=' {
		next, _ := x.parameter(start, false)
		return next
	}
	end = trimPunctuation(x.s, start, wordEnd(x.s[:min(len(x.s), start+maxLook)], start))
	if text := x.s[start:end]; looksSecret(text) && !isObjectName(text) {
		return x.hide(start, end)
	}
	return start
}
