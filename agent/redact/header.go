package redact

import "strings"

// headers are HTTP headers whose value is a credential.
var headers = [...]string{
	"authorization", "proxy-authorization", "x-registry-auth", "x-registry-config", "cookie", "set-cookie",
	"private-token", "job-token", "x-auth-token", "x-amz-security-token", "x-api-key", "x-vault-token",
	"x-jfrog-art-api",
}

func isHeader(key string) bool {
	for _, h := range headers {
		if len(key) == len(h) && strings.EqualFold(key, h) {
			return true
		}
	}
	return false
}

// schemes are those of Authorization values. WWW-Authenticate values have the
// same shape but tell no secret: "Bearer realm=…" stays.
var schemes = [...]string{
	"bearer", "basic", "digest", "negotiate", "ntlm", "aws4-hmac-sha256", "token", "apikey", "hawk",
}

func isSchemeWord(word string) bool {
	for _, s := range schemes {
		if len(word) == len(s) && strings.EqualFold(word, s) {
			return true
		}
	}
	return false
}

// header redacts the value of an HTTP header whose name begins at start and
// whose value follows at i. "authorization: …" is also what containerd's
// "repository does not exist or may require authorization: server message: …"
// looks like, so that in prose a scheme must follow.
func (x *scanner) header(start, i int) int {
	i = skipBlanks(x.s, i)
	for i < len(x.s) && x.s[i] == '[' {
		i++
	}
	if i == len(x.s) {
		return i
	}
	if n := quoteAt(x.s, i); n > 0 {
		return x.value(i)
	}
	end := bareEnd(x.s, i)
	word := x.s[i:end]
	name := x.s[start]
	if !isSchemeWord(word) && (name >= 'a' || !startsLine(x.s, start)) && !looksSecret(word) {
		return i
	}
	if isSchemeWord(word) {
		if after := skipBlanks(x.s, end); after > end && !isChallenge(x.s[after:]) {
			return x.replaceHeader(after, word)
		}
		return end
	}
	return x.replaceHeader(i, word)
}

// isOneWord reports whether the credential behind a scheme is one word, with no parameters.
func isOneWord(scheme string) bool {
	return strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "basic")
}

// replaceHeader redacts a header's value: one word for the schemes that have
// one, else all that follows in the line.
func (x *scanner) replaceHeader(i int, scheme string) int {
	end := paramsEnd(x.s, i)
	if isOneWord(scheme) {
		end = trimPunctuation(x.s, i, bareEnd(x.s, i))
	}
	if isPlaceholder(x.s[i:end]) {
		return end
	}
	return x.replace(i, end)
}

// isChallenge reports whether s is what follows the scheme in a
// WWW-Authenticate value.
func isChallenge(s string) bool {
	return hasPrefixFold(s, "realm=") || hasPrefixFold(s, "error=")
}

// plainWords are what follows the word bearer or basic in prose.
var plainWords = [...]string{
	"access", "and", "auth", "authentication", "authorization", "challenge", "challenges", "checks", "constraints",
	"credential", "credentials", "error", "for", "format", "from", "header", "headers", "http", "image", "images",
	"is", "login", "not", "or", "plan", "registry", "request", "requests", "scheme", "support", "tier", "token",
	"tokens", "type", "usage", "username", "was", "with",
}

// scheme redacts the credential behind the word Bearer or Basic at i.
func (x *scanner) scheme(i int) int {
	if !startsWord(x.s, i) {
		return i + 1
	}
	n := len("basic")
	if hasPrefixFold(x.s[i:], "bearer") {
		n = len("bearer")
	} else if !hasPrefixFold(x.s[i:], "basic") {
		return i + 1
	}
	start := skipBlanks(x.s, i+n)
	for start < len(x.s) && (x.s[start] == ' ' || x.s[start] == '+') {
		start++
	}
	for strings.HasPrefix(x.s[start:], "%20") {
		start += len("%20")
	}
	if start == i+n {
		return start
	}
	end := start
	for end < len(x.s) && isTokenByte(x.s[end]) {
		end++
	}
	end = trimPunctuation(x.s, start, end)
	word := x.s[start:end]
	if isPlainWord(word) || isChallenge(word) || strings.HasPrefix(word, "--") || x.s[i] == 'b' && n == len("basic") && !looksEncoded(word) {
		return start
	}
	return x.replace(start, end)
}

func isTokenByte(c byte) bool { return isWord(c) || strings.IndexByte("-._~+/=%", c) >= 0 }

func isPlainWord(word string) bool {
	if len(word) < 3 {
		return true
	}
	for _, w := range plainWords {
		if len(w) == len(word) && strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// looksEncoded reports whether a word can be base64 rather than English.
func looksEncoded(word string) bool {
	return len(word) >= 8 && strings.ContainsAny(word, "=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}
