package redact

import "strings"

// element hides the secret of an XML or HTML element that begins at i: the text
// of <SignatureProvided>x</SignatureProvided>, which a storage backend's error
// holds, and the value of an input or meta.
func (x *scanner) element(i int) int {
	s := x.s
	start := i + 1
	end := start
	for end < len(s) && (isKeyByte(s[end]) || s[end] == ':') {
		end++
	}
	if end == start || end == len(s) {
		return max(end, i+1)
	}
	name := s[start:end]
	tagEnd := end
	for tagEnd < len(s) && tagEnd-end < 4*maxStruct && s[tagEnd] != '>' && s[tagEnd] != '<' {
		tagEnd++
	}
	if strings.EqualFold(name, "input") || strings.EqualFold(name, "meta") || strings.EqualFold(name, "param") {
		x.attribute(end, tagEnd, strings.EqualFold(name, "input"))
		return tagEnd
	}
	if tagEnd == len(s) || s[tagEnd] != '>' || !namesSecretElement(name) {
		return end
	}
	stop := tagEnd + 1
	if strings.HasPrefix(s[stop:], "<![CDATA[") {
		stop += len("<![CDATA[")
	}
	text := stop
	for stop < len(s) && s[stop] != '<' && s[stop] != '\n' && !strings.HasPrefix(s[stop:], "]]>") {
		stop++
	}
	if isPublicText(name, s[text:stop]) {
		return end
	}
	return x.hide(text, stop)
}

// namesSecretElement reports whether any part of an element's name says that it
// holds a secret: SignatureProvided, Token-0, AWSAccessKeyId, and StringToSign
// and CanonicalRequest, which hold the query of a signed URL.
func namesSecretElement(name string) bool {
	if n := strings.IndexByte(name, ':'); n >= 0 {
		name = name[n+1:]
	}
	if nameOf(name) != noName {
		return true
	}
	lower := strings.ToLower(name)
	for _, word := range [...]string{"token", "signature", "password", "passwd", "secret", "credential", "accesskey", "apikey", "stringtosign", "canonicalrequest"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

// isPublicText reports whether the text of an element explains an error: the
// code, or the path of an object that S3 calls its key.
func isPublicText(name, text string) bool {
	if strings.EqualFold(name, "code") {
		return !looksSecret(text)
	}
	if strings.EqualFold(name, "key") {
		return !looksRandom(text) && (strings.Contains(text, "/") || !looksSecret(text))
	}
	return text == ""
}

// attribute hides the value of an input, whatever its name, and the content of
// a meta element with the name of a secret.
func (x *scanner) attribute(i, end int, input bool) {
	s := x.s
	if !input && !strings.Contains(strings.ToLower(s[i:end]), "token") && !strings.Contains(strings.ToLower(s[i:end]), "csrf") {
		return
	}
	for i < end {
		start := i
		for i < end && isKeyByte(s[i]) {
			i++
		}
		name := s[start:i]
		if !strings.EqualFold(name, "value") && !strings.EqualFold(name, "content") || i >= end || s[i] != '=' {
			i++
			continue
		}
		if n := quoteLength(s, i+1); n > 0 {
			stop := min(closingQuote(s, i+1, n), len(s))
			x.hide(i+1+n, stop)
			i = stop + 1
			continue
		}
		if s[min(i+1, len(s)-1)] != '\\' {
			x.hide(i+1, min(max(end, i+1), wordEnd(s, i+1)))
		}
		i++
	}
}
