package redact

import "strings"

// value is where the value of a name stands.
type value struct {
	start, end int
	quoted     bool
	list       bool // the first of several, up to the closing bracket
	long       bool // longer than anything that explains an error
	deeper     bool // quoted at a deeper level of escaping: another view has it
}

// quotes are the characters around a value, those of typographic quotes too.
var quotes = [...]struct{ open, close string }{
	{`"`, `"`}, {`'`, `'`}, {"`", "`"}, {"“", "”"}, {"‘", "’"}, {"„", "“"}, {"«", "»"},
}

// quoteLength is the length of the quote at s[i], 0 if there is none.
func quoteLength(s string, i int) int {
	if i >= len(s) || s[i] > '`' && s[i] < 0x80 {
		return 0
	}
	for _, q := range quotes {
		if strings.HasPrefix(s[i:], q.open) {
			return len(q.open)
		}
		if strings.HasPrefix(s[i:], q.close) {
			return len(q.close)
		}
	}
	return 0
}

// valueAt reads the value at s[i], quoted or not, of the name at s[name:]; of a list its
// first.
func (x *scanner) valueAt(i, name int) value {
	s := x.s
	v := value{}
	switch {
	case strings.HasPrefix(s[i:], "[]string{"):
		i, v.list = i+len("[]string{"), true
	case i < len(s) && (s[i] == '[' || s[i] == '('):
		i, v.list = i+1, true
	case strings.HasPrefix(s[i:], ">-"), strings.HasPrefix(s[i:], ">\n"), strings.HasPrefix(s[i:], "|\n"), strings.HasPrefix(s[i:], "|-"):
		if n := strings.IndexByte(s[i:min(len(s), i+8)], '\n'); n >= 0 { // a block of YAML
			i = skipSpace(s, i+n)
		}
	}
	v.start, v.end = i, i
	if i >= len(s) {
		return v
	}
	if n := quoteLength(s, i); n > 0 {
		v.quoted = true
		v.start, v.end = i+n, closingQuote(s, i, n)
		return v
	}
	if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\' || s[i+1] == '\'') {
		v.deeper = true
		return v
	}
	if i > 0 && isBlank(s[i-1]) && strings.HasPrefix(s[i:], "--") {
		return v // a flag, no value
	}
	end := x.fieldEnd(i, min(len(s), i+maxLook), name)
	if v.long = end == i+maxLook; v.long && !isPublic(s[i:end]) {
		end = x.fieldEnd(i, len(s), name)
	}
	v.end = trimPunctuation(s, i, end)
	return v
}

// hideValue hides v, but for the scheme of an Authorization value; of a list
// all that is in it. It returns where v ends.
func (x *scanner) hideValue(v value) int {
	text := x.s[v.start:v.end]
	if word, rest, found := strings.Cut(text, " "); found && isScheme(word) && strings.TrimSpace(rest) != "" {
		x.hide(v.start+len(word)+1, v.end)
	} else if !v.quoted && isScheme(text) {
		return x.credential(v.start, v.end)
	} else {
		x.hide(v.start, v.end)
	}
	if v.list && v.quoted {
		x.hideList(v.end + 1)
	}
	return v.end
}

// hideList hides the quoted values of a list up to its closing bracket.
func (x *scanner) hideList(i int) {
	for i < len(x.s) && (isSpace(x.s[i]) || x.s[i] == ',') {
		i++
	}
	for i < len(x.s) {
		n := quoteLength(x.s, i)
		if n == 0 {
			return
		}
		end := closingQuote(x.s, i, n)
		x.hide(i+n, end)
		for i = end + 1; i < len(x.s) && (isSpace(x.s[i]) || x.s[i] == ','); {
			i++
		}
	}
}

// isPlaceholder reports whether v stands for no value at all.
func isPlaceholder(v string) bool {
	switch v {
	case "", "<nil>", "nil", "null", "none", "true", "false", "[]", "{}", "map[]", `""`, "''", Replacement:
		return true
	}
	return strings.Trim(v, "*") == ""
}

// closingQuote returns the end of a quoted value whose opening quote, n bytes
// long, is at i. Without one the value goes to the end of the line, which was cut.
func closingQuote(s string, i, n int) int {
	closer := s[i : i+n]
	for _, q := range quotes {
		if q.open == closer {
			closer = q.close
			break
		}
	}
	if n > 1 {
		s = s[:min(len(s), i+maxLook)] // a quotation in prose
	}
	for j := i + n; j < len(s); j++ {
		switch {
		case s[j] == '\\' && n == 1:
			j++
		case s[j] == '\n':
			return j
		case strings.HasPrefix(s[j:], closer):
			return j
		}
	}
	return len(s)
}

// wordEnd returns the end of the unquoted word or URL at s[i].
func wordEnd(s string, i int) int {
	for i < len(s) && !endsWord(s, i) {
		i++
	}
	return i
}

// wordStart returns where the unquoted word around s[i] begins; only so far back is looked.
func wordStart(s string, i int) int {
	from := i
	for i > 0 && from-i < maxStruct && !endsWord(s, i-1) {
		i--
	}
	return i
}

// endsWord reports whether an unquoted word ends at s[i]: at a space, a quote,
// an angle bracket, or an escaped quote or line break.
func endsWord(s string, i int) bool {
	c := s[i]
	return c <= ' ' || c == '"' || c == '`' || c == '<' || c == '>' ||
		c == '\\' && endsInEscape(s[i:]) || c == 0xe2 && (strings.HasPrefix(s[i:], "”") || strings.HasPrefix(s[i:], "’"))
}

// endsInEscape reports whether the backslashes at the beginning of s escape
// something that ends a word.
func endsInEscape(s string) bool {
	i := 0
	for i < len(s) && s[i] == '\\' {
		i++
	}
	return i == len(s) || strings.IndexByte(`"nrtu`, s[i]) >= 0
}

// fieldEnd returns the end of the unquoted value at s[i], which may be one of
// several: a=1,b=2 or a=1&b=2 or {A:1,B:2}. A value of %+v may hold spaces.
func (x *scanner) fieldEnd(i, limit, name int) int {
	s := x.s[:limit]
	from := i
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '<' && !startsTag(s[i:]): // part of the value
		case endsWord(s, i):
			if c == ' ' && x.isStructField(name) {
				if end := structFieldEnd(s, i); end > i {
					return end
				}
			}
			return i
		case (c == '&' || c == ',' || c == ';') && startsKey(s[i+1:]):
			return i
		case (c == '}' || c == ']') && i > from && (i+1 == len(s) || s[i+1] == ' ' || s[i+1] == ']' || s[i+1] == '}'):
			return i
		}
	}
	return i
}

func startsTag(s string) bool {
	if len(s) < 2 || s[1] == '/' {
		return true
	}
	n := 1
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return n > 1 && n < len(s) && (s[n] == '>' || s[n] == ' ' || s[n] == '/')
}

// isStructField reports whether the name at s[i] is that of a field in %+v of a struct.
func (x *scanner) isStructField(i int) bool {
	return i > 1 && isUpper(x.s[i]) && (x.s[i-1] == ' ' || x.s[i-1] == '{') && x.startsField(i)
}

// structFieldEnd returns where the next field or the end of the struct stands behind the
// blank at s[i]; i if neither does.
func structFieldEnd(s string, i int) int {
	for j := i; j < min(len(s), i+maxStruct); j++ {
		switch {
		case s[j] == '}':
			return j
		case s[j] == '\n' || s[j] == '"' || s[j] == '{':
			return i
		case s[j] == ' ' && j+1 < len(s) && isUpper(s[j+1]) && startsField(s[j+1:]):
			return j
		}
	}
	return i
}

func startsField(s string) bool {
	n := 0
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return n > 0 && n < len(s) && s[n] == ':'
}

// startsKey reports whether s begins with a key and what separates it from its
// value.
func startsKey(s string) bool {
	s = strings.TrimPrefix(s, "amp;")
	n := 0
	for n < len(s) && n < maxName && isKeyByte(s[n]) {
		n++
	}
	return n > 0 && n+1 < len(s) && (s[n] == '=' || s[n] == ':' && !isSpace(s[n+1]))
}

// trimPunctuation returns the end of s[i:end] without the punctuation that
// belongs to the sentence around it.
func trimPunctuation(s string, i, end int) int {
	for end > i && strings.IndexByte(":,;.)]}'", s[end-1]) >= 0 {
		end--
	}
	return end
}

// lineEnd returns where the line or the quoted text around s[i] ends.
func lineEnd(s string, i int) int {
	for ; i < len(s); i++ {
		if c := s[i]; c == '\n' || c == '\r' || c == '"' || c == '\'' || c == '\\' && endsInEscape(s[i:]) {
			return i
		}
	}
	return i
}
