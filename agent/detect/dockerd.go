package detect

import (
	"net/url"
	"strings"
)

// dockerd reads what moby's daemon writes (distribution/pull.go,
// distribution/pull_v2.go, api/server/server.go, of v29 daemon/server/server.go).
// Before v29 its lines name no image; the kubelet's do.
func (d *detection) dockerd(msg value, f fields) bool {
	switch {
	case msg.startsWith("Not continuing with pull after error"):
		d.dockerFailed(PullFailed, msg.text(), f)
	case msg.startsWith("Attempting next endpoint for pull after error"),
		msg.startsWith("Ignoring extra error returned from registry"),
		msg.startsWith("Download failed, retrying"):
		d.dockerFailed(HostFailed, msg.text(), f)
	case msg.startsWith("Handler for POST "):
		d.handlerFailed(msg.text(), f)
	default:
		return false
	}
	return true
}

// handlerFailed reads "Handler for POST /v1.43/images/create returned error: …", in
// v29 with the error and the request in fields; the status there is the daemon's own.
func (d *detection) handlerFailed(msg string, f fields) {
	path, _, found := between(msg, "Handler for POST ", " returned error")
	if path, _, _ = strings.Cut(path, "?"); !found || !strings.HasSuffix(path, "/images/create") {
		return
	}
	_, failure, _ := strings.Cut(msg, " returned error")
	d.dockerFailed(PullFailed, "returned error"+failure, f)
}

// requestedImage is the image in a request to create one, by tag or digest.
func requestedImage(request string) string {
	u, err := url.Parse(request)
	if err != nil {
		return ""
	}
	image, tag := u.Query().Get("fromImage"), u.Query().Get("tag")
	switch {
	case image == "" || tag == "":
		return image
	case strings.Contains(tag, ":"):
		return image + "@" + tag
	default:
		return image + ":" + tag
	}
}

// dockerFailed takes the error from behind the first ": ", or from its field.
func (d *detection) dockerFailed(kind Kind, msg string, f fields) {
	s := d.signal(kind, Dockerd)
	if _, failure, found := strings.Cut(msg, ": "); found {
		s.Failure = d.failure(failure)
	} else if v, ok := f.get("error"); ok {
		s.Failure = d.failureIn(v)
	} else if v, ok := f.get("error-response"); ok {
		s.Failure, s.Image = d.failureIn(v), requestedImage(f.text("request-url"))
	}
	if kind == HostFailed && s.Failure != nil {
		s.Host = Host{}.with(s.Failure).withRole()
	}
	s.RequestID = f.text("traceID")
	d.send(s)
}

// dockerWords are how moby begins errors of a pull that have no status, URL or
// registry code to tell them by.
var dockerWords = [...]string{
	"pull access denied for ", "manifest for ", "repository ", "toomanyrequests", "denied: ",
	"unauthorized: ", "error pulling image", "failed to register layer", "no matching manifest for ",
	"image operating system ", "failed commit on ref ", "failed to resolve ", "failed to copy",
	"failed to do request", "failed to authorize", "filesystem layer verification failed",
	"received unexpected HTTP status", "invalid reference format",
}

// aboutPull reports whether an error of unknown origin is that of a pull.
func aboutPull(f *Failure) bool {
	if f.Status != 0 || f.Step != StepUnknown || len(f.Registry) > 0 || f.Reference != "" {
		return true
	}
	if u, err := url.Parse(f.URL); err == nil && (strings.HasPrefix(u.Path, "/v2/") || u.Path == "/v1/_ping") {
		return true
	}
	for _, words := range dockerWords {
		if strings.HasPrefix(f.Text, words) {
			return true
		}
	}
	return strings.Contains(f.Text, "/v2/") || strings.Contains(f.Text, "manifest")
}
