package detect

import "strings"

// phrase is what the end of a chain says: text at the beginning of a segment
// and, if set, then somewhere behind it.
type phrase struct {
	text  string
	then  string
	found Finding
}

// phraseIndex finds the phrases by the first byte of their text.
var phraseIndex = indexed(slicesOf(
	referencePhrases[:], registryPhrases[:], networkPhrases[:], tlsPhrases[:], contentPhrases[:], nodePhrases[:],
	policyPhrases[:],
), func(p phrase) string { return p.text })

func slicesOf(tables ...[]phrase) []phrase {
	var all []phrase
	for _, t := range tables {
		all = append(all, t...)
	}
	return all
}

// maxPhrase bounds how far the second part of a phrase may stand behind the
// first, in bytes: there is room for two images.
const maxPhrase = 1 << 10

// phrase reads words that are known.
func (c *chain) phrase(rest string) int {
	if c.asked && c.reasonPhrase(rest) {
		return len(rest)
	}
	if strings.HasPrefix(rest, "not found") && endsPhrase(rest[len("not found"):]) {
		c.absent()
		return len("not found")
	}
	for _, p := range phraseIndex[rest[0]] {
		tail, ok := strings.CutPrefix(rest, p.text)
		if !ok {
			continue
		}
		if p.then == "" {
			if isLastLetter(p.text) && !endsWordHere(tail) {
				continue
			}
			c.say(p.found)
			return len(p.text)
		}
		line, _, _ := strings.Cut(tail[:min(len(tail), maxPhrase)], "\n")
		if at := strings.Index(line, p.then); at >= 0 {
			c.say(p.found)
			c.about(p.text, tail)
			return len(p.text) + at + len(p.then)
		}
	}
	return 0
}

// about notes what a sentence names: the repository of moby's (moby v28.5.2
// distribution/errors.go), the image of CRI-O's.
func (c *chain) about(text, tail string) {
	switch text {
	case "pull access denied for ", "manifest for ", "repository ":
		name, _, _ := strings.Cut(tail, " ")
		c.f.Repository = bounded(strings.TrimRight(name, ",:"), maxReference)
	case ambiguousName:
		c.reference(tail)
	}
}

// isLastLetter reports whether a phrase ends in a letter, so that it must end
// where a word does: "EOF" is not the beginning of "EOFX".
func isLastLetter(text string) bool {
	b := text[len(text)-1] | 0x20
	return b >= 'a' && b <= 'z'
}

func endsWordHere(tail string) bool {
	if tail == "" {
		return true
	}
	b := tail[0]
	return !(b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == '/' ||
		b == ':' && len(tail) > 1 && tail[1] != ' ' && tail[1] != '\n')
}

// say adds a finding, made finer by what was read before it.
func (c *chain) say(f Finding) {
	switch f {
	case DeadlineExceeded: // "i/o timeout", "connection timed out", "context deadline exceeded"
		switch {
		case c.op == "dial":
			f = ConnectTimeout
		case c.op != "" && c.f.URL != "":
			f = HeaderTimeout
		}
	case ConnectionReset: // "EOF"
		if !c.asked && c.op == "" && (c.f.Step == StepUnpack || c.f.Step == StepCommit) {
			f = Truncated
		}
	case Truncated: // "unexpected EOF"
		if c.asked {
			f = ConnectionReset
		}
	case NoSpace:
		if c.creates() {
			f = NoInodes
		}
	case RuntimeGone: // "error reading from server: EOF"
		if c.speaker == Containerd && c.f.Step == StepUnpack {
			f = SnapshotterGone
		}
	}
	c.found(f)
}

// absent reads "not found", which ends chains of several kinds. Where nothing
// else was said since the registry was asked for the manifest, it stands for
// the registry's 404: "R: not found" (containerd v2.4.2
// core/remotes/docker/resolver.go).
func (c *chain) absent() {
	switch {
	case c.told:
	case c.f.Step == StepResolve:
		c.notThere("HEAD")
	case c.f.Step == StepUnpack:
		c.found(ContentMissing)
	default:
		c.found(NotFound)
	}
}

// reasons are the words of HTTP status lines. net/http returns those of a
// proxy's answer to CONNECT as the whole error of the request (net/http
// transport.go dialConn).
var reasons = [...]string{
	"Access Denied", "Bad Gateway", "Bad Request", "Forbidden", "Gateway Time-out", "Gateway Timeout",
	"Internal Server Error", "Method Not Allowed", "Not Found", "Proxy Authentication Required",
	"Proxy authentication required", "Service Unavailable", "Too Many Requests", "Tunnel Connection Failed",
	"Unauthorized", "authenticationrequired", "unknown status code",
}

// reasonPhrase reads a reason phrase that is all that a request ended with.
func (c *chain) reasonPhrase(rest string) bool {
	line, _, _ := strings.Cut(rest, "\n")
	line = strings.TrimRight(line, " \".)")
	for _, r := range reasons {
		if line != r {
			continue
		}
		c.f.StatusText = r
		switch {
		case strings.HasPrefix(strings.ToLower(r), "proxy auth") || r == "authenticationrequired":
			c.found(ProxyAuth)
		case c.containerd:
			c.found(ProxyAnswered)
		case r == "Forbidden" || r == "Access Denied":
			c.found(ForbiddenWord)
		case r == "Unauthorized":
			c.found(AuthFailed)
		default:
			c.found(ProxyAnswered)
		}
		return true
	}
	return false
}
