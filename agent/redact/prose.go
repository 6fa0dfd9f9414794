package redact

import "strings"

// prose hides the credential that follows its name in a sentence: "token X has
// expired", "invalid password "X" for bob", "the client secret is X".
func (x *scanner) prose(start, end int, kind nameKind) int {
	s := x.s
	if start > 0 && s[start-1] == '/' && kind != passwordName || kind == authName || kind == cookieName {
		return end
	}
	i := skipBlanks(s, end)
	if i == end || i == len(s) {
		return end
	}
	said := false
	for _, verb := range [...]string{"is ", "was ", "of ", "= ", "== ", "value "} {
		if strings.HasPrefix(s[i:], verb) {
			i, said = skipBlanks(s, i+len(verb)), true
			break
		}
	}
	if kind == weakName && !x.qualified(start) {
		return end
	}
	v := x.valueAt(i, start)
	if v.deeper {
		return end
	}
	text := s[v.start:v.end]
	switch {
	case isPublic(text) || v.end < len(s) && !v.quoted && strings.IndexByte("=", s[v.end]) >= 0:
	case looksSecret(text) && !isObjectName(text):
		return x.hideValue(v)
	case kind == passwordName && (v.quoted || said) && !strings.Contains(text, " ") && !isProse(text):
		return x.hideValue(v)
	case said && looksSecret(text), kind != wordName && looksSecret(text):
		return x.hideValue(v)
	}
	return end
}

// qualified reports whether the word before s[i] makes a credential of a key: api key, access key.
func (x *scanner) qualified(i int) bool {
	for i > 0 && x.s[i-1] == ' ' {
		i--
	}
	return isQualifier(x.s[max(0, i-maxName):i])
}

// isProse reports whether a value is a word of the errors that runtimes and registries
// print, "failed to fetch oauth token: unexpected status".
func isProse(text string) bool {
	text = strings.TrimRight(text, ".,:;!?)")
	word, _, more := strings.Cut(text, " ")
	if more && len(text) > 3*maxName {
		return true
	}
	var buffer [24]byte
	if len(word) > len(buffer) {
		return false
	}
	lower := buffer[:0]
	for i, c := range []byte(word) {
		switch {
		case isUpper(c) && i > 0 && isLower(word[i-1]):
			return false // a word in camel case is none of prose
		case isLetter(c):
			lower = append(lower, c|0x20)
		case c == '-' || c == '\'' || c == '_':
			lower = append(lower, c)
		default:
			return false
		}
	}
	return words[string(lower)]
}

// words follow the names of credentials in errors, where no credential does.
var words = func() map[string]bool {
	const list = `a about access account action add addr algorithm all already also an and annotation any api app are argument as
		at attempt auth authenticated authenticating authentication authorization authorized automatically aws azure bad basic be because
		been bearer before being but by cache cached call can cannot cannot-be canceled cancelled cause caused certificate chain challenge
		challenges change changed check checks client code com config configuration configured connect connection constraint
		constraints contact contains context could couldn credential credentials data deadline decode default defined denied denied-by
		details dial did disabled do docker does doesn domain during eof empty endpoint entry error errors exceeded exchange exec
		executable exist exists exit expected expiration expired expires expiry extension fail failed fails failure fallback fetch
		fetching file file-not-found flow for forbidden format found from generation get getting given grant gzip had has have header
		headers helper helpers host http https id if image images in incorrect info input insufficient insufficient_scope
		internal into invalid invalid_grant invalid_token io is issued issuer it item its json key keychain keyring keys kubernetes
		length level list loaded login lookup magic malformed management manager manifest map match method mismatch missing mode
		must name need needed never net network new nil no no-basic none nor not not-found null object of off on one only oops open
		operation option or order output owner parameter parse parsing part path payload permission plain plan please plugin policy
		post prefix present problem process processing prompt protected protocol provided provider providers pull push put query rate
		read reading realm reason received redacted refresh refused registry rejected repository request requested requesting requests
		require required requires reset resolve resource response retry retrieve retrieving returned revoked role rotated rpc said scheme scope
		secret secrets see seems server service session set should sign signature size source specified status storage store stored
		string succeeded success support supported tag temporarily that the their then this tier timed timeout tls to token tokens
		too toomanyrequests try trying type unable unauthenticated unauthorized unavailable unexpected unknown unmarshal unmarshaling unsupported until up upstream
		url usage use used user username using v valid validate validation value values verification verify version via
		visit volume was when which while will with without write wrong x509 you your sent again denied error_description
		permission_denied access_denied unauthorized_client invalid_request invalid_client invalid_scope server_error pull-secret
		crypto base64 illegal connectex ocisign cosign notary sigstore oci oauth oauth2 password passwords anonymous identity subject`
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}()
