package diagnose

import (
	"cmp"
	"slices"
	"strings"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
)

// verdict is what a rule says. The zero value is no verdict.
type verdict struct {
	cause      Cause
	detail     string
	confidence Confidence // Certain if empty
	remedy     string
}

// rule is one step of the decision.
type rule func(evidence) verdict

// rules are asked in this order; the first verdict counts. The order matters
// where one text holds the words of several causes.
var rules = [...]rule{
	// It was pulled: nothing has failed, but it cannot run.
	wrongArchitecture,
	// What the kubelet says of itself needs no error text.
	backOff, neverPull, qpsExceeded, credentialProblem,
	// A runtime that is not there fails with "connection refused" as well.
	runtimeUnavailable,
	stalled,
	invalidReference,
	policyDenied,
	// containerd reports a missing platform as "not found" too, and a manifest
	// of schema 1 as "not implemented".
	platformMismatch, unsupportedMedia,
	// A full disk shows while a layer is stored or extracted, and makes content
	// short.
	diskFull, contentCorrupt, endedWhileUnpacking, unpackFailed,
	// A proxy that cannot be reached is "connection refused" too, and a DNS
	// server that does not answer "i/o timeout".
	proxyFailed, tlsFailed, dnsFailed,
	// An answer of the registry. Its body can tell more than its status.
	rateLimited, notFoundOrDenied, unauthorized, forbidden, manifestNotFound,
	registryUnavailable, registryRejected,
	networkTimeout, networkUnreachable,
	canceled,
}

// Diagnose names the cause of a failed attempt. Whatever the attempt holds, the
// cause is one of the closed set.
func Diagnose(a attempt.Attempt, f Facts) Diagnosis {
	e := gather(a, f)
	v := decide(e)
	info := infoOf(v.cause)
	return Diagnosis{
		Cause: v.cause, Detail: v.detail,
		Confidence: cmp.Or(v.confidence, Certain),
		Retry:      info.Retry, Owner: info.Owner,
		Remedy:  withCache(withHosts(v.remedy, e), f.Cache),
		Action:  action(v.remedy),
		Summary: summary(e, info),
		Cache:   f.Cache,
	}
}

// action is the second sentence of a remedy, or the only one. Where there are
// two, the first one says what is wrong.
func action(remedy string) string {
	first, rest, two := strings.Cut(remedy, ". ")
	if two {
		first, _, _ = strings.Cut(rest, ". ")
	}
	return strings.TrimSuffix(first, ".")
}

func decide(e evidence) verdict {
	for _, r := range rules {
		if v := r(e); v.cause != "" {
			return v
		}
	}
	return verdict{
		cause: Unknown, confidence: Possible,
		remedy: "The text of this failure is not known; read exception.message, and the runtime's log around it.",
	}
}

// evidence is what the rules look at.
type evidence struct {
	attempt.Attempt

	facts Facts
	// f is never nil.
	f *detect.Failure
	// told is the registry's own words, in lower case.
	told string
}

func gather(a attempt.Attempt, f Facts) evidence {
	e := evidence{Attempt: a, facts: f, f: a.Failure}
	if e.f == nil {
		e.f = &detect.Failure{}
	}
	var told strings.Builder
	for _, r := range e.f.Registry {
		told.WriteString(r.Code + ": " + r.Message + "\n")
	}
	e.told = strings.ToLower(told.String())
	e.Registry = e.registry()
	return e
}

// found reports whether the grammar found one of these in the error.
func (e evidence) found(oneOf ...detect.Finding) bool { return e.f.Found.Has(oneOf...) }

// code reports whether the registry's body holds one of the error codes.
func (e evidence) code(codes ...string) bool {
	return slices.ContainsFunc(e.f.Registry, func(r detect.RegistryError) bool { return slices.Contains(codes, r.Code) })
}

// registrySays reports whether the registry's own words hold one of the
// phrases, which are in lower case. It serves the remedy, not the cause.
func (e evidence) registrySays(phrases ...string) bool {
	return slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(e.told, p) })
}

// summary is the failure in a few words: the status if there was an answer,
// else the innermost error if that is short, else the meaning of the cause.
func summary(e evidence, info Info) string {
	const short = 120
	if e.f.Status != 0 && e.f.StatusText != "" {
		return statusLine(e.f)
	}
	if info.Cause == Stalled {
		return info.Meaning // the error only says that the pull was cancelled
	}
	if leaf := strings.TrimSpace(e.f.Leaf); leaf != "" && len(leaf) <= short && !strings.ContainsRune(leaf, '\n') {
		return leaf
	}
	return info.Meaning
}
