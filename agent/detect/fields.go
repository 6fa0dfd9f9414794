package detect

import "bytes"

// fields is the part of a record that holds keys and values: logrus and slog
// text (containerd/log v0.2.0, sirupsen/logrus v1.10.2 text_formatter.go), klog
// (klog v2.140.0 internal/serialize) or one JSON object.
type fields struct {
	rest []byte
	json bool
}

// get returns the value of the first field with this key.
func (f fields) get(key string) (value, bool) {
	for {
		k, v, ok := f.next()
		if !ok {
			return value{}, false
		}
		if string(k) == key {
			return v, true
		}
	}
}

// message is the field "msg", and where the others are: behind it in what logrus
// writes (time, level and msg come first), anywhere in other records.
func (f fields) message() (msg value, others fields, ok bool) {
	others = f
	for n := 0; ; n++ {
		key, v, found := f.next()
		if !found {
			return value{}, others, false
		}
		if string(key) == "msg" {
			if n <= 2 && !f.json {
				others = f
			}
			return v, others, true
		}
		if k := string(key); k != "time" && k != "level" {
			n += 2
		}
	}
}

// text is the decoded value of a key, empty if there is none.
func (f fields) text(key string) string {
	v, _ := f.get(key)
	return v.text()
}

// next takes the next field off the front.
func (f *fields) next() (key []byte, v value, ok bool) {
	if f.json {
		return f.nextMember()
	}
	return f.nextPair()
}

// nextPair reads key=value. Words without "=" are passed over.
func (f *fields) nextPair() (key []byte, v value, ok bool) {
	for {
		n := keyEnd(f.rest)
		if n == len(f.rest) {
			return nil, value{}, false
		}
		key, f.rest = f.rest[:n], f.rest[n:]
		if f.rest[0] != '=' || n == 0 {
			f.rest = f.rest[1:]
			continue
		}
		v, f.rest = cutValue(f.rest[1:])
		return key, v, true
	}
}

// keyEnd is the index of what ends a word that may be a key.
func keyEnd(b []byte) int {
	for i, c := range b {
		if c == '=' || c == ' ' || c == '\n' || c == '\t' || c == '\r' {
			return i
		}
	}
	return len(b)
}

// bareEnd is the index of the space or newline that ends a value.
func bareEnd(b []byte) int {
	for i, c := range b {
		if c == ' ' || c == '\n' {
			return i
		}
	}
	return len(b)
}

// cutValue takes a value off the front of b.
func cutValue(b []byte) (value, []byte) {
	switch {
	case starts(b, `"`):
		n := closingQuote(b[1:])
		return value{b[1 : 1+n], quoted}, b[min(len(b), n+2):]
	case starts(b, "<\n"):
		b = b[2:]
		n := bytes.Index(b, []byte("\n >"))
		if n < 0 {
			return value{b, block}, nil
		}
		return value{b[:n], block}, b[n+3:]
	case starts(b, "{"), starts(b, "["):
		n := closingBracket(b)
		return value{b[:n], bare}, b[n:]
	}
	n := bareEnd(b)
	return value{b[:n], bare}, b[n:]
}

// closingQuote is the index of the quote that ends a value, or the length of b
// if it was cut. A quote ends a value only if the record or another field
// follows: containerd 1.1 to 1.3 wrote errors with quotes that are not escaped.
func closingQuote(b []byte) int {
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n
		if !escaped(b, i) && endsValue(b[i+1:]) {
			return i
		}
	}
}

// escaped reports whether an odd number of backslashes precedes b[i].
func escaped[T []byte | string](b T, i int) bool {
	n := 0
	for i-n > 0 && b[i-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// maxKey bounds the name of a field, in bytes.
const maxKey = 64

// endsValue reports whether what follows a quote is the end or a field.
func endsValue(rest []byte) bool {
	if len(rest) == 0 || rest[0] == '\n' || rest[0] == '\r' {
		return true
	}
	if rest[0] != ' ' {
		return false
	}
	rest = rest[1:min(len(rest), maxKey)]
	for len(rest) > 0 && rest[0] == ' ' {
		rest = rest[1:]
	}
	for i, c := range rest {
		switch {
		case c == '=':
			return i > 0
		case c == '\n' || c == '\r':
			return i == 0
		case !keyByte(c):
			return false
		}
	}
	return len(rest) == 0
}

func keyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '_' || c == '.' || c == '-' || c == '/'
}

// closingBracket is the length of the JSON value, or of the list that klog
// prints with %v, at the start of b.
func closingBracket(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += 1 + strictQuote(b[i+1:])
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}

// strictQuote is the index of the first quote that is not escaped, or the
// length of b.
func strictQuote[T []byte | string](b T) int {
	for i := 0; ; i++ {
		n := indexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n
		if !escaped(b, i) {
			return i
		}
	}
}

// nextMember reads "key":value of the outermost JSON object.
func (f *fields) nextMember() (key []byte, v value, ok bool) {
	f.rest = bytes.TrimLeft(f.rest, " \t\r\n,{")
	if !starts(f.rest, `"`) {
		return nil, value{}, false
	}
	n := strictQuote(f.rest[1:])
	key = f.rest[1 : 1+n]
	f.rest = bytes.TrimLeft(f.rest[min(len(f.rest), n+2):], " \t:")
	v, f.rest = cutMember(f.rest)
	return key, v, true
}

func cutMember(b []byte) (value, []byte) {
	switch {
	case starts(b, `"`):
		n := strictQuote(b[1:])
		return value{b[1 : 1+n], quoted}, b[min(len(b), n+2):]
	case starts(b, "{"), starts(b, "["):
		n := closingBracket(b)
		return value{b[:n], bare}, b[n:]
	}
	n := bytes.IndexAny(b, ",}")
	if n < 0 {
		n = len(b)
	}
	return value{b[:n], bare}, b[n:]
}
