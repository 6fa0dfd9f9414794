package detect

import "strings"

// The kubelet's words for why a container waits for its image
// (pkg/kubelet/images/types.go, cri-api pkg/errors).
const (
	errImagePull        = "ErrImagePull"
	imagePullBackOff    = "ImagePullBackOff"
	imageInspectError   = "ImageInspectError"
	errImageNeverPull   = "ErrImageNeverPull"
	invalidImageName    = "InvalidImageName"
	registryUnavailable = "RegistryUnavailable"
	signatureInvalid    = "SignatureValidationFailed"
)

func imageReason(reason string) bool {
	switch reason {
	case errImagePull, imagePullBackOff, imageInspectError, errImageNeverPull,
		invalidImageName, registryUnavailable, signatureInvalid:
		return true
	}
	return false
}

// imageMessage is one thing that the kubelet's image manager says
// (pkg/kubelet/images/image_manager.go 1.24 to 1.37): in events, in the state
// of a container and so in the kubelet's errors.
type imageMessage struct {
	reason  string // the waiting reason that goes with it, if only one does
	image   string
	failure string // what ParseFailure is to read; empty if nothing is told
}

// imageWords are how its messages begin. The image follows in quotes, and then
// the error if failure is set; else the whole message is the error.
var imageWords = [...]struct {
	begin, reason string
	failure       bool
}{
	{"Failed to pull image ", "", true},
	{"Back-off pulling image ", imagePullBackOff, true},
	{"Failed to inspect image ", imageInspectError, true},
	{"Failed to apply default image tag ", invalidImageName, true},
	{"Container image ", errImageNeverPull, false},
}

// parseImageMessage reads a message of the image manager; ok is false for any
// other text, such as the bare error of a pull.
func parseImageMessage(text string) (m imageMessage, ok bool) {
	for _, words := range imageWords {
		rest, found := strings.CutPrefix(text, words.begin)
		if !found {
			continue
		}
		image, rest, quoted := cutQuoted(rest)
		if !quoted {
			return imageMessage{}, false
		}
		m = imageMessage{reason: words.reason, image: image, failure: text}
		if words.failure {
			m.failure = strings.TrimPrefix(strings.TrimPrefix(rest, ":"), " ")
		} else if !strings.HasPrefix(rest, " is not present with pull policy of Never") {
			return imageMessage{}, false
		}
		if words.reason == imagePullBackOff {
			m.failure = repeatedCause(m.failure)
		}
		return m, true
	}
	return parsePullFailedFor(text)
}

// repeatedCause is the error that a back-off repeats behind its reason
// ("ErrImagePull: …", kubelet 1.32 and later).
func repeatedCause(text string) string {
	reason, failure, found := strings.Cut(text, ": ")
	if found && imageReason(reason) {
		if m, ok := parseImageMessage(failure); ok {
			return m.failure
		}
		return failure
	}
	return text
}

// parsePullFailedFor reads "image pull failed for x because the registry is
// unavailable: …" and "… because the signature validation failed: …".
func parsePullFailedFor(text string) (m imageMessage, ok bool) {
	rest, found := strings.CutPrefix(text, "image pull failed for ")
	if !found {
		return imageMessage{}, false
	}
	image, why, found := strings.Cut(rest, " because the ")
	if !found {
		return imageMessage{}, false
	}
	m = imageMessage{image: image, failure: text}
	switch {
	case strings.HasPrefix(why, "registry is unavailable"):
		m.reason = registryUnavailable
	case strings.HasPrefix(why, "signature validation failed"):
		m.reason = signatureInvalid
	}
	return m, true
}

// told fills in what the kubelet says about a container whose image is
// missing. message may be the image manager's or the bare error of the pull.
func (d *detection) told(s *Signal, reason, message string) {
	s.Kind, s.Reason = PullFailed, reason
	m, ok := parseImageMessage(message)
	switch {
	case ok:
		s.Image = m.image
		if s.Reason == "" {
			s.Reason = m.reason
		}
		message = m.failure
	case reason == imagePullBackOff:
		message = repeatedCause(message)
	}
	if message != "" {
		s.Failure = d.failure(message)
	}
	if s.Reason == imagePullBackOff {
		s.Kind = BackOff
	}
}
