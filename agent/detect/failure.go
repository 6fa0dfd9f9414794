package detect

import (
	"slices"
	"strings"

	"pullcause/agent/redact"
)

// Step is how far a pull had come when it failed, read from the wrappers of the
// error.
type Step string

// The steps of a pull, in order.
const (
	StepUnknown   Step = ""
	StepReference Step = "reference" // parsing the image name
	StepPolicy    Step = "policy"    // pull policy, verifier, signature, the kubelet's own limits
	StepResolve   Step = "resolve"   // asking for the manifest by tag or digest
	StepAuthorize Step = "authorize" // asking for a token
	StepFetch     Step = "fetch"     // reading manifests, configs and layers
	StepCommit    Step = "commit"    // checking and storing what was read
	StepUnpack    Step = "unpack"    // extracting layers into the snapshotter
	StepRuntime   Step = "runtime"   // reaching the runtime itself
)

// RegistryError is one entry of a registry's error body, as the runtime prints
// it (OCI distribution spec, error codes).
type RegistryError struct {
	Code    string // lower case with underscores: "toomanyrequests", "manifest_unknown"
	Message string
}

// The values of [Failure.Token].
const (
	TokenAnonymous = "anonymous"
	TokenOAuth     = "oauth"
)

// Failure is a parsed error chain: what containerd writes behind error=, the
// kubelet behind err=, events behind "Failed to pull image". Facts that the
// text does not tell are zero.
type Failure struct {
	// Text is the whole error, unquoted and redacted, at most [MaxFailure] bytes of
	// valid UTF-8. Clipped is set if it was longer: then the middle is missing, and the
	// text says so.
	Text    string
	Clipped bool `json:",omitempty"`
	// Leaf is the innermost part, what really happened: "dial tcp: lookup r on
	// 10.0.0.10:53: no such host", "403 Forbidden".
	Leaf string
	// Found is what the words of the chain say.
	Found Findings
	// GRPCCode is the CRI status that wraps the chain ("NotFound"), empty if none.
	GRPCCode string
	// Reference is the image that the chain names, as its outermost wrapper does.
	Reference string
	// Repository is what the error itself is about, where it names that; a tag may
	// follow.
	Repository string
	// Runtime is whose words the chain is made of: Containerd, CRIO or Dockerd, empty
	// if it does not tell.
	Runtime string
	Step    Step
	// Method and URL of the request that failed; URL is redacted.
	Method, URL string
	// Status and StatusText are read from the grammar of the error, never from
	// digits elsewhere. 0 if there was no answer. StatusText is without the code.
	Status     int
	StatusText string
	// Registry are the entries of the error body, in order.
	Registry []RegistryError
	// Token tells which kind of token request failed: "anonymous" (no
	// credentials were sent) or "oauth" (they were), else empty.
	Token string
	// Lookup is the name that did not resolve, Resolver the DNS server asked.
	Lookup, Resolver string
	// Peer is the address that was dialled, ip:port; Proxy is set when that was
	// an HTTP proxy.
	Peer  string
	Proxy bool
	// Socket is the path of the unix socket that was dialled.
	Socket string
	// Others are the further errors of an aggregate (several credentials tried,
	// several mirrors), at most [MaxOthers], fewer if they are long.
	Others []*Failure
}

// Bounds of a [Failure].
const (
	MaxFailure = 8 << 10 // bytes of Text
	MaxOthers  = 8
)

// Code returns the first entry of the error body with one of the codes.
func (f *Failure) Code(codes ...string) (RegistryError, bool) {
	for _, e := range f.Registry {
		if slices.Contains(codes, e.Code) {
			return e, true
		}
	}
	return RegistryError{}, false
}

// RuntimeLost is the failure of a pull whose runtime ended before it: no line tells
// of it.
func RuntimeLost() *Failure {
	const text = "the runtime ended while it pulled"
	f := &Failure{Text: text, Leaf: text, Step: StepRuntime}
	f.Found.add(RuntimeGone)
	return f
}

// ParseFailure reads an error chain, from its outermost wrapper to what really
// happened. It accepts any text, a cut one too, takes linear time and never
// returns nil. The result shares no memory with the text. What it knows stands in
// literal tables: failure_layers.go what chains are made of, failure_phrases*.go
// what their ends say.
func ParseFailure(text string) *Failure { return parseFailure(text, 0) }

// parseFailure is [ParseFailure] for the beginning of a text of which more follows.
func parseFailure(text string, more int) *Failure {
	begin := beforeSpace(text, maxParsed+slack)
	more += len(text) - len(begin)
	begin = redact.Text(begin)
	redacted := strings.Clone(bounded(begin, maxParsed))
	more += len(begin) - len(redacted)
	f := new(Failure)
	c := chain{f: f, text: strings.TrimSpace(redacted)}
	c.read()
	f.bound(redacted, more)
	return f
}
