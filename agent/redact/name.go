package redact

import "strings"

// nameKind says how surely the value behind a name is a secret.
type nameKind uint8

const (
	noName       nameKind = iota
	weakName              // key, code, session: only a value that looks like a secret is one
	wordName              // token, secret, signature: a name and a word of prose
	keyName               // registryToken, X-Api-Key, client_secret: a name only
	passwordName          // password, pwd
	authName              // Authorization: a scheme stands before the secret
	cookieName            // Cookie, Set-Cookie: pairs that are all secret
)

// noun is a word that names secrets.
type noun struct {
	word string // in lower case
	kind nameKind
	// whole is set for words that are parts of others: key, but not monkey.
	whole bool
}

// nouns by their first letter.
var nouns = [32][]noun{
	'a' & 0x1f: {
		{"authorization", authName, false},
		{"auth", wordName, true},
		{"assertion", wordName, false},
		{"art-api", keyName, true}, // X-JFrog-Art-Api
	},
	'b' & 0x1f: {{"bearer", wordName, true}},
	'c' & 0x1f: {
		{"credential", wordName, false},
		{"creds", wordName, true},
		{"cred", wordName, true},
		{"cookie", cookieName, false},
		{"csrf", keyName, true},
		{"code", weakName, true},
		{"configjson", keyName, false}, // .dockerconfigjson
		{"cfg", keyName, false},        // .dockercfg
	},
	'h' & 0x1f: {{"hmac", keyName, true}},
	'j' & 0x1f: {{"jwt", wordName, true}, {"jsessionid", keyName, false}},
	'k' & 0x1f: {{"key", weakName, false}},
	'o' & 0x1f: {{"otp", keyName, true}},
	'p' & 0x1f: {
		{"password", passwordName, false},
		{"passwd", passwordName, false},
		{"passphrase", passwordName, false},
		{"passcode", passwordName, false},
		{"passwort", passwordName, false},
		{"pass", wordName, true},
		{"pwd", passwordName, false},
		{"pw", passwordName, true},
		{"pat", keyName, true},
		{"phpsessid", keyName, false},
	},
	's' & 0x1f: {
		{"secret", wordName, false},
		{"signature", wordName, false},
		{"sig", keyName, true},
		{"sas", keyName, true},
		{"sid", keyName, true},
		{"session", weakName, true},
		{"sessionid", keyName, true},
	},
	't' & 0x1f: {{"token", wordName, false}},
	'x' & 0x1f: {{"xsrf", keyName, true}},
}

// keyQualifiers stand before key or code where it names a secret: api_key, access key.
var keyQualifiers = [...]string{
	"api", "access", "account", "app", "application", "auth", "client", "consumer", "deploy", "encryption", "license",
	"master", "private", "secret", "shared", "signing", "ssh", "storage", "subscription", "session",
}

// tails may follow a noun in a name: SignatureProvided, token_v2. Others say
// that the value is about the secret: tokenURL, secretName, passwordFile.
var tails = [...]string{
	"s", "provided", "data", "value", "values", "string", "raw", "base64", "b64", "hash", "encoded", "pem", "plain",
	"plaintext", "text", "hex", "bytes", "header", "new", "old", "key", "verifier",
}

// maxName bounds how much of a long run is read as a name.
const maxName = 96

// nameOf tells what a run of key bytes names.
func nameOf(run string) nameKind {
	run = run[max(0, len(run)-maxName):]
	var best noun
	first, end := 0, 0
	for i := 0; i+1 < len(run); i++ {
		for _, n := range nouns[run[i]&0x1f] {
			if stop := i + len(n.word); hasPrefixFold(run[i:], n.word) && (!n.whole || isPart(run, i, stop)) && (n.word != "key" || isPart(run, i, stop) || isQualifier(run[:i])) {
				best, first, end = n, i, stop
				i = stop - 1
				break
			}
		}
	}
	if best.kind == noName {
		return namesParameter(run)
	}
	return best.named(strings.Trim(run[:first], "-._"), run[end:])
}

// trigrams are three letters, whatever their case, five bits each. Nearly no word
// holds the first three letters of a noun, so that most of a text is passed over.
type trigrams [1 << 15 / 64]uint64

// add puts the first three letters of a word in.
func (t *trigrams) add(word string) {
	at := t.next(t.next(0, word[0]), word[1])
	for third := range byte(32) {
		if len(word) == 2 || third == word[2]&0x1f {
			n := t.next(at, third)
			t[n>>6] |= 1 << (n & 63)
		}
	}
}

var nounBegins = func() (begins trigrams) {
	for _, list := range nouns {
		for _, n := range list {
			begins.add(n.word)
		}
	}
	return begins
}()

// next adds c to a trigram.
func (t *trigrams) next(trigram uint, c byte) uint { return (trigram<<5 | uint(c&0x1f)) & (1<<15 - 1) }

func (t *trigrams) has(trigram uint) bool { return t[trigram>>6&511]&(1<<(trigram&63)) != 0 }

// named is the kind of a name with head before and tail behind the noun.
func (n noun) named(head, tail string) nameKind {
	if !isTail(tail) && !(n.word == "key" && isQualifier(head) && strings.EqualFold(tail, "id")) {
		return noName
	}
	if hasSuffixFold(head, "public") || hasSuffixFold(head, "pub") {
		return noName
	}
	switch {
	case n.word == "cfg" && !hasSuffixFold(head, "docker"):
		return noName
	case n.kind == weakName && isQualifier(head):
		return keyName
	case n.kind == authName && tail != "":
		return keyName
	case n.kind == wordName && (head != "" || tail != "" && tail != "s"):
		return keyName
	}
	return n.kind
}

// namesParameter recognises the parameters of presigned URLs (AWS signature
// version 4, Google Cloud Storage V4 signing) outside of a URL.
func namesParameter(run string) nameKind {
	if hasPrefixFold(run, "x-amz-cred") || hasPrefixFold(run, "x-goog-cred") {
		return keyName
	}
	return noName
}

// isPart reports whether run[start:end] is a part of a name in snake, kebab or camel case.
func isPart(run string, start, end int) bool {
	if start > 0 && isLetter(run[start-1]) && (!isUpper(run[start]) || !isLower(run[start-1])) {
		return false
	}
	if end < len(run) && run[end] == 's' {
		end++
	}
	return end >= len(run) || !isLetter(run[end]) || isUpper(run[end]) && isLower(run[end-1])
}

// isTail reports whether a name stays that of a secret with tail behind its noun.
func isTail(tail string) bool {
	var buffer [16]byte
	word := buffer[:0]
	digits := true
	for _, c := range []byte(tail) {
		switch {
		case !isWord(c):
			continue
		case len(word) == len(buffer):
			return false
		}
		word = append(word, c|0x20)
		digits = digits && (isDigit(c) || c == 'v' && len(word) == 1)
	}
	if digits {
		return true
	}
	for _, t := range tails {
		if string(word) == t {
			return true
		}
	}
	return false
}

func isQualifier(head string) bool {
	for _, q := range keyQualifiers {
		if hasSuffixFold(head, q) {
			return true
		}
	}
	return false
}

// hasSuffixFold is strings.HasSuffix for an ASCII suffix in lower case.
func hasSuffixFold(s, lower string) bool {
	return len(s) >= len(lower) && strings.EqualFold(s[len(s)-len(lower):], lower)
}
