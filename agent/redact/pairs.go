package redact

import "strings"

// maxKey bounds how far back a key is looked for, in bytes.
const maxKey = 256

// secretSuffixes end the names of values that are secrets, in lower case and
// without - _ and dots: registryToken, AWS_SECRET_ACCESS_KEY, client-secret.
// They are listed by their last letter.
var secretSuffixes = [128][]string{
	'd': {"password", "passwd", "accesskeyid", "googleaccessid", "pwd"},
	'e': {"passphrase", "passcode", "signature", "cookie"},
	'g': {"dockercfg"},
	'h': {"registryauth", "basicauth", "proxyauth", "dockerauth"},
	'l': {"credential"},
	'n': {"token", "authorization", "dockerconfigjson", "clientassertion"},
	's': {"credentials"},
	't': {"secret"},
	'y': {"apikey", "accesskey", "secretkey", "privatekey", "accountkey", "sharedkey", "subscriptionkey"},
}

// secretKeys are names that mean a secret only when they stand alone: auth is
// that of a docker config, sig that of an Azure shared access signature.
var secretKeys = [...]string{"auth", "sig", "pass", "jwt", "bearer", "sas"}

// secretPrefixes begin the parameters of presigned URLs (AWS signature version
// 4, Google Cloud Storage V4 signing).
var secretPrefixes = [...]string{"xamz", "xgoog"}

// isSecretKey reports whether the value of key is a secret.
func isSecretKey(key string) bool {
	if key == "" || !isLetter(key[len(key)-1]) {
		return false
	}
	var buffer [48]byte
	name := buffer[:0]
	for _, c := range []byte(key[max(0, len(key)-len(buffer)):]) {
		switch {
		case isLetter(c):
			name = append(name, c|0x20)
		case isDigit(c):
			name = append(name, c)
		}
	}
	for _, k := range secretKeys {
		if string(name) == k {
			return true
		}
	}
	for _, prefix := range secretPrefixes {
		if len(name) >= len(prefix) && string(name[:len(prefix)]) == prefix {
			return true
		}
	}
	for _, suffix := range secretSuffixes[name[len(name)-1]] {
		if len(name) >= len(suffix) && string(name[len(name)-len(suffix):]) == suffix {
			return true
		}
	}
	return false
}

func isKey(c byte) bool { return isWord(c) || c == '-' || c == '_' || c == '.' }

// keyBefore returns where the key that ends at end begins.
func keyBefore(s string, end int) int {
	start := end
	for start > 0 && end-start < maxKey && isKey(s[start-1]) {
		start--
	}
	// \u0026 is & in JSON, %26 and the like are a separator in an encoded URL.
	switch {
	case start == 0 || end-start < 3:
	case s[start-1] == '\\' && strings.HasPrefix(s[start:end], "u0026"):
		return start + len("u0026")
	case s[start-1] == '%' && isHex(s[start]) && isHex(s[start+1]):
		return start + 2
	}
	return start
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// equalsPair redacts the value of key=value, the = at i and the value from
// value on. In a query every value is redacted that is not known to be public.
func (x *scanner) equalsPair(i, value int) int {
	start := keyBefore(x.s, i)
	if start == i || value >= len(x.s) {
		return value
	}
	key := x.s[start:i]
	if start <= x.url && start > 0 && strings.IndexByte("?&#;6", x.s[start-1]) >= 0 {
		if isPublicParameter(key) {
			return value
		}
		end := strings.IndexAny(x.s[value:x.url], "&#")
		if end < 0 {
			end = x.url - value
		}
		if n := strings.Index(x.s[value:value+end], `\u0026`); n >= 0 {
			end = n
		}
		return x.replace(value, trimPunctuation(x.s, value, value+end))
	}
	if !isSecretKey(key) {
		return value
	}
	return x.value(value)
}

// encodedPair redacts the value of a percent-encoded pair whose colon is at i:
// %22key%22%3A%22value%22 or %7BKey%3Avalue%2C. The tag of an image stays:
// team%2Fauth%3A1.
func (x *scanner) encodedPair(i int) int {
	value := i + len("%3A")
	end := i
	if strings.HasSuffix(x.s[x.done:i], "%22") {
		end -= len("%22")
	}
	start := keyBefore(x.s, end)
	if start < 3 || !isSecretKey(x.s[start:end]) {
		return value
	}
	before := x.s[start-3 : start]
	for strings.HasPrefix(x.s[value:], "+") || strings.HasPrefix(x.s[value:], "%20") {
		value += len("+")
		if x.s[value-1] == '%' {
			value += len("20")
		}
	}
	switch {
	case strings.HasPrefix(x.s[value:], "%22"):
		value += len("%22")
	case strings.EqualFold(before, "%7B"), strings.EqualFold(before, "%2C"):
	default:
		return value
	}
	for end = value; end < len(x.s) && !endsWord(x.s, end) && !endsEncoded(x.s[end:]); {
		end++
	}
	return x.replace(value, end)
}

// endsEncoded reports whether a percent-encoded quote, comma, brace or
// ampersand begins s.
func endsEncoded(s string) bool {
	if len(s) < 3 || s[0] != '%' {
		return false
	}
	switch strings.ToUpper(s[1:3]) {
	case "22", "2C", "7D", "26":
		return true
	}
	return false
}

// colonPair redacts the value behind the colon at i if what stands before it
// is a key: that of JSON, a header, YAML, or a struct that Go printed. Prose
// such as "failed to fetch oauth token: …" and image names such as team/auth:1
// stay.
func (x *scanner) colonPair(i int) int {
	end := i
	for end > 0 && x.s[end-1] == ' ' {
		end--
	}
	if end > 0 && (x.s[end-1] == '"' || x.s[end-1] == '\'') {
		return x.jsonPair(i, end-1)
	}
	if end != i || end == 0 || !isLetter(x.s[end-1]) || i+1 == len(x.s) {
		return i + 1
	}
	start := keyBefore(x.s, end)
	key := x.s[start:end]
	next := x.s[i+1]
	if !isSpace(next) && next != '"' && next != '\\' && next != '[' {
		if start == 0 || strings.IndexByte("{, [", x.s[start-1]) < 0 || !isSecretKey(key) || !startsField(x.s, start) {
			return i + 1
		}
		return x.value(i + 1)
	}
	if isHeader(key) {
		return x.header(start, i+1)
	}
	if !isSecretKey(key) {
		return i + 1
	}
	value := i + 1
	for value < len(x.s) && x.s[value] == ' ' {
		value++
	}
	switch {
	case quoteAt(x.s, value) > 0 && (value == i+1 || startsPair(x.s, start)): // password:"x"
	case value > i+1 && startsLine(x.s, start): // password: x
	case value > i+1 && looksSecret(x.s[value:bareEnd(x.s, value)]):
	default:
		return i + 1
	}
	return x.value(value)
}

// startsField reports whether the key at s[i] can be that of a field which Go printed:
// {Username:u,Password:p} as gogo's String does, {Username:u Password:p} as %+v of a struct,
// map[username:u password:p]. Names of images are in lower case, so that those of a list,
// [app:1 auth:2], are told by what was opened last before them and is open still.
func startsField(s string, i int) bool {
	if s[i-1] == '{' || s[i-1] == ',' || s[i] >= 'A' && s[i] <= 'Z' {
		return true
	}
	closed, quoted := 0, false
	for n := i - 1; n >= max(0, i-maxKey); n-- {
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

// jsonPair redacts the value of "key":"value" at any depth of quoting; the
// closing quote of the key is at quote.
func (x *scanner) jsonPair(colon, quote int) int {
	end := quote
	for end > 0 && x.s[end-1] == '\\' {
		end--
	}
	start := keyBefore(x.s, end)
	if start == end || start == 0 || x.s[start-1] != x.s[quote] || !isSecretKey(x.s[start:end]) {
		return colon + 1
	}
	open := start - 1
	for open > 0 && x.s[open-1] == '\\' {
		open--
	}
	if !startsPair(x.s, open) {
		return colon + 1
	}
	value := colon + 1
	for value < len(x.s) && (x.s[value] == ' ' || x.s[value] == '[') {
		value++
	}
	if quoteAt(x.s, value) == 0 {
		return colon + 1
	}
	return x.value(value)
}

// startsPair reports whether a pair can begin at s[i]: after a brace or a
// comma, or at the beginning of a line.
func startsPair(s string, i int) bool {
	if startsLine(s, i) {
		return true
	}
	for i > 0 && s[i-1] == ' ' {
		i--
	}
	return i > 0 && strings.IndexByte("{,[(;", s[i-1]) >= 0
}

// startsLine reports whether nothing but blanks stands before s[i] in its
// line; a line may also begin behind an escaped newline.
func startsLine(s string, i int) bool {
	for i > 0 && (s[i-1] == ' ' || s[i-1] == '\t' || s[i-1] == '-') {
		i--
	}
	return i == 0 || s[i-1] == '\n' || i > 1 && s[i-2] == '\\' && (s[i-1] == 'n' || s[i-1] == 't')
}
