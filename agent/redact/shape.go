package redact

import "strings"

// shape is a credential that can be told by how it begins.
type shape struct {
	prefix string
	min    int               // bytes that must follow
	body   func(c byte) bool // what they may be
}

// shapes by their first byte. Prefixes that a long random body follows are
// listed only where the body may be of hexadecimal or short (see random.go).
var shapes = [128][]shape{
	'A': {
		{"AKIA", 12, isUpperOrDigit},
		{"ASIA", 12, isUpperOrDigit},
		{"ABIA", 12, isUpperOrDigit},
		{"ACCA", 12, isUpperOrDigit},
		{"AROA", 12, isUpperOrDigit},
		{"AIDA", 12, isUpperOrDigit},
		{"AGPA", 12, isUpperOrDigit},
		{"ANPA", 12, isUpperOrDigit}, // AWS
		{"AIza", 28, isBase64URL},    // Google
		{"AKID", 20, isWord},         // Tencent
		{"AKCp", 16, isWord},         // Artifactory
		{"ATATT3", 16, isBase64},     // Atlassian
		{"ATCTT3", 16, isBase64},
		{"ATBB", 16, isBase64},
		{"AGE-SECRET-KEY-1", 16, isUpperOrDigit},
	},
	'G': {{"GOCSPX-", 10, isBase64URL}},
	'L': {{"LTAI", 12, isWord}}, // Alibaba
	'N': {{"NRAK-", 16, isWord}},
	'P': {{"PMAK-", 16, isDotted}},
	'S': {{"SCW", 17, isUpperOrDigit}, {"SG.", 16, isDotted}}, // Scaleway, SendGrid
	'c': {{"cmVmdGtu", 16, isBase64}, {"cfut_", 16, isWord}},  // base64 of Artifactory's reftkn
	'd': {
		{"dckr_pat_", 8, isBase64URL}, {"dckr_oat_", 8, isBase64URL}, // Docker Hub
		{"dop_v1_", 16, isWord}, {"doo_v1_", 16, isWord}, {"dor_v1_", 16, isWord}, // DigitalOcean
		{"dapi", 32, isHex}, {"dp.", 16, isDotted}, // Databricks, Doppler
	},
	'e': {
		{"eyJ", 13, isTokenByte}, {"eyA", 13, isTokenByte}, // JWT, and base64 of JSON: docker configs, ECR passwords
		{"ewog", 12, isBase64}, {"ewoJ", 12, isBase64}, {"ew0K", 12, isBase64}, {"ewkK", 12, isBase64},
	},
	'g': {
		{"ghp_", 10, isWord},
		{"gho_", 10, isWord},
		{"ghu_", 10, isWord},
		{"ghs_", 10, isWord},
		{"ghr_", 10, isWord},
		{"github_pat_", 10, isBase64URL}, // GitHub
		{"glpat-", 8, isDotted},
		{"gldt-", 8, isDotted},
		{"glrt-", 8, isDotted},
		{"glrtr-", 8, isDotted},
		{"glcbt-", 8, isDotted},
		{"glptt-", 8, isDotted},
		{"glft-", 8, isDotted},
		{"glsoat-", 8, isDotted},
		{"gloas-", 8, isDotted},
		{"glagent-", 8, isDotted},
		{"glimt-", 8, isDotted},
		{"glffct-", 8, isDotted},
		{"glwt-", 8, isDotted}, // GitLab
		{"glc_", 16, isBase64},
		{"glsa_", 16, isBase64URL}, // Grafana
	},
	'h': {{"hf_", 30, isWord}, {"hvs.", 16, isBase64URL}, {"hvb.", 16, isBase64URL}, {"hvr.", 16, isBase64URL}},
	'l': {{"lin_api_", 16, isWord}},
	'n': {{"npm_", 30, isWord}, {"nvapi-", 20, isBase64URL}},
	'o': {{"oauth2_", 20, isWord}, {"oy2", 40, isWord}},
	'p': {{"pypi-", 16, isBase64URL}, {"pul-", 32, isHex}, {"pat-", 20, isDotted}},
	'r': {{"rubygems_", 16, isWord}, {"reftkn:", 16, isTokenByte}},
	's': {
		{"sha256~", 16, isBase64URL}, // OpenShift
		{"sk-", 20, isBase64URL},
		{"sk_live_", 10, isWord},
		{"sk_test_", 10, isWord},
		{"shpat_", 16, isWord},
		{"sntrys_", 16, isBase64},
		{"squ_", 20, isWord},
		{"sqp_", 20, isWord},
		{"sq0atp-", 16, isBase64URL},
	},
	't': {{"tskey-", 12, isBase64URL}},
	'w': {{"whsec_", 16, isBase64}},
	'x': {
		{"xoxa-", 8, isBase64URL},
		{"xoxb-", 8, isBase64URL},
		{"xoxe-", 8, isBase64URL},
		{"xoxp-", 8, isBase64URL},
		{"xoxr-", 8, isBase64URL},
		{"xoxs-", 8, isBase64URL},
		{"xapp-", 8, isBase64URL},
		{"xoxe.", 8, isDotted}, // Slack
	},
	'y': {{"ya29.", 10, isDotted}}, // Google OAuth
}

var shapeBegins = func() (begins trigrams) {
	for _, list := range shapes {
		for _, s := range list {
			begins.add(s.prefix)
		}
	}
	return begins
}()

// shape hides a credential with a known prefix, or a private key in PEM, that
// begins the run s[i:end].
func (x *scanner) shape(i, end int) int {
	s := x.s
	if s[i] == '-' && strings.HasPrefix(s[i:], "-----BEGIN ") {
		return x.privateKey(i)
	}
	from := i
	for i < end && !isWord(s[i]) {
		i++
	}
	if end-i < 3 || !shapeBegins.has(shapeBegins.next(shapeBegins.next(uint(s[i]&0x1f), s[i+1]), s[i+2])) {
		return from
	}
	for _, t := range shapes[s[i]&0x7f] {
		if !strings.HasPrefix(s[i:], t.prefix) {
			continue
		}
		stop := i + len(t.prefix)
		for stop < len(s) && t.body(s[stop]) {
			stop++
		}
		if stop = trimPunctuation(s, i, stop); stop-i-len(t.prefix) >= t.min && (t.min > 10 || hasDigit(s[i+len(t.prefix):stop]) || stop-i > minRandom) {
			return x.hide(i, stop)
		}
	}
	return from
}

// privateKey hides the body of a private key in PEM.
func (x *scanner) privateKey(i int) int {
	const begin, private, end = "-----BEGIN ", "PRIVATE KEY-----", "-----END "
	rest := x.s[i:]
	at := strings.Index(rest[:min(len(rest), len(begin)+64)], private)
	if at < 0 {
		return i + len(begin)
	}
	start := i + at + len(private)
	if n := strings.Index(x.s[start:], end); n >= 0 {
		return x.hide(start, start+n)
	}
	stop := start
	for stop < len(x.s) && x.s[stop] != '"' {
		stop++
	}
	return x.hide(start, stop)
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

func isUpperOrDigit(c byte) bool { return isDigit(c) || isUpper(c) }
func isBase64(c byte) bool {
	return isWord(c) || c == '-' || c == '_' || c == '+' || c == '/' || c == '='
}
func isBase64URL(c byte) bool { return isWord(c) || c == '-' || c == '_' }
func isDotted(c byte) bool    { return isBase64URL(c) || c == '.' }
func isTokenByte(c byte) bool { return isBase64(c) || c == '.' || c == '~' || c == '%' }
