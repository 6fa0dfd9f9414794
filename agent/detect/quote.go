package detect

import "strings"

// cutQuoted takes a string in double quotes, as %q prints it, off the front of
// s. One that was cut ends with the text.
func cutQuoted(s string) (content, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", s, false
	}
	n := strictQuote(s[1:])
	return unescape(s[1 : 1+n]), s[min(len(s), n+2):], true
}

// between is the text between two marks, rest what follows the second; ok is
// false if one of them is missing.
func between(s, before, after string) (content, rest string, ok bool) {
	_, s, found := strings.Cut(s, before)
	if !found {
		return "", "", false
	}
	return strings.Cut(s, after)
}

// cutLast cuts s at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if n := strings.LastIndex(s, sep); n >= 0 {
		return s[:n], s[n+len(sep):], true
	}
	return s, "", false
}
