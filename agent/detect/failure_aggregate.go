package detect

import "strings"

// aggregate reads "[error, error]" at i, what the kubelet makes of the errors
// of several credentials (k8s.io/apimachinery utilerrors.NewAggregate), and
// reports whether it is there. The first is this failure, those that follow are
// Others. Other text stands in brackets too, but then no error begins there; the
// closing bracket may have been cut off.
func (c *chain) aggregate(i int) bool {
	if c.nested || c.text[i] != '[' || !beginsError(c.text[i+1:]) {
		return false
	}
	text, _ := strings.CutSuffix(strings.TrimRight(c.text[i+1:], " \n"), "]")
	first, others := "", []string(nil)
	for rest := text; ; {
		n := memberEnd(rest)
		if first == "" {
			first = rest[:n]
		} else if len(others) < MaxOthers {
			others = append(others, rest[:n])
		}
		if n == len(rest) {
			break
		}
		rest = rest[n+len(", "):]
	}
	for _, other := range others {
		c.other(other)
	}
	c.nested = true
	c.text = c.text[:i] + first
	c.pos = i
	if c.leaf <= i {
		c.leaf, c.leafEnd = i, 0
	}
	return true
}

// other adds a further error that this one was printed with.
func (c *chain) other(text string) {
	if len(c.f.Others) >= MaxOthers {
		return
	}
	f := &Failure{Text: strings.TrimSpace(text)}
	member := chain{f: f, text: f.Text, nested: true}
	member.read()
	c.f.Others = append(c.f.Others, f)
}

// memberEnd returns the end of the first error of an aggregate: a comma behind
// which a wrapper or an entry of a registry's answer begins.
func memberEnd(s string) int {
	for i := 0; i < len(s); {
		switch {
		case s[i] == '"':
			i = skipQuoted(s, i)
			continue
		case s[i] == ',' && strings.HasPrefix(s[i:], ", ") && beginsError(s[i+len(", "):]):
			return i
		}
		i++
	}
	return len(s)
}

func beginsError(s string) bool {
	if s == "" {
		return false
	}
	for _, w := range wrapperIndex[s[0]] {
		if strings.HasPrefix(s, w.text) {
			return true
		}
	}
	for _, code := range errorCodes {
		if strings.HasPrefix(s, code.text+": ") {
			return true
		}
	}
	for _, p := range phraseIndex[s[0]] {
		if p.then == "" && strings.HasPrefix(s, p.text) {
			return true
		}
	}
	return false
}

// mirrors reads "(Mirrors also failed: [m.example/a:1: …]): " and "(Fallback
// sources also failed: …): " (go.podman.io/image v5.42.0
// docker/docker_image_src.go): what follows is the error of the origin.
func (c *chain) mirrors(rest string) int {
	for _, words := range [...]string{"Mirrors also failed: ", "Fallback sources also failed: "} {
		tail, ok := strings.CutPrefix(strings.TrimPrefix(rest, "("), words)
		if !ok {
			continue
		}
		list, _, found := strings.Cut(tail, "): ")
		if !found {
			return 0
		}
		if !c.nested {
			for line := range strings.SplitSeq(list, "\n") {
				c.other(strings.Trim(line, "[] "))
			}
		}
		return len(rest) - len(tail) + len(list) + len("): ")
	}
	return 0
}
