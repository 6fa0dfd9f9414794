package detect

import (
	"slices"
	"strings"

	"pullcause/agent/redact"
)

// shape is what follows the words of a wrapper.
type shape uint8

const (
	plain   shape = iota // nothing: what happened follows at once
	upTo                 // anything up to ": "
	ref                  // the image, quoted or not, up to ": "
	rpc                  // the CRI status up to "desc = "
	because              // the image and a clause of the kubelet's
)

// wrapper is one layer of an error chain.
type wrapper struct {
	text  string
	shape shape
	step  Step
	found Finding
}

// layer is a wrapper and whose words it is: Containerd, CRIO, Dockerd, or empty.
type layer struct {
	wrapper

	by string
}

// chainLayers are all of them.
var chainLayers = slices.Concat(
	layersBy("", anyWrappers[:]), layersBy(Containerd, containerdWrappers[:]), layersBy(CRIO, crioWrappers[:]),
	layersBy(Dockerd, dockerWrappers[:]),
)

func layersBy(program string, wrappers []wrapper) []layer {
	layers := make([]layer, len(wrappers))
	for i, w := range wrappers {
		layers[i] = layer{w, program}
	}
	return layers
}

// wrapperIndex finds the wrappers by the first byte of their text.
var wrapperIndex = indexed(chainLayers, func(l layer) string { return l.text })

// indexed lists the rows of a table by the first byte of their text, the
// longest text first.
func indexed[T any](rows []T, text func(T) string) [256][]T {
	var index [256][]T
	for _, row := range rows {
		first := text(row)[0]
		at := len(index[first])
		for i, other := range index[first] {
			if len(text(row)) > len(text(other)) {
				at = i
				break
			}
		}
		index[first] = append(index[first][:at], append([]T{row}, index[first][at:]...)...)
	}
	return index
}

// wrapper reads one layer of the chain.
func (c *chain) wrapper(rest string) int {
	for _, w := range wrapperIndex[rest[0]] {
		if !strings.HasPrefix(rest, w.text) {
			continue
		}
		n := c.shape(w.wrapper, rest)
		if n == 0 {
			continue
		}
		if w.step != StepUnknown {
			c.f.Step = w.step
		}
		if c.f.Runtime == "" {
			c.f.Runtime = w.by
		}
		c.f.Found.add(w.found)
		c.asked, c.expects = false, false
		if w.by != "" || w.shape == rpc {
			c.speaker = w.by
		}
		c.within(w.text)
		return n
	}
	return 0
}

// within notes what a wrapper tells beside its step.
func (c *chain) within(text string) {
	switch text {
	case "failed to fetch anonymous token: ":
		c.f.Token = TokenAnonymous
	case "failed to fetch oauth token: ":
		c.f.Token = TokenOAuth
	case "failed to do request: ":
		c.containerd = true
	}
}

// shape reads what follows the words of a wrapper and returns the length of
// both.
func (c *chain) shape(w wrapper, rest string) int {
	n := len(w.text)
	switch w.shape {
	case plain:
		return n
	case rpc:
		return c.rpc(rest, n)
	case because:
		return c.because(rest, n)
	}
	end := segmentEnd(rest, n)
	if end < 0 {
		end = len(rest) // cut, or nothing was told
		if i := strings.IndexByte(rest[n:], '\n'); i >= 0 {
			end = n + i
		}
	}
	if w.shape == ref {
		c.reference(rest[n:end])
	}
	return min(end+len(": "), len(rest))
}

// reference notes the image of a wrapper. The outermost is as the kubelet or the
// configuration has it; deeper ones are what the runtime made of it, which drops the
// tag of an image that has a digest too.
func (c *chain) reference(s string) {
	if image, _, ok := cutQuoted(s); ok {
		s = image
	} else if rest, ok := strings.CutPrefix(s, `\"`); ok {
		s, _, _ = strings.Cut(rest, `\"`)
	} else {
		s, _, _ = strings.Cut(s, " ")
	}
	s = strings.TrimPrefix(s, "docker://")
	if s != "" && c.f.Reference == "" {
		c.f.Reference = bounded(redact.Text(s), maxReference)
	}
}

// maxReference bounds Failure.Reference, in bytes; the name of an image has at
// most 255, a digest 71.
const maxReference = 1 << 10

// rpc reads "rpc error: code = NotFound desc = ". Before grpc-go 1.9 the code
// was its number.
func (c *chain) rpc(rest string, n int) int {
	const mark = " desc = "
	code, _, found := strings.Cut(rest[n:min(len(rest), n+64)], mark)
	if !found || strings.ContainsAny(code, " \n\"") {
		return 0
	}
	if c.f.GRPCCode == "" {
		c.f.GRPCCode = code
		if code == "2" {
			c.f.GRPCCode = "Unknown"
		}
	}
	return n + len(code) + len(mark)
}

// because reads "image pull failed for x because the registry is unavailable: "
// (kubelet 1.28 and later, for CRI-O) and "image pull failed for x, this may be
// because there are no credentials on this request.  details: (" (kubelet 1.1).
func (c *chain) because(rest string, n int) int {
	for _, clause := range [...]struct {
		text  string
		found Finding
	}{
		{" because the registry is unavailable", Unavailable},
		{" because the signature validation failed", SignatureDenied},
		{", this may be because there are no credentials on this request.  details: ", noFinding},
		{", this may be because there are no credentials on this request. details: ", noFinding},
	} {
		image, tail, found := strings.Cut(rest[n:], clause.text)
		if !found || strings.Contains(image, "\n") {
			continue
		}
		c.reference(image)
		c.f.Found.add(clause.found)
		tail = strings.TrimLeft(tail, ": (")
		return len(rest) - len(tail)
	}
	return 0
}
