package detect

import (
	"bytes"
	"net/url"
	"strings"
)

// crio reads what CRI-O writes (server/image_pull.go, internal/log/log.go). At
// its default level it tells of starts and successes only; why a pull failed
// stands in the kubelet's log. Each line carries the id of its request.
func (d *detection) crio(msg value, f fields) bool {
	switch {
	case msg.startsWith("Pulling image: "):
		d.crioPull(PullStarted, msg.text()[len("Pulling image: "):], f)
	case msg.startsWith("Pulled image: "):
		image := msg.text()[len("Pulled image: "):]
		if isID(image) {
			image = ""
		}
		d.crioPull(PullSucceeded, image, f)
	case msg.startsWith("Error pulling image "):
		image, failure, _ := strings.Cut(msg.text()[len("Error pulling image "):], ": ")
		d.crioFailed(image, failure, f)
	case msg.startsWith("Response error: "):
		if name, _ := f.get("name"); bytes.HasSuffix(name.raw, []byte("/PullImage")) {
			d.crioFailed("", msg.text()[len("Response error: "):], f)
		}
	case msg.startsWith("Timed out on waiting up to ") && bytes.Contains(msg.raw, []byte("image pull progress")):
		s := d.signal(PullStalled, CRIO)
		s.RequestID = f.text("id")
		d.send(s)
	case msg.startsWith("Starting CRI-O, version: "): // cmd/crio/main.go
		version, _, _ := strings.Cut(msg.text()[len("Starting CRI-O, version: "):], ",")
		d.started(RuntimeStarted, CRIO, version)
	case msg.startsWith("Ping "):
		d.crioPing(msg.text()[len("Ping "):], f)
	default:
		return false
	}
	return true
}

func (d *detection) crioPull(kind Kind, image string, f fields) {
	s := d.signal(kind, CRIO)
	s.Image, s.RequestID = image, d.clean(f.text("id"), maxName)
	d.sendBare(s)
}

func (d *detection) crioFailed(image, failure string, f fields) {
	s := d.signal(PullFailed, CRIO)
	s.Image, s.RequestID, s.Failure = image, f.text("id"), d.failure(failure)
	d.send(s)
}

// crioPing reads "Ping https://r/v2/ err <error> (&url.Error{…})" of
// containers/image (docker/docker_client.go, debug level).
func (d *detection) crioPing(msg string, f fields) {
	target, failure, ok := strings.Cut(msg, " err ")
	u, err := url.Parse(target)
	if !ok || err != nil || failure == "<nil>" {
		return
	}
	failure, _, _ = strings.Cut(failure, " (&url.Error{")
	s := d.signal(HostFailed, CRIO)
	s.Failure = d.failure(failure)
	s.Host = Host{Host: u.Host, URL: target}.with(s.Failure)
	s.RequestID = f.text("id")
	d.send(s)
}

// isID reports whether CRI-O names the id of an image rather than its name.
func isID(image string) bool {
	const length = 64
	image = strings.TrimPrefix(image, "sha256:")
	return len(image) == length && strings.Trim(image, "0123456789abcdef") == ""
}
