package attempt

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"pullcause/agent/detect"
)

// FromSignal makes an attempt of one signal alone, for input whose lines are
// diagnosed one by one.
func FromSignal(s detect.Signal) Attempt {
	return fromSignal(s, parseReference(signalImage(s)))
}

func fromSignal(s detect.Signal, parsed ref) Attempt {
	a := Attempt{
		UID: uid("", s), Image: signalImage(s), Ref: parsed.name, Registry: parsed.registryOf(s.Failure),
		Program: s.Program, Start: s.Time, End: s.Time, Observed: s.Observed,
		Succeeded: s.Kind == detect.PullSucceeded,
		BackOff:   s.Kind == detect.BackOff,
		Stalled:   s.Kind == detect.PullStalled,
		Failure:   s.Failure, Reason: s.Reason, Attribution: ByNobody,
		Bytes: s.Bytes, Duration: s.Duration, Lines: s.Raw, Line: s.Line, Spans: s.Spans(),
	}
	if s.Kind == detect.CredentialProblem {
		a.Credential = s.Failure
		if a.Credential == nil {
			a.Credential = &detect.Failure{Text: s.Raw}
		}
	}
	if hasPod(s) {
		a.Pods = []Pod{{Pod: s.Pod, Container: s.Container, Kind: s.ContainerKind, Reason: s.Reason}}
		a.Attribution = attribution(s)
	}
	a.Hosts = withTerminal(nil, a.Failure, parsed)
	return a
}

// signalImage is the image a signal is about: as the program wrote it, else as
// the error chain names it.
func signalImage(s detect.Signal) string {
	if s.Image == "" && s.Failure != nil {
		return s.Failure.Reference
	}
	return s.Image
}

func hasPod(s detect.Signal) bool { return s.Pod != detect.Pod{} }

func attribution(s detect.Signal) Attribution {
	if s.Program == detect.Kubelet || s.Program == detect.Event {
		return ByKubelet
	}
	return BySandbox
}

// uid identifies an attempt by one of its lines: the same text at the same place of the same
// source is the same attempt, whatever the file is called by then. A line about several
// containers yields several. Of a line whose text is not kept the time tells it from the
// one at its place in a file of an earlier rotation.
func uid(node string, s detect.Signal) string {
	if s.Kind == detect.PullSucceeded { // nearly all are; where it was read is enough
		return place(s)
	}
	text := s.Raw
	if text == "" {
		text = strconv.FormatInt(s.Time.UnixNano(), 10)
	}
	h := sha256.New()
	for _, part := range []string{
		node, s.Pos.Source, strconv.FormatInt(s.Pos.Offset, 10), text, s.Image, s.Pod.UID, s.Container,
	} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// place is where a line was read.
func place(s detect.Signal) string {
	return s.Pos.Source + "@" + s.Pos.Stream + "@" + strconv.FormatInt(s.Pos.Offset, 10)
}
