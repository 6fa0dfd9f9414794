package detect

import "strings"

// chain reads an error chain from left to right. A chain is made of segments
// that follow each other behind ": ", ", ", "; ", " (" or a newline; quoted
// strings hide what is in them. At the beginning of each segment stands a
// wrapper, a request, an entry of a registry's answer, a transport error, a
// phrase that is known, or something unknown, which is skipped. Nothing is ever
// looked for in the middle of a segment, so an image or a tag may hold any word.
type chain struct {
	f    *Failure
	text string
	pos  int

	start, leaf, leafEnd int // of the last wrapper, of what follows it; leafEnd is 0 until known

	asked      bool   // the last thing read was a request
	expects    bool   // the last thing read announced a status
	reasoned   bool   // and the server's words for it
	unparsed   bool   // the body of the answer, which was none of a registry, is in quotes
	containerd bool   // containerd's own words for a failed request were read
	looking    bool   // a name is being looked up
	told       bool   // a phrase was read since the last wrapper
	speaker    string // whose words the last wrapper of a runtime was, since the last rpc error
	op         string // the last operation on a connection or file: dial, read, mkdir
	nested     bool   // this is a member of an aggregate
}

func (c *chain) read() {
	for c.pos < len(c.text) {
		c.segment()
	}
	c.finish()
}

// segment reads what begins at pos and goes to where the next begins.
func (c *chain) segment() {
	rest := c.text[c.pos:]
	if n := c.outer(rest); n > 0 {
		c.start, c.pos = c.pos, c.pos+n
		c.leaf, c.leafEnd, c.told = c.pos, 0, false
		return
	}
	n := c.inner(rest)
	if n == 0 && c.aggregate(c.pos) {
		return
	}
	c.asked, c.expects = false, false
	c.pos = c.next(c.pos + n)
}

// outer takes a layer off the front of rest and returns its length, 0 if there
// is none. What happened stands behind it.
func (c *chain) outer(rest string) int {
	if n := c.wrapper(rest); n > 0 {
		return n
	}
	if n := c.request(rest); n > 0 {
		return n
	}
	return c.mirrors(rest)
}

// inner takes a part of what happened off the front of rest and returns its
// length, 0 if it is not known.
func (c *chain) inner(rest string) int {
	for _, read := range [...]func(*chain, string) int{
		(*chain).status, (*chain).registryError, (*chain).body, (*chain).contentAt, (*chain).tagIn, (*chain).transport,
		(*chain).file, (*chain).certificate, (*chain).phrase,
	} {
		if n := read(c, rest); n > 0 {
			return n
		}
	}
	return 0
}

// next returns where the next segment begins behind i.
func (c *chain) next(i int) int {
	for i < len(c.text) {
		switch c.text[i] {
		case '"':
			i = skipQuoted(c.text, i)
			continue
		case '\n':
			c.looking, c.op = false, ""
			return skipBlanks(c.text, i+1)
		case ':', ',', ';':
			if i+1 == len(c.text) || c.text[i+1] == ' ' || c.text[i+1] == '\n' {
				return skipBlanks(c.text, i+1)
			}
		case '(':
			if i > 0 && c.text[i-1] == ' ' {
				return i + 1
			}
		}
		i++
	}
	return i
}

// finish sets what is known when all has been read.
func (c *chain) finish() {
	if c.looking && !c.f.Found.Has(NoSuchHost, LookupTimeout, LookupServfail, LookupRefused) {
		c.f.Found.add(LookupFailed)
	}
	if c.f.Found.Has(NoBasicAuth, BadCredentials, ExpiredCredentials, InvalidToken, ForbiddenWord) {
		c.f.Found.remove(DeniedOrAbsent) // it was told which
	}
	leaf := c.text[min(c.leaf, len(c.text)):]
	switch {
	case c.leafEnd > c.leaf:
		leaf = c.text[c.leaf:c.leafEnd]
	case strings.TrimSpace(leaf) == "":
		leaf = c.text[c.start:] // cut behind a wrapper
	default:
		leaf, _, _ = strings.Cut(strings.TrimLeft(leaf, "\n "), "\n")
	}
	c.f.Leaf = balanced(strings.TrimRight(leaf, " :,;"))
}

// balanced drops a quote or parenthesis from the end of s that was opened
// before it.
func balanced(s string) string {
	switch {
	case strings.HasSuffix(s, `"`) && strings.Count(s, `"`)%2 == 1:
		return s[:len(s)-1]
	case strings.HasSuffix(s, ")") && strings.Count(s, ")") > strings.Count(s, "("):
		return s[:len(s)-1]
	}
	return s
}

// found adds a finding. Below a lookup, what went wrong on the way to the DNS
// server is a failure of the lookup.
func (c *chain) found(f Finding) {
	c.told = true
	if c.looking {
		switch f {
		case ConnectTimeout, HeaderTimeout, DeadlineExceeded:
			f = LookupTimeout
		case ConnectionRefused, ConnectionReset, NoRoute, NoLocalAddress, PermissionDenied:
			f = LookupRefused
		}
	}
	c.f.Found.add(f)
}

func skipBlanks(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// skipQuoted returns the index behind the quoted string at s[i]. A quote that
// opens nothing, such as a stray one at the end of an image, is one character.
func skipQuoted(s string, i int) int {
	if i > 0 && strings.IndexByte(" ([={\\\t\n", s[i-1]) < 0 {
		return i + 1
	}
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		case '\n':
			return i + 1
		}
	}
	return i + 1
}

// segmentEnd returns the index of the ": " that ends the segment at s[i], -1
// if none does.
func segmentEnd(s string, i int) int {
	for i < len(s) {
		switch s[i] {
		case '"':
			i = skipQuoted(s, i)
			continue
		case '\n':
			return -1
		case ':':
			if i+1 < len(s) && (s[i+1] == ' ' || s[i+1] == '\n') {
				return i
			}
		}
		i++
	}
	return -1
}

// endsPhrase reports whether a word or phrase ends where s goes on.
func endsPhrase(s string) bool {
	if s == "" {
		return true
	}
	switch s[0] {
	case '\n', '\r', ']', ')', ';', ',', '"':
		return true
	case ':', '.':
		return len(s) == 1 || s[1] == ' ' || s[1] == '\n'
	}
	return false
}
