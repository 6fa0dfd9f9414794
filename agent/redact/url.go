package redact

import "strings"

// URL returns the URL s without userinfo, and with every query value replaced
// but those of ns, scope and service, which name a registry, a repository and
// a token service.
func URL(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i+1] + query(s[i+1:])
	}
	return Text(s)
}

// query redacts all of a query string, whatever its values hold.
func query(q string) string {
	var out strings.Builder
	for i := 0; i < len(q); {
		n := strings.IndexAny(q[i:], "&#")
		if n < 0 {
			n = len(q) - i
		}
		key, value, pair := strings.Cut(q[i:i+n], "=")
		switch {
		case pair && (value == "" || isPublicParameter(key)):
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
// shown: ns is what containerd tells a mirror (core/remotes/docker/resolver.go),
// scope and service are those of a token URL (OCI distribution, token spec).
func isPublicParameter(key string) bool {
	return key == "ns" || key == "scope" || key == "service"
}

// userinfo redacts what stands before the @ of a URL whose authority begins at
// i.
func (x *scanner) userinfo(i int) int {
	if i >= x.url {
		x.url = bareEnd(x.s, i)
		x.at = lastAt(x.s, i, x.url)
		x.pathAt = -1
		if x.at >= 0 {
			x.pathAt = hostAt(x.s[:x.url], i)
		}
	}
	if x.at < i {
		return i
	}
	end := i
	for end < x.url && x.s[end] != '/' && x.s[end] != '?' && x.s[end] != '#' {
		end++
	}
	at := lastAt(x.s, i, end)
	if at < 0 {
		at = x.slashedAt(x.s[i:end])
	}
	if at <= i {
		return i
	}
	return x.replace(i, at)
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

// pathLength returns how much of a URL stands before its query and fragment.
func pathLength(url string) int {
	if n := strings.IndexAny(url, "?#"); n >= 0 {
		return n
	}
	return len(url)
}

// slashedAt returns the @ behind an authority without one, if that is the beginning of
// userinfo whose password holds a slash; -1 if it is not. What follows its colon may be no
// port, and then is part of a password for sure, or look like one: then an @ in the path
// tells, if a host follows it and not the tag of an image.
func (x *scanner) slashedAt(authority string) int {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.HasSuffix(authority, "]") {
		return -1
	}
	for _, c := range []byte(authority[i+1:]) {
		if !isDigit(c) {
			return x.at
		}
	}
	return x.pathAt
}

// hostAt returns where the last @ is that stands before the query and fragment of the URL
// behind s[i] and has a host behind it; -1 if there is none.
func hostAt(s string, i int) int {
	at := lastAt(s, i, i+pathLength(s[i:]))
	if at >= 0 && startsHost(s[at+1:]) {
		return at
	}
	return -1
}

// startsHost reports whether the rest of a URL, which follows an @, begins with a host: a
// path follows, or a port, or it is an IPv4 address or its last label is of letters.
func startsHost(rest string) bool {
	end := strings.IndexAny(rest, "/?#")
	if end >= 0 {
		return rest[end] == '/'
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

func isLetters(s string) bool {
	for _, c := range []byte(s) {
		if !isLetter(c) {
			return false
		}
	}
	return s != ""
}

// looseUserinfo redacts user:password before an @ outside of a URL, as in
// HTTP_PROXY=user:password@proxy:3128. An image name:tag@sha256:… stays.
func (x *scanner) looseUserinfo(at int) int {
	if at < x.url || at+1 >= len(x.s) || !isWord(x.s[at+1]) || startsDigest(x.s[at+1:]) {
		return at + 1
	}
	start, colon := at, false
	for start > x.done && at-start < maxKey && isUserinfo(x.s[start-1]) {
		start--
		colon = colon || x.s[start] == ':'
	}
	if !colon || x.s[start] == ':' || x.s[at-1] == ':' {
		return at + 1
	}
	return x.replace(start, at)
}

// isUserinfo reports whether c is one of the characters that userinfo may hold
// (RFC 3986 section 3.2.1), but for those that end a word in prose.
func isUserinfo(c byte) bool {
	return isWord(c) || strings.IndexByte("-._~!$*+%:^#", c) >= 0
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

// bareQuery redacts a query that is no key=value list.
func (x *scanner) bareQuery(i int) int {
	if i > x.url || i <= x.pair {
		return i
	}
	end := i
	for end < x.url && x.s[end] != '&' {
		if x.s[end] == '=' {
			x.pair = end
			return i
		}
		end++
	}
	end = trimPunctuation(x.s, i, end)
	if hasWord(x.s[i:end]) {
		x.replace(i, end)
	}
	return end
}

func hasWord(s string) bool {
	for i := range len(s) {
		if isWord(s[i]) {
			return true
		}
	}
	return false
}

// percent looks at percent-encoded separators: %3D is =, %3A%2F%2F is ://.
func (x *scanner) percent(i int) int {
	rest := x.s[i:]
	switch {
	case hasPrefixFold(rest, "%3d"):
		return x.equalsPair(i, i+len("%3D"))
	case hasPrefixFold(rest, "%3a%2f%2f"):
		return x.encodedUserinfo(i + len("%3A%2F%2F"))
	case hasPrefixFold(rest, "%3a"):
		return x.encodedPair(i)
	}
	return i + 1
}

// encodedUserinfo redacts what stands before the %40 of a percent-encoded URL
// whose authority begins at i.
func (x *scanner) encodedUserinfo(i int) int {
	for j := i; j < len(x.s) && !endsWord(x.s, j); j++ {
		if x.s[j] != '%' {
			continue
		}
		if hasPrefixFold(x.s[j:], "%2f") {
			break
		}
		if hasPrefixFold(x.s[j:], "%40") && !startsDigest(x.s[j+len("%40"):]) {
			return x.replace(i, j)
		}
	}
	return i
}
