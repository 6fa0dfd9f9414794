package attempt

import (
	"strings"

	"github.com/distribution/reference"

	"pullcause/agent/detect"
)

// maxReferences bounds the cache of parsed references.
const maxReferences = 1024

// references normalises image references as containerd does (the default
// registry, the "library/" prefix and the tag "latest" filled in) and
// remembers the last ones, since one attempt names its image in many lines.
type references struct {
	known map[string]ref
}

type ref struct {
	name     string // normalised, empty if the image does not parse
	registry string
	path     string // the repository within the registry
	tag      string // tag or digest
}

func (r *references) parse(image string) ref {
	if known, ok := r.known[image]; ok {
		return known
	}
	if r.known == nil || len(r.known) >= maxReferences {
		r.known = make(map[string]ref, 64)
	}
	parsed := parseReference(image)
	r.known[strings.Clone(image)] = parsed
	if parsed.name != "" {
		r.known[parsed.name] = parsed // other lines have the normalised name
	}
	return parsed
}

func parseReference(image string) ref {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return ref{}
	}
	parsed := ref{name: named.String(), registry: reference.Domain(named), path: reference.Path(named)}
	switch n := named.(type) {
	case reference.Digested:
		parsed.tag = n.Digest().String()
	case reference.Tagged:
		parsed.tag = n.Tag()
	}
	return parsed
}

// registryOf is the host that the image is asked for at, empty where a pull failed
// because nobody knows: then the default is not what was meant.
func (r ref) registryOf(f *detect.Failure) string {
	if f != nil && f.Found.Has(detect.ShortName) {
		return ""
	}
	return r.registry
}

// key is what the lines of one pull have in common: the normalised reference,
// or the image as written where it is none.
func (r ref) key(image string) string {
	if r.name != "" {
		return r.name
	}
	return image
}
