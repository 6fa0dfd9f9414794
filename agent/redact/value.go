package redact

import "strings"

// value redacts the value that begins at i, quoted or not, of a key that names
// a secret; of a list of values, [a], the first. An Authorization value keeps its scheme.
func (x *scanner) value(i int) int {
	if i < len(x.s) && x.s[i] == '[' {
		i++
	}
	if n := quoteAt(x.s, i); n > 0 {
		end := closingQuote(x.s, i, n)
		return x.replaceValue(i+n, end)
	}
	if strings.HasPrefix(x.s[i:], "--") {
		return i // a flag, no value
	}
	end := trimPunctuation(x.s, i, fieldEnd(x.s, i))
	if scheme := x.s[i:end]; isSchemeWord(scheme) {
		if after := afterScheme(x.s, end, scheme); after > end {
			return x.replaceHeader(after, scheme)
		}
	}
	return x.replaceValue(i, end)
}

// afterScheme returns where the credential begins behind a scheme that ends at i, perhaps
// with a comma; i if none follows.
func afterScheme(s string, i int, scheme string) int {
	start := i
	if isOneWord(scheme) && strings.HasPrefix(s[i:], ",") {
		start++
	}
	after := skipBlanks(s, start)
	if after == start || start > i && startsKey(s[after:]) {
		return i
	}
	return after
}

// skipBlanks returns where the blanks at s[i] end; a tab may be quoted at any depth.
func skipBlanks(s string, i int) int {
	for i < len(s) {
		n := i
		for n < len(s) && s[n] == '\\' {
			n++
		}
		switch {
		case n > i && n < len(s) && s[n] == 't':
			i = n + 1
		case s[i] == ' ' || s[i] == '\t':
			i++
		default:
			return i
		}
	}
	return i
}

func (x *scanner) replaceValue(start, end int) int {
	v := x.s[start:end]
	if isPlaceholder(v) {
		return end
	}
	if word, rest, found := strings.Cut(v, " "); found && isSchemeWord(word) && strings.TrimSpace(rest) != "" {
		return x.replace(start+len(word)+1, end)
	}
	return x.replace(start, end)
}

// isPlaceholder reports whether v stands for no value at all.
func isPlaceholder(v string) bool {
	switch v {
	case "", "<nil>", "nil", "null", "none", "true", "false", "[]", "{}", "map[]", `""`, "''", Replacement:
		return true
	}
	return false
}

// quoteAt returns the length of the opening quote at s[i], with the
// backslashes before it; 0 if there is none.
func quoteAt(s string, i int) int {
	n := i
	for n < len(s) && s[n] == '\\' {
		n++
	}
	if n < len(s) && (s[n] == '"' || s[n] == '\'' && n == i) {
		return n + 1 - i
	}
	return 0
}

// closingQuote returns the end of a quoted value whose opening quote, n bytes
// long, is at i: text quoted at the same depth. Without one the value goes to
// the end of the line, which was cut.
func closingQuote(s string, i, n int) int {
	quote := s[i+n-1]
	slashes := 0
	for j := i + n; j < len(s); j++ {
		switch {
		case s[j] == '\\':
			slashes++
			continue
		case s[j] == quote && slashes < n, s[j] == '\n':
			return j - slashes
		}
		slashes = 0
	}
	return len(s)
}

// bareEnd returns the end of the unquoted word or URL at s[i].
func bareEnd(s string, i int) int {
	for i < len(s) && !endsWord(s, i) {
		i++
	}
	return i
}

// endsWord reports whether an unquoted word ends at s[i]: at a space, a quote
// at any depth, an angle bracket, or an escaped newline.
func endsWord(s string, i int) bool {
	c := s[i]
	return c <= ' ' || c == '"' || c == '`' || c == '<' || c == '>' || c == '\\' && endsInEscape(s[i:])
}

// endsInEscape reports whether the backslashes at the beginning of s quote
// something that ends a word.
func endsInEscape(s string) bool {
	i := 0
	for i < len(s) && s[i] == '\\' {
		i++
	}
	return i == len(s) || strings.IndexByte(`"nrt`, s[i]) >= 0
}

// fieldEnd returns the end of the unquoted value at s[i], which may be one of
// several: a=1,b=2 or a=1&b=2 or {A:1,B:2}.
func fieldEnd(s string, i int) int {
	for ; i < len(s) && !endsWord(s, i); i++ {
		switch s[i] {
		case '&':
			return i
		case '%':
			if hasPrefixFold(s[i:], "%26") {
				return i
			}
		case '\\':
			if strings.HasPrefix(s[i:], `\u0026`) {
				return i
			}
		case ',', ';':
			if startsKey(s[i+1:]) {
				return i
			}
		}
	}
	return i
}

// startsKey reports whether s begins with a key and what separates it from its
// value.
func startsKey(s string) bool {
	n := 0
	for n < len(s) && isKey(s[n]) {
		n++
	}
	return n > 0 && n < len(s) && (s[n] == '=' || s[n] == ':')
}

// trimPunctuation returns the end of s[i:end] without the punctuation that
// belongs to the sentence around it.
func trimPunctuation(s string, i, end int) int {
	for end > i && strings.IndexByte(":,;.)]}'", s[end-1]) >= 0 {
		end--
	}
	return end
}

// paramsEnd returns the end of the line, or of the quotes around s[i], behind the
// parameters of an Authorization value: username="bob", response="x" (RFC 9110
// section 11.2).
func paramsEnd(s string, i int) int {
	for {
		end := lineEnd(s, i)
		n := quoteAt(s, end)
		if n == 0 || !opensParameter(s, i, end, end+n) {
			return end
		}
		i = closingQuote(s, end, n)
		i += quoteAt(s, i)
	}
}

// opensParameter reports whether the quote at s[quote:value] is that of a parameter. It is
// not where it closes a text that ends in the padding of base64.
func opensParameter(s string, i, quote, value int) bool {
	if quote-1 <= i || s[quote-1] != '=' || s[quote-2] == '=' || value == len(s) {
		return false
	}
	if strings.HasPrefix(s[value:], s[quote:value]) {
		return true // an empty one
	}
	c := s[value]
	return c > ' ' && strings.IndexByte("\\\"'`,;:.)]}>", c) < 0
}

func lineEnd(s string, i int) int {
	for ; i < len(s); i++ {
		if c := s[i]; c == '\n' || c == '"' || c == '\'' || c == '\\' && endsInEscape(s[i:]) {
			return i
		}
	}
	return i
}

// looksSecret reports whether a word of prose can be a password: it holds both
// letters and digits and is neither a path, a URL, a digest nor the beginning
// of a further error.
func looksSecret(v string) bool {
	if strings.HasSuffix(v, ":") || strings.ContainsAny(v, "/") || startsDigest(v) {
		return false
	}
	letters, digits := false, false
	for _, c := range []byte(v) {
		letters = letters || isLetter(c)
		digits = digits || isDigit(c)
	}
	return letters && digits
}
