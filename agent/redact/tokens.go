package redact

import "strings"

// tokenShape is a credential that can be told by how it begins.
type tokenShape struct {
	prefix string
	min    int               // bytes that must follow
	body   func(c byte) bool // what they may be
}

// tokenShapes by the byte that ends their prefix, which is the trigger.
var tokenShapes = [128][]tokenShape{
	'J': {
		{"eyJ", 13, isTokenByte}, // JWT, and base64 of JSON: docker configs, ECR passwords
	},
	'_': {
		{"ghp_", 10, isWord},
		{"gho_", 10, isWord},
		{"ghu_", 10, isWord},
		{"ghs_", 10, isWord},
		{"ghr_", 10, isWord},
		{"github_pat_", 10, isBase64URL}, // GitHub
		{"dckr_pat_", 8, isBase64URL},
		{"dckr_oat_", 8, isBase64URL}, // Docker Hub
		{"npm_", 30, isWord},
		{"hf_", 30, isWord},
	},
	'-': {
		{"glpat-", 8, isDotted},
		{"gldt-", 8, isDotted},
		{"glrt-", 8, isDotted},
		{"glcbt-", 8, isDotted},
		{"glptt-", 8, isDotted},
		{"glft-", 8, isDotted},
		{"glsoat-", 8, isDotted},
		{"glagent-", 8, isDotted}, // GitLab
		{"xoxa-", 8, isBase64URL},
		{"xoxb-", 8, isBase64URL},
		{"xoxe-", 8, isBase64URL},
		{"xoxp-", 8, isBase64URL},
		{"xoxr-", 8, isBase64URL},
		{"xoxs-", 8, isBase64URL},
		{"xapp-", 8, isBase64URL}, // Slack
		{"nvapi-", 20, isBase64URL},
		{"GOCSPX-", 10, isBase64URL},
	},
	'.': {
		{"ya29.", 10, isDotted}, {"hvs.", 16, isBase64URL}, {"hvb.", 16, isBase64URL}, // Google OAuth, Vault
	},
	'I': {
		{"AKI", 13, isUpper}, {"ASI", 13, isUpper}, {"ABI", 13, isUpper}, // AWS: AKIA, ASIA, ABIA
		{"AI", 30, isBase64URL}, // Google: AIza
	},
}

// beforeToken are the bytes that stand before the trigger in the prefixes of
// tokenShapes, by the trigger.
var beforeToken = func() (before [128]*[256]bool) {
	for trigger, shapes := range tokenShapes {
		for _, shape := range shapes {
			if before[trigger] == nil {
				before[trigger] = new([256]bool)
			}
			before[trigger][shape.prefix[len(shape.prefix)-2]] = true
		}
	}
	return before
}()

// neverToken reports, at the cost of one look, that the trigger at s[i] ends no
// prefix of a token. It leaves triggers of other kinds alone.
func neverToken(s string, i int) bool {
	before := beforeToken[s[i]]
	if before == nil || s[i] == '-' && i+1 < len(s) && s[i+1] == '-' {
		return false
	}
	return i == 0 || !before[s[i-1]]
}

// token redacts a credential whose prefix ends at i. A dash may also begin a
// private key or a flag such as --password.
func (x *scanner) token(i int) int {
	for _, shape := range tokenShapes[x.s[i]] {
		start := i + 1 - len(shape.prefix)
		if start < x.done || x.s[start] != shape.prefix[0] || x.s[start:i+1] != shape.prefix || !startsWord(x.s, start) {
			continue
		}
		end := i + 1
		for end < len(x.s) && shape.body(x.s[end]) {
			end++
		}
		if end = trimPunctuation(x.s, i+1, end); end-i-1 >= shape.min && isWhole(shape.prefix, x.s[i+1:end]) {
			return x.replace(start, end)
		}
	}
	if x.s[i] == '-' && strings.HasPrefix(x.s[i:], "--") {
		return x.dashes(i)
	}
	return i + 1
}

// isWhole reports whether what follows the prefix of an AWS or Google key
// completes it.
func isWhole(prefix, rest string) bool {
	switch prefix {
	case "AKI", "ASI", "ABI":
		return rest[0] == 'A'
	case "AI":
		return strings.HasPrefix(rest, "za")
	}
	return true
}

// dashes redacts a private key in PEM, or the argument of a flag that names a
// secret, such as --password x.
func (x *scanner) dashes(i int) int {
	const begin, private, end = "-----BEGIN ", "PRIVATE KEY-----", "-----END "
	rest := x.s[i:]
	if strings.HasPrefix(rest, begin) {
		line := min(len(rest), len(begin)+64)
		at := strings.Index(rest[:line], private)
		if at < 0 {
			return i + len(begin)
		}
		start := i + at + len(private)
		stop := len(x.s)
		if n := strings.Index(x.s[start:], end); n >= 0 {
			stop = start + n
		}
		return x.replace(start, stop)
	}
	start := i
	for start < len(x.s) && x.s[start] == '-' {
		start++
	}
	stop := start
	for stop < len(x.s) && isKey(x.s[stop]) {
		stop++
	}
	if start-i != 2 || stop >= len(x.s) || x.s[stop] != ' ' || !isSecretKey(x.s[start:stop]) {
		return start
	}
	if stop+1 < len(x.s) && x.s[stop+1] == '-' {
		return stop
	}
	return x.value(stop + 1)
}

func isUpper(c byte) bool     { return isDigit(c) || c >= 'A' && c <= 'Z' }
func isBase64URL(c byte) bool { return isWord(c) || c == '-' || c == '_' }
func isDotted(c byte) bool    { return isBase64URL(c) || c == '.' }
