package redact

import "strings"

// maxUserinfo bounds how long user and password may be.
const maxUserinfo = 256

// userinfo hides what stands before the @ of a URL whose scheme begins at scheme and
// whose authority begins at i, and returns where the authority begins.
func (x *scanner) userinfo(scheme, i int) int {
	if !x.addresses {
		return i
	}
	s := x.s[:min(len(x.s), i+maxLook)]
	end := wordEnd(s, i)
	authority := i
	for authority < end && strings.IndexByte("/?#", s[authority]) < 0 {
		authority++
	}
	if at := lastAt(s, i, authority); at > i {
		x.hide(i, at)
		return i
	}
	n := strings.LastIndexByte(s[i:authority], ':')
	if n < 0 || strings.HasSuffix(s[i:authority], "]") {
		return i
	}
	// What follows the colon is a port, or the beginning of a password that
	// holds a slash, a space, a quote or another byte that ends a URL.
	port := s[i+n+1 : authority]
	if isDigits(port) {
		if at := hostAt(s[:end], i); at >= 0 {
			x.hide(i, at)
		} else if at := x.literalAt(scheme, i); at >= 0 {
			x.hide(i, at)
		}
		return i
	}
	at := lastAt(s, i, end)
	if at < 0 {
		at = x.brokenAt(i, end)
	}
	if at >= 0 {
		x.hide(i, at)
		x.invalidPort(at, port)
	}
	return i
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// brokenAt returns the @ behind s[end] that ends the userinfo begun at i, whose password
// holds a byte that ends a word; -1 if none stands in the same line.
func (x *scanner) brokenAt(i, end int) int {
	s := x.s
	limit := min(len(s), i+maxUserinfo)
	for n := end; n < limit; n++ {
		if s[n] == '\n' || s[n] == ':' && strings.HasPrefix(s[n:], "://") {
			return -1
		}
		if s[n] == '@' && !startsDigest(s[n+1:]) && n+1 < len(s) && (isWord(s[n+1]) || s[n+1] == '[') {
			return n
		}
	}
	return -1
}

// literalAt returns the @ of user:password@host where that is all of the quoted text that
// begins at open; -1 if it is not.
func (x *scanner) literalAt(open, i int) int {
	s := x.s
	if open == 0 || s[open-1] != '"' {
		return -1
	}
	s = s[:min(len(s), i+maxUserinfo)]
	end := closingQuote(s, open-1, 1)
	if end >= len(s) {
		return -1
	}
	if at := lastAt(s, i, end); at > i && startsHost(s[at+1:end]) {
		return at
	}
	return -1
}

// invalidPort hides the part of a password that Go quotes again, as in
// parse "http://bob:x/y@proxy": invalid port ":x" after host.
func (x *scanner) invalidPort(i int, port string) {
	const text = `invalid port ":`
	if n := strings.Index(x.s[i:min(len(x.s), i+2*maxUserinfo)], text); n >= 0 && port != "" {
		start := i + n + len(text)
		x.hide(start, closingQuote(x.s, start-2, 1))
	}
}

// lastAt returns where the last @ in s[i:end] is that begins no digest; -1 if there is none.
func lastAt(s string, i, end int) int {
	for {
		n := strings.LastIndexByte(s[i:end], '@')
		if n < 0 {
			return -1
		}
		if end = i + n; !startsDigest(s[end+1:]) {
			return end
		}
	}
}

// hostAt returns where the last @ is that stands before the query and fragment of the URL
// behind s[i] and has a host behind it; -1 if there is none.
func hostAt(s string, i int) int {
	end := len(s)
	if n := strings.IndexAny(s[i:], "?#"); n >= 0 {
		end = i + n
	}
	at := lastAt(s, i, end)
	if at >= 0 && startsHost(s[at+1:]) {
		return at
	}
	return -1
}

// startsHost reports whether the rest of a URL, which follows an @, begins with a host: a
// path follows, or a port, or it is an IP address or its last label is of letters.
func startsHost(rest string) bool {
	if strings.HasPrefix(rest, "[") {
		return true
	}
	end := strings.IndexAny(rest, "/?#")
	if end >= 0 {
		return rest[end] == '/' && end > 0
	}
	host := rest[:trimPunctuation(rest, 0, len(rest))]
	if _, port, found := strings.Cut(host, ":"); found {
		return port != ""
	}
	if strings.Trim(host, "0123456789.") == "" {
		return strings.Count(host, ".") == 3
	}
	label := host[strings.LastIndexByte(host, '.')+1:]
	return len(label) < len(host) && isLetters(label)
}

// address hides user:password before the @ at i outside of a URL with a scheme, as in
// HTTP_PROXY=user:password@proxy:3128. An image name:tag@sha256:… stays.
func (x *scanner) address(i int) int {
	s := x.s[:min(len(x.s), i+maxUserinfo)]
	if i+1 >= len(s) || !isWord(s[i+1]) && s[i+1] != '[' || startsDigest(s[i+1:]) {
		return i + 1
	}
	start := i
	for start > 0 && i-start < maxUserinfo && !endsWord(s, start-1) {
		start--
	}
	if at := x.quotedAddress(i); at >= 0 {
		x.hide(at, i)
		return i + 1
	}
	if n := strings.Index(s[start:i], "://"); n >= 0 {
		return i + 1
	}
	start += strings.LastIndexByte(s[start:i], '[') + 1
	colon := strings.IndexByte(s[start:i], ':')
	if colon < 0 || colon == i-start-1 {
		return i + 1
	}
	if n := strings.IndexByte(s[start:start+colon], '='); n >= 0 {
		start += n + 1 // HTTP_PROXY=
		colon -= n + 1
	}
	for start < i && (s[start] == '(' || s[start] == '\'' || s[start] == '/') {
		start++
		colon--
	}
	rest := s[i+1 : wordEnd(s, i+1)]
	if strings.Contains(s[start:i], "/") && !startsHost(rest) {
		return i + 1 // registry:5000/app@latest
	}
	x.hide(start, i)
	return i + 1
}

// quotedAddress returns where user:password begins if it and the host behind the @ at i
// are all of a quoted text, so that the password may hold any byte; -1 if they are not.
func (x *scanner) quotedAddress(i int) int {
	s := x.s[:min(len(x.s), i+maxUserinfo)]
	open := i
	for open > 0 && i-open < maxUserinfo {
		open--
		if c := s[open]; c == '\n' {
			return -1
		} else if c == '"' && (open == 0 || s[open-1] == ' ' || s[open-1] == '=' || s[open-1] == '(') {
			break
		}
	}
	if s[open] != '"' {
		return -1
	}
	user := open + 1
	if n := strings.Index(s[user:i], "://"); n >= 0 {
		user += n + len("://")
	}
	n := user
	for n < i && (isKeyByte(s[n]) || s[n] == '@' || s[n] == '%') {
		n++
	}
	end := closingQuote(s, open, 1)
	if n == i || s[n] != ':' || n+1 < len(s) && s[n+1] == ' ' || end <= i || strings.IndexByte(s[i+1:end], ' ') >= 0 || !startsHost(s[i+1:end]) {
		return -1
	}
	return user
}

// startsDigest reports whether s begins with the algorithm of a digest, or is
// what was left of it when the text was cut.
func startsDigest(s string) bool {
	for _, algorithm := range [...]string{"sha256:", "sha512:", "sha384:"} {
		if strings.HasPrefix(s, algorithm) || len(s) < len(algorithm) && strings.HasPrefix(algorithm, s) {
			return true
		}
	}
	return false
}
