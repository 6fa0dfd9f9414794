// Package redact takes credentials out of text before it is stored, shown or
// sent. It is pure and accepts any text: plain, quoted, JSON, XML,
// percent-encoded, cut off.
//
// Start at [Text]. A text is read as it stands and then once more for each
// level of escaping (view.go): "\n", "%3D" and "&quot;" are decoded one level
// at a time, so that a rule only ever sees plain text. [scanner] walks each of
// these views from left to right and applies the rules:
//
//   - name.go, pair.go, value.go: the value behind a name that says token,
//     password, secret, credential, signature, key or auth goes.
//   - prose.go: so does the credential in a sentence, "token X has expired".
//   - header.go: Authorization values of any scheme, cookies, Bearer X.
//   - userinfo.go: what stands before the @ of a URL or proxy address.
//   - query.go: query values, except those of a few parameters that explain a
//     request.
//   - element.go: XML elements and HTML inputs.
//   - command.go: arguments of command lines, such as -u bob:X.
//   - shape.go: tokens with a known prefix, private keys.
//   - random.go: long random runs that are no digest, path, image or id.
//
// What the rules find in any view is replaced in the text (span.go).
package redact

// Replacement stands where a credential was.
const Replacement = "REDACTED"

// maxPasses bounds how often a text is read again after something was replaced
// in it. One more pass is enough for all but contrived texts.
const maxPasses = 8

// Text returns s with every credential replaced by [Replacement]. It takes
// linear time, allocates nothing where nothing is escaped or found, and
// Text(Text(s)) == Text(s).
func Text(s string) string {
	for range maxPasses {
		t := pass(s)
		if t == s {
			return s
		}
		s = t
	}
	return s
}

// pass replaces what the rules find in s at every level of escaping.
func pass(s string) string {
	var x scanner
	v := view{text: s}
	for range maxLevels {
		x.scan(v)
		next, ok := v.unescape()
		if !ok {
			break
		}
		v = next
	}
	return x.found.replace(s)
}
