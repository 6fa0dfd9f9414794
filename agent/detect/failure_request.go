package detect

import (
	"strings"

	"pullcause/agent/redact"
)

// methods are those of requests as net/http writes them ("Head", net/url
// Error) and as containerd does ("HEAD").
var methods = [...]string{"Get", "Head", "Post", "Put"}

// request reads the request that failed: net/http's `Head "URL": ` (without
// quotes before Go 1.14), and containerd's and docker's words for an answer
// that was not expected, with its status.
func (c *chain) request(rest string) int {
	for _, m := range methods {
		if tail, ok := strings.CutPrefix(rest, m+" "); ok {
			if n := c.url(tail); n > 0 {
				c.f.Method = strings.ToUpper(m)
				c.asked = true
				return len(rest) - len(tail) + n
			}
		}
	}
	return c.answer(rest)
}

// url reads `"URL": ` or `URL: ` and returns its length, 0 if s does not begin
// with a URL.
func (c *chain) url(s string) int {
	if strings.HasPrefix(s, `"http`) || strings.HasPrefix(s, `\"http`) {
		content, rest, ok := cutQuoted(strings.TrimPrefix(s, `\`))
		if ok && s[0] == '\\' {
			content = strings.TrimSuffix(content, `\`)
		}
		c.setURL(content)
		return len(s) - len(strings.TrimLeft(rest, ": "))
	}
	if !strings.HasPrefix(s, "http") {
		return 0
	}
	end := urlEnd(s)
	c.setURL(s[:end])
	return len(s) - len(strings.TrimLeft(s[end:], ": "))
}

func (c *chain) setURL(u string) {
	c.f.URL = bounded(redact.URL(u), maxURL)
	c.f.Peer, c.looking, c.op = "", false, ""
}

// urlEnd returns the end of the unquoted URL at the beginning of s. What
// follows may be glued to it: "…/manifests/1:x509: certificate …" (containerd
// 1.0).
func urlEnd(s string) int {
	end := len(s)
	if i := strings.IndexAny(s, " \n\t\""); i >= 0 {
		end = i
	}
	path := end
	if i := strings.IndexByte(s[:end], '?'); i >= 0 {
		path = i
	}
	last := strings.LastIndexByte(s[:path], '/') + 1
	if last > len("https://") {
		for i := last; i < path; i++ {
			if s[i] != ':' {
				continue
			}
			if algorithm := s[last:i]; algorithm != "sha256" && algorithm != "sha512" {
				return i
			}
			last = i + 1
		}
	}
	return len(strings.TrimRight(s[:end], ":"))
}

// answers are the words before a status, or before a URL and a status.
var answers = [...]struct {
	text   string
	method string // the URL follows, and ": "; the request was made by this method
	reason bool   // the words behind the code are the server's
}{
	// containerd v2.4.2 core/remotes/errors/errors.go; 1.6.20 and later.
	{"unexpected status from GET request to ", "GET", true},
	{"unexpected status from HEAD request to ", "HEAD", true},
	{"unexpected status from POST request to ", "POST", true},
	// containerd v1.7.29 remotes/docker/fetcher.go; v2.4.2 fetcher.go.
	{"unexpected status code ", "GET", true},
	{"unexpected HEAD status code ", "HEAD", true},
	// containerd up to 1.6.19 remotes/docker/auth/fetch.go.
	{"unexpected status: ", "", true},
	// github.com/docker/distribution v2.8.3 registry/client/errors.go.
	{"received unexpected HTTP status: ", "", true},
	{unparsedBody, "", false},
	// go.podman.io/image v5.42.0 docker/docker_client.go, docker/errors.go; the
	// first was "Invalid status code returned when fetching …" up to v5.9.
	{"invalid status code from registry ", "", true},
	{"Invalid status code returned when fetching blob ", "", true},
	{"StatusCode: ", "", false},
	// docker 1.x registry/session.go (v1 protocol).
	{"Error: Status ", "", false},
	{"Status ", "", false},
	{"HTTP code ", "", false},
}

// unparsedBody begins `error parsing HTTP 403 response body: …: "…"`, with the body
// in quotes (github.com/docker/distribution v2.8.3 registry/client/errors.go).
const unparsedBody = "error parsing HTTP "

// answer reads the words of an answer that was not expected, up to its status.
func (c *chain) answer(rest string) int {
	if n := c.pullingFromHost(rest); n > 0 {
		return n
	}
	for _, a := range answers {
		tail, ok := strings.CutPrefix(rest, a.text)
		if !ok || a.method == "" && statusCode(tail) == 0 {
			continue
		}
		n := len(a.text)
		if a.method != "" {
			n += c.answerURL(tail)
			c.f.Method = a.method
		}
		c.expects, c.reasoned, c.unparsed = true, a.reason, a.text == unparsedBody
		return n
	}
	return 0
}

// answerURL reads the URL of an answer and ": ", or what containerd 1.6 wrote
// in its place ("[manifests v1]"), and returns the length.
func (c *chain) answerURL(s string) int {
	if n := c.url(s); n > 0 {
		return n
	}
	if end := strings.Index(s, ": "); end >= 0 {
		return end + len(": ")
	}
	return len(s)
}

// pullingFromHost reads "pulling from host r.example failed with status code
// [manifests v1]: " (containerd 1.6.1 to 1.6.19 remotes/docker/resolver.go).
func (c *chain) pullingFromHost(rest string) int {
	const begin = "pulling from host "
	if !strings.HasPrefix(rest, begin) {
		return 0
	}
	for _, words := range [...]string{" failed with status code ", " failed with unexpected status code "} {
		before, tail, found := strings.Cut(rest, words)
		if !found || strings.ContainsAny(before[len(begin):], " \n") {
			continue
		}
		c.f.Method, c.expects, c.reasoned = "HEAD", true, true
		return len(before) + len(words) + c.answerURL(tail)
	}
	return 0
}

// status reads "403 Forbidden" or "403 (Forbidden)" behind the words that
// announce one. Digits elsewhere are never a status.
func (c *chain) status(rest string) int {
	code := statusCode(rest)
	if !c.expects || code == 0 {
		return 0
	}
	n := len("403")
	if c.f.Status != 0 {
		return n // the outermost is that of the terminal request
	}
	c.f.Status = code
	if c.reasoned {
		open := n
		for open < len(rest) && (rest[open] == ' ' || rest[open] == '(') {
			open++
		}
		end := open
		for end < len(rest) && end-open < maxReason && isReason(rest[end]) && !strings.HasPrefix(rest[end:], " - ") {
			end++
		}
		if c.f.StatusText = strings.TrimRight(rest[open:end], " "); c.f.StatusText != "" {
			n = open + len(c.f.StatusText)
		}
		if strings.HasPrefix(rest[n:], ")") {
			n++
		}
	}
	c.told, c.leafEnd = true, c.pos+n
	return n
}

// maxReason bounds Failure.StatusText, which the server chooses, in bytes.
const maxReason = 64

func isReason(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == ' ' || b == '-' || b == '\''
}

// statusCode returns the HTTP status at the beginning of s, 0 if there is none.
func statusCode(s string) int {
	if len(s) < 3 || s[0] < '1' || s[0] > '5' || len(s) > 3 && s[3] >= '0' && s[3] <= '9' {
		return 0
	}
	code := 0
	for _, b := range []byte(s[:3]) {
		if b < '0' || b > '9' {
			return 0
		}
		code = code*10 + int(b-'0')
	}
	return code
}

// contentAt reads "content at URL not found: not found" (containerd v1.7.29
// remotes/docker/fetcher.go, v2.4.2 core/remotes/docker/resolver.go).
func (c *chain) contentAt(rest string) int {
	tail, ok := strings.CutPrefix(rest, "content at ")
	if !ok {
		return 0
	}
	u, _, found := strings.Cut(tail, " not found")
	if !found || strings.ContainsAny(u, " \n") {
		return 0
	}
	c.setURL(u)
	c.notThere("GET")
	return len(rest) - len(tail) + len(u) + len(" not found")
}

// tagIn reads "Tag v1 not found in repository r.example/app" (docker 1.x
// registry/session.go).
func (c *chain) tagIn(rest string) int {
	tail, ok := strings.CutPrefix(rest, "Tag ")
	if !ok {
		return 0
	}
	const words = " not found in repository "
	tag, repository, found := strings.Cut(tail, words)
	if !found || strings.ContainsAny(tag, " \n") {
		return 0
	}
	if end := strings.IndexAny(repository, " \n\""); end >= 0 {
		repository = repository[:end]
	}
	if repository = strings.TrimRight(repository, ".:"); c.f.Reference == "" && repository != "" {
		c.reference(repository + ":" + tag)
	}
	c.found(NotFound)
	return len(rest) - len(tail) + len(tag) + len(words) + len(repository)
}

// notThere notes that a registry answered 404. The runtime prints words of its
// own in place of that status.
func (c *chain) notThere(method string) {
	c.found(NotFound)
	if c.f.Status == 0 {
		c.f.Status, c.f.StatusText = 404, "Not Found"
	}
	if c.f.Method == "" && c.f.URL != "" {
		c.f.Method = method
	}
}
