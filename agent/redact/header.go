package redact

import "strings"

// schemes are those of Authorization values. WWW-Authenticate values have the
// same shape but tell no secret: "Bearer realm=…" stays.
var schemes = [...]string{
	"bearer", "basic", "digest", "negotiate", "ntlm", "aws4-hmac-sha256", "token", "apikey", "hawk", "oauth", "sharedkey",
	"sharedkeylite", "mac", "scram-sha-256", "aws", "goog4-rsa-sha256", "key", "jwt", "splunk",
}

func isScheme(word string) bool {
	for _, s := range schemes {
		if len(word) == len(s) && strings.EqualFold(word, s) {
			return true
		}
	}
	return false
}

// authorization hides the value of an Authorization header of any scheme. In
// prose the name stands before other things: containerd's "may require
// authorization: server message: …".
func (x *scanner) authorization(name int, p pair) int {
	s := x.s
	i := skipBlanks(s, p.value)
	for strings.HasPrefix(s[i:], "[]string{") {
		i += len("[]string{")
	}
	for i < len(s) && s[i] == '[' {
		i++
	}
	if n := quoteLength(s, i); n > 0 {
		v := value{start: i + n, end: closingQuote(s, i, n), quoted: true}
		if first, _, _ := strings.Cut(s[v.start:v.end], " "); !isProse(first) || isScheme(first) {
			return x.hideValue(v)
		}
		return i
	}
	end := wordEnd(s, i)
	word := s[i:trimPunctuation(s, i, end)]
	switch {
	case word == "":
	case isScheme(word):
		return x.credential(i, i+len(word))
	case isProse(word) || isStatus(word) || strings.Contains(word, "://"):
	case startsLine(s, name) && isUpper(s[name]) && end < len(s) && hasParameter(s, skipBlanks(s, end)):
		return x.hide(i, paramsEnd(s, i))
	default:
		return x.hide(i, x.customEnd(i, end, word))
	}
	return i
}

// customEnd returns the end of an Authorization value whose first word is no
// known scheme: a scheme that is unknown, or the credential itself.
func (x *scanner) customEnd(i, end int, word string) int {
	next := skipBlanks(x.s, end)
	if end == i+len(word) && next > end {
		stop := trimPunctuation(x.s, next, wordEnd(x.s, next))
		if second := x.s[next:stop]; second != "" && !isProse(second) && !isStatus(second) && isLetters(word) {
			return stop
		}
	}
	return i + len(word)
}

// hasParameter reports whether the word at s[i] is a parameter, a="b" or a=b.
func hasParameter(s string, i int) bool {
	n := i
	for n < len(s) && isKeyByte(s[n]) {
		n++
	}
	return n > i && n+1 < len(s) && s[n] == '=' && (s[n+1] == '"' || isWord(s[n+1]))
}

// credential hides what follows the scheme s[i:end]: one word for the schemes
// that have one, else all that follows in the line.
func (x *scanner) credential(i, end int) int {
	s := x.s
	scheme := s[i:end]
	if strings.HasPrefix(s[end:], ",") {
		if end++; startsKey(s[skipBlanks(s, end):]) {
			return end
		}
	}
	start := skipSpace(s, end)
	for start < len(s) && s[start] == '+' {
		start++ // a blank in a form
	}
	if start == end || isChallenge(s[start:]) {
		return end
	}
	if hasParameter(s, start) && !isOneWord(scheme) {
		return x.hide(start, paramsEnd(s, start))
	}
	stop := start
	for stop < len(s) && !endsWord(s, stop) && s[stop] != '\'' && s[stop] != '&' {
		stop++
	}
	stop = trimPunctuation(s, start, stop)
	if !isOneWord(scheme) && isProse(s[start:stop]) {
		return end
	}
	return x.hide(start, stop)
}

// isOneWord reports whether the credential behind a scheme is one word, with no parameters.
func isOneWord(scheme string) bool {
	switch len(scheme) {
	case len("bearer"):
		return strings.EqualFold(scheme, "bearer")
	case len("basic"):
		return strings.EqualFold(scheme, "basic")
	}
	return false
}

// isChallenge reports whether s is what follows the scheme in a
// WWW-Authenticate value.
func isChallenge(s string) bool {
	return hasPrefixFold(s, "realm=") || hasPrefixFold(s, "error=")
}

// scheme hides the credential behind the word Bearer or Basic, if s[i:end] is one of them.
func (x *scanner) scheme(i, end int) int {
	run := x.s[i:end]
	if !isOneWord(run) || i > 0 && x.s[i-1] == '/' {
		return i
	}
	next := end
	if next+1 < len(x.s) && (x.s[next] == '=' || x.s[next] == ':' && isSpace(x.s[next+1])) {
		next++ // basic:1.0 is an image
	}
	if strings.HasPrefix(x.s[next:], ",") {
		return end
	}
	start := skipSpace(x.s, next)
	for start < len(x.s) && x.s[start] == '+' {
		start++
	}
	if start == end {
		return end
	}
	stop := start
	for stop < len(x.s) && (isWord(x.s[stop]) || strings.IndexByte("-._~+/=%!$*#@^", x.s[stop]) >= 0) {
		stop++
	}
	stop = trimPunctuation(x.s, start, stop)
	word := x.s[start:stop]
	if len(word) < 3 || isProse(word) || isChallenge(word) || strings.HasPrefix(word, "--") || isStatus(word) {
		return end
	}
	return x.hide(start, stop)
}

// cookies hides the pairs of a Cookie or Set-Cookie value: a=b; c=d; HttpOnly.
func (x *scanner) cookies(p pair) int {
	s := x.s
	i := p.value
	for i < len(s) && s[i] == '[' {
		i++
	}
	if n := quoteLength(s, i); n > 0 {
		if end := closingQuote(s, i, n); !isProse(s[i+n : end]) {
			return x.hide(i+n, end)
		}
		return i
	}
	end := i
	for {
		stop := end
		for stop < len(s) && s[stop] != ';' && (!endsWord(s, stop) || s[stop] == '"' && s[max(0, stop-1)] == '=') {
			if s[stop] == '"' {
				stop = closingQuote(s, stop, 1)
			}
			stop = min(stop+1, len(s))
		}
		end = stop
		if end == len(s) || s[end] != ';' {
			break
		}
		next := skipBlanks(s, end+1)
		if next == len(s) || !isWord(s[next]) {
			break
		}
		end = next
	}
	end = trimPunctuation(s, i, end)
	if text := s[i:end]; strings.ContainsAny(text, "=;") || looksSecret(text) || p.op == '=' || len(text) > maxLook {
		return x.hide(i, end)
	}
	return i
}

// paramsEnd returns the end of the line, or of the quotes around s[i], behind the
// parameters of an Authorization value: username="bob", response="x" (RFC 9110
// section 11.2).
func paramsEnd(s string, i int) int {
	for {
		end := lineEnd(s, i)
		if end == len(s) || s[end] != '"' || !opensParameter(s, i, end) {
			return end
		}
		i = min(closingQuote(s, end, 1)+1, len(s))
	}
}

// opensParameter reports whether the quote at s[quote] is that of a parameter. It is
// not where it closes a text that ends in the padding of base64.
func opensParameter(s string, i, quote int) bool {
	if quote-1 <= i || s[quote-1] != '=' || s[quote-2] == '=' || quote+1 == len(s) {
		return false
	}
	c := s[quote+1]
	return c == '"' || c > ' ' && strings.IndexByte("\\'`,;:.)]}>", c) < 0
}

func isLetters(s string) bool {
	for _, c := range []byte(s) {
		if !isLetter(c) {
			return false
		}
	}
	return s != ""
}
