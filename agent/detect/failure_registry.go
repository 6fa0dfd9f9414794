package detect

import "strings"

// errorCodes are the entries of a registry's error body as runtimes print
// them: the code in lower case with spaces, ": " and the message (OCI
// distribution spec 1.1 "Error Codes"; containerd v2.4.2
// core/remotes/docker/errcode.go; github.com/docker/distribution v2.8.3
// registry/api/errcode). alone tells that the code also stands without a
// message; the others are common words.
var errorCodes = [...]struct {
	text  string
	alone bool
}{
	{"blob unknown", true},
	{"blob upload invalid", true},
	{"blob upload unknown", true},
	{"denied", true},
	{"digest invalid", true},
	{"manifest blob unknown", true},
	{"manifest invalid", true},
	{"manifest unknown", true},
	{"manifest unverified", true},
	{"name invalid", true},
	{"name unknown", true},
	{"pagination number invalid", true},
	{"size invalid", true},
	{"tag invalid", true},
	{"toomanyrequests", true},
	{"unauthorized", true},
	{"unavailable", false},
	{"unknown", false},
	{"unsupported", false},
}

// defaultMessages are what containers/image prints of an entry whose message
// is the default one (go.podman.io/image v5.42.0 docker/errors.go).
var defaultMessages = [...]struct{ text, code string }{
	{"requested access to the resource is denied", "denied"},
	{"authentication required", "unauthorized"},
	{"repository name not known to registry", "name_unknown"},
	{"blob unknown to registry", "blob_unknown"},
	{"service unavailable", "unavailable"},
}

// Bounds of what is kept of an error body.
const (
	maxEntries = 8
	maxMessage = 512 // bytes of a message
)

// registryError reads one entry of a registry's error body. Its message is the
// registry's own text: nothing of the chain is looked for in it.
func (c *chain) registryError(rest string) int {
	switch rest[0] {
	case 'b', 'd', 'm', 'n', 'p', 's', 't', 'u', 'r', 'a':
	default:
		return 0
	}
	for _, code := range errorCodes {
		tail, ok := strings.CutPrefix(rest, code.text)
		if !ok || !endsPhrase(tail) {
			continue
		}
		hasMessage := strings.HasPrefix(tail, ": ")
		if !hasMessage && !code.alone || !hasMessage && strings.HasPrefix(tail, "\"") {
			return 0
		}
		n := len(code.text)
		message := ""
		if hasMessage {
			message = c.message(tail[len(": "):])
			n += len(": ") + len(message)
		}
		c.entry(strings.ReplaceAll(code.text, " ", "_"), message, n)
		return n
	}
	for _, m := range defaultMessages {
		if tail, ok := strings.CutPrefix(rest, m.text); ok && endsPhrase(tail) {
			c.entry(m.code, m.text, len(m.text))
			return len(m.text)
		}
	}
	return 0
}

// message is the registry's text at the beginning of s: to the end of the
// line, or to where CRI-O goes on.
func (c *chain) message(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	s, _, _ = strings.Cut(s, "; artifact err: ")
	return s
}

// entry notes one entry, n bytes long, and what its message says beside the
// code.
func (c *chain) entry(code, message string, n int) {
	if c.leafEnd == 0 {
		c.leafEnd = c.pos + n
		if !c.told {
			c.leaf = c.pos
		}
	}
	if len(c.f.Registry) < maxEntries {
		c.f.Registry = append(c.f.Registry, RegistryError{code, bounded(strings.TrimSpace(message), maxMessage)})
	}
	c.told = true
	switch code {
	case "manifest_unknown", "blob_unknown", "manifest_blob_unknown":
		c.notThere("")
	case "name_unknown":
		c.notThere("")
		c.found(RepositoryUnknown)
	case "toomanyrequests":
		c.found(TooManyRequests)
		if c.f.Status == 0 {
			c.f.Status, c.f.StatusText = 429, "Too Many Requests"
		}
	case "unavailable":
		c.found(Unavailable)
	case "unauthorized":
		c.found(AuthFailed)
		c.credentials(message)
	case "denied":
		c.denied(message)
	case "unknown":
		c.unknown(message)
	}
}

// unknown reads what a registry says with a code that is none of the specification,
// which clients print as this one: Harbor's NOT_FOUND with "artifact p/app:v1 not
// found", "repository p/app not found" or "resource not found" (goharbor/harbor
// v2.10.2 src/lib/errors/const.go). go.podman.io/image v5.42.0
// docker/docker_client.go isManifestUnknownError takes any message so. Its policies
// speak in the same way.
func (c *chain) unknown(message string) {
	message = strings.ToLower(message)
	if c.f.Status == 0 && strings.Contains(message, "cannot be pulled due to configured policy") {
		c.f.Status, c.f.StatusText = 412, "Precondition Failed" // src/lib/http/error.go
	}
	if c.f.Status != 0 && c.f.Status != 404 || !strings.Contains(message, "not found") {
		return
	}
	c.notThere("")
	if strings.HasPrefix(message, "repository ") || strings.HasPrefix(message, "project ") {
		c.found(RepositoryUnknown)
	}
}

// denied reads what a registry says with the code denied. Without a status it
// is docker's word, and containers/image's, for two things: the default message,
// and what registries write in place of one, stands for a repository that is not
// there as well; any other names a right that is missing.
func (c *chain) denied(message string) {
	if c.credentials(message) || c.f.Status != 0 {
		return
	}
	message = strings.ToLower(strings.TrimSpace(message))
	switch {
	case message == "", message == "denied", message == "access forbidden",
		strings.HasPrefix(message, "requested access to the resource is denied"): // more, if newlines were lost
		c.found(DeniedOrAbsent)
	default:
		c.found(ForbiddenWord)
	}
}

// body reads the body of an answer that is no error of a registry: Amazon ECR
// refuses with a sentence.
func (c *chain) body(rest string) int {
	if !c.unparsed || rest[0] != '"' {
		return 0
	}
	body, tail, _ := cutQuoted(rest)
	if c.f.Status == 401 || c.f.Status == 403 { // a page of any other says anything
		c.credentials(body)
	}
	return len(rest) - len(tail)
}

// credentials notes what a registry says about the credentials that it was
// sent, and reports whether it says anything.
func (c *chain) credentials(message string) (told bool) {
	message = strings.ToLower(message)
	for _, m := range credentialMessages {
		if strings.Contains(message, m.text) && (m.found != DeniedOrAbsent || c.f.Status == 0) {
			c.found(m.found)
			told = true
		}
	}
	return told
}

// credentialMessages are words in the messages of denied and unauthorized:
// Amazon ECR ("Your authorization token has expired. Reauthenticate and try
// again.", "The security token included in the request is invalid"), Docker Hub ("incorrect username or password"), GitLab ("HTTP Basic:
// Access denied"), Google Artifact Registry ("(or it may not exist)").
var credentialMessages = [...]struct {
	text  string
	found Finding
}{
	{"expired", ExpiredCredentials},
	{"security token included in the request is invalid", BadCredentials},
	{"incorrect username or password", BadCredentials},
	{"invalid username", BadCredentials},
	{"invalid credentials", BadCredentials},
	{"bad credentials", BadCredentials},
	{"http basic: access denied", BadCredentials},
	{"insufficient_scope", DeniedOrAbsent},
	{"may not exist", DeniedOrAbsent},
	{"does not exist", DeniedOrAbsent},
}
