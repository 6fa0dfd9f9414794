package detect

import "strings"

// crictl reads the fatal line of crictl in logrus text: level=fatal
// msg="pulling image: rpc error: …" (cri-tools 1.24 and later).
func (d *detection) crictl(msg value) bool {
	if !msg.startsWith("pulling image: ") && !msg.startsWith("pulling image failed: ") {
		return false
	}
	return d.clientOutput(msg.text())
}

// clientWords are how clients of runtimes begin what they print about a failed
// pull, and whose words they repeat: crictl, ctr, kubeadm, podman, docker.
var clientWords = [...]struct {
	begin, program string
	image          bool // the image follows, up to ": "; anybody may write so
}{
	{"pulling image failed: ", Containerd, false},
	{"pulling image: ", Containerd, false},
	{"ctr: ", Containerd, false},
	{"failed to pull image ", Containerd, true},
	{"unable to pull ", CRIO, true},
	{"Error: initializing source docker://", CRIO, true},
	{"Error response from daemon: ", Dockerd, false},
	{"error pulling image configuration: ", Dockerd, false},
	{"failed to register layer: ", Dockerd, false},
}

// clientOutput reads what a client of a runtime printed, or a sentence that quotes it.
// It reports whether it knows the words; those that introduce anything must be
// followed by the error of a pull, those with an image by one that can be the name of
// one.
func (d *detection) clientOutput(text string) bool {
	for _, words := range clientWords {
		n := strings.Index(text, words.begin)
		if n < 0 || n > 0 && text[n-1] != ' ' {
			continue
		}
		failure := text[n+len(words.begin):]
		var image string
		if words.image {
			image, failure = cutImage(failure)
			if strings.ContainsAny(image, " \t") || failure == "" {
				return false
			}
		}
		if words.begin == "error pulling image configuration: " || words.begin == "failed to register layer: " {
			failure = text[n:]
		}
		f := d.failure(failure)
		if !words.image && !aboutPull(f) {
			return false
		}
		d.foreign = d.foreign || n > 0 || words.image
		s := d.signal(PullFailed, words.program)
		s.Image, s.Failure = image, f
		d.send(s)
		return true
	}
	return false
}

// cutImage takes an image, quoted or up to ": ", off the front of s.
func cutImage(s string) (image, rest string) {
	if image, rest, ok := cutQuoted(s); ok {
		return image, strings.TrimPrefix(rest, ": ")
	}
	image, rest, _ = strings.Cut(s, ": ")
	return image, rest
}
