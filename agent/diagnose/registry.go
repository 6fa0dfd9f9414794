package diagnose

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"pullcause/agent/detect"
)

// The causes that the registry owns, and what is known of registries.

// kind of registry, by its host.
type kind int

const (
	other kind = iota
	dockerHub
	ecr
	gar
	acr
	ghcr
	quay
)

func registryKind(host string) kind {
	host, _, _ = strings.Cut(host, ":")
	switch {
	case host == "docker.io" || strings.HasSuffix(host, ".docker.io"):
		return dockerHub
	case strings.Contains(host, ".dkr.ecr") && strings.Contains(host, ".amazonaws.com"):
		return ecr
	case host == "gcr.io" || strings.HasSuffix(host, ".gcr.io") || strings.HasSuffix(host, ".pkg.dev"):
		return gar
	case strings.HasSuffix(host, ".azurecr.io"):
		return acr
	case host == "ghcr.io":
		return ghcr
	case host == "quay.io":
		return quay
	default:
		return other
	}
}

// publicNames begin the images of registries without accounts: those of Kubernetes
// (kubernetes/registry.k8s.io README.md) and what Google publishes.
var publicNames = [...]string{
	"registry.k8s.io/", "k8s.gcr.io/", "gcr.io/google-containers/", "gcr.io/google_containers/", "gcr.io/distroless/",
}

// public reports whether such a registry answered, rather than a mirror of it, which
// containerd tells in "ns" whose place it takes.
func (e evidence) public() bool {
	u, err := url.Parse(e.f.URL)
	return err == nil && !u.Query().Has("ns") &&
		slices.ContainsFunc(publicNames[:], func(name string) bool { return strings.HasPrefix(e.repository(), name) })
}

func rateLimited(e evidence) verdict {
	if e.f.Status != 429 && !e.code("toomanyrequests") && !e.found(detect.TooManyRequests) {
		return verdict{}
	}
	if registryKind(e.Registry) == dockerHub || registryKind(e.server()) == dockerHub ||
		e.registrySays("docker.com/increase-rate-limit") {
		e.Registry = "docker.io" // whose mirrors are meant, whatever the image is called
		return verdict{
			cause: RateLimited, detail: detailDockerHub,
			remedy: "Docker Hub's limit for this address or account is used up. Authenticate pulls with a pull secret, or pull through a mirror or pull-through cache (" + e.words().mirror + ").",
		}
	}
	return verdict{
		cause: RateLimited, detail: detailRegistry,
		remedy: "The registry limits this address or account. Pull less at once (serializeImagePulls, registryPullQPS in the KubeletConfiguration), through a mirror, or ask for a higher quota" + quotaName(e) + ".",
	}
}

func quotaName(e evidence) string {
	switch registryKind(e.Registry) {
	case ecr:
		return " (ECR: rate of BatchGetImage and GetDownloadUrlForLayer)"
	case gar:
		return " (Artifact Registry: requests per project per region per minute)"
	default:
		return ""
	}
}

// registryUnavailableReason is the kubelet's, on the word of CRI-O alone (v1.36.3
// server/image_pull.go).
const registryUnavailableReason = "RegistryUnavailable"

func registryUnavailable(e evidence) verdict {
	broken := e.f.Status >= 500 && e.f.Status <= 599
	// The kubelet's RegistryUnavailable stands for a refused connection (CRI-O
	// v1.36.3 internal/storage/image.go): the network's cause, where it is told.
	reasonAlone := e.Failure == nil && e.Reason == registryUnavailableReason
	if !broken && !reasonAlone && (!e.found(detect.Unavailable) || e.found(detect.ConnectionRefused)) {
		return verdict{}
	}
	v := verdict{
		cause:  RegistryUnavailable,
		remedy: "The registry or a proxy before it fails; nothing is wrong with the pod. Look at the status of " + quotedHost(e.server()) + " and wait, or name a mirror in " + e.words().mirror + ".",
	}
	switch {
	case broken:
		v.detail = strconv.Itoa(e.f.Status)
	case !e.code("unavailable"): // nobody says so of himself
		v.confidence = Likely
	}
	return v
}

// methodNotAllowed is the status of a host that serves something else.
const methodNotAllowed = 405

func registryRejected(e evidence) verdict {
	if e.f.Status < 400 || e.f.Status > 499 {
		return verdict{}
	}
	asked := e.f.URL
	if asked == "" {
		asked = "https://" + cmp.Or(e.server(), "HOST") + "/v2/"
	}
	v := verdict{
		cause: RegistryRejected, detail: strconv.Itoa(e.f.Status),
		remedy: "The registry refuses the request itself. Ask it the same from the node: curl -sI " + quoted(asked) + ", and check mirrors and paths in " + e.words().hosts + ".",
	}
	switch {
	case e.registrySays("prevent images with vulnerability"): // goharbor/harbor v2.10.2 src/server/middleware/vulnerable
		v.remedy = "The vulnerability policy of the image's project in Harbor holds it back. Have it scanned and rebuild it without what is found, or let an administrator of the project put that on its CVE allowlist."
	case e.f.Status == methodNotAllowed:
		v.remedy = "The host does not serve the registry API at this path (405). Check server and path (override_path) in " + e.words().hosts + "."
	}
	return v
}

// statusLine is "429 Too Many Requests".
func statusLine(f *detect.Failure) string {
	return strconv.Itoa(f.Status) + " " + strings.TrimSpace(strings.TrimPrefix(f.StatusText, strconv.Itoa(f.Status)))
}
