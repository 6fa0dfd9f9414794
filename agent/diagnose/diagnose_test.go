package diagnose_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
)

// diagnosisOf diagnoses an error chain as the runtime would tell of it.
func diagnosisOf(image, text string, facts diagnose.Facts) diagnose.Diagnosis {
	s := detect.Signal{Kind: detect.PullFailed, Program: detect.Containerd, Image: image, Failure: detect.ParseFailure(text)}
	return diagnose.Diagnose(attempt.FromSignal(s), facts)
}

const (
	app      = "registry.example.com/team/app:v1"
	resolve  = `failed to pull and unpack image "` + app + `": failed to resolve reference "` + app + `": `
	unknown  = "rpc error: code = Unknown desc = "
	manifest = "https://registry.example.com/v2/team/app/manifests/v1"
	head     = `failed to do request: Head "` + manifest + `": `
)

// chains are what classifiers by substring stumble over: "failed" stands in
// every one, "not found" in a missing platform, and statuses beside digests.
var chains = []struct {
	name, text string
	cause      diagnose.Cause
	detail     string
}{
	{"tag not found", "rpc error: code = NotFound desc = " + resolve + app + ": not found", diagnose.ManifestNotFound, "tag"},
	{"access denied or absent", unknown + resolve + "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed", diagnose.RepositoryNotFoundOrDenied, ""},
	{"401 on HEAD", unknown + resolve + "unexpected status from HEAD request to " + manifest + ": 401 Unauthorized", diagnose.Unauthorized, ""},
	{"ECR without credentials", unknown + `failed to pull and unpack image "1234.dkr.ecr.us-east-1.amazonaws.com/app:1": failed to resolve reference "1234.dkr.ecr.us-east-1.amazonaws.com/app:1": pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials`, diagnose.Unauthorized, "no_basic_auth"},
	{"403 on the token", unknown + resolve + "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://registry.example.com/token?scope=repository%3Ateam%2Fapp%3Apull&service=registry.example.com: 403 Forbidden", diagnose.Forbidden, ""},
	{"403 on HEAD", unknown + resolve + "unexpected status from HEAD request to " + manifest + ": 403 Forbidden", diagnose.Forbidden, ""},
	{"429 on HEAD", unknown + `failed to pull and unpack image "docker.io/library/nginx:1.27": failed to resolve reference "docker.io/library/nginx:1.27": unexpected status from HEAD request to https://registry-1.docker.io/v2/library/nginx/manifests/1.27: 429 Too Many Requests`, diagnose.RateLimited, "docker_hub"},
	{"429 on a layer", unknown + `failed to pull and unpack image "docker.io/library/nginx:1.27": failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/nginx/manifests/sha256:a3c2f3bd2e07b4b9c4c2a5a5e6a404404404c7f2a8b3e8d0b1c2d3e4f5a6b7c8: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.`, diagnose.RateLimited, "docker_hub"},
	{"503", unknown + resolve + "unexpected status from HEAD request to " + manifest + ": 503 Service Unavailable", diagnose.RegistryUnavailable, "503"},
	{"name does not resolve", unknown + resolve + head + "dial tcp: lookup registry.example.com on 10.0.0.10:53: no such host", diagnose.DNS, "nxdomain"},
	{"name server is silent", unknown + resolve + head + "dial tcp: lookup registry.example.com on 10.0.0.10:53: read udp 10.0.0.5:51842->10.0.0.10:53: i/o timeout", diagnose.DNS, "timeout"},
	{"connect timeout", "rpc error: code = DeadlineExceeded desc = " + resolve + head + "dial tcp 10.1.2.3:443: i/o timeout", diagnose.NetworkTimeout, "connect"},
	{"connection refused", "rpc error: code = Unavailable desc = " + resolve + head + "dial tcp 10.1.2.3:443: connect: connection refused", diagnose.NetworkUnreachable, "refused"},
	{"HTTP answered to HTTPS", unknown + resolve + head + "http: server gave HTTP response to HTTPS client", diagnose.TLS, "plain_http"},
	{"unknown authority, Go 1.20 and later", unknown + resolve + head + "tls: failed to verify certificate: x509: certificate signed by unknown authority", diagnose.TLS, "unknown_authority"},
	{"unknown authority, before", unknown + resolve + head + "x509: certificate signed by unknown authority", diagnose.TLS, "unknown_authority"},
	{"proxy", unknown + resolve + head + "proxyconnect tcp: dial tcp 10.9.9.9:3128: connect: connection refused", diagnose.Proxy, "connect"},
	{"platform", "rpc error: code = NotFound desc = failed to pull and unpack image \"" + app + "\": no match for platform in manifest: not found", diagnose.PlatformMismatch, "no_match"},
	{"disk full", unknown + `failed to pull and unpack image "` + app + `": failed to extract layer sha256:b1: mount callback failed on /var/lib/containerd/tmpmounts/containerd-mount404: write /var/lib/containerd/tmpmounts/containerd-mount404/usr/bin/x: no space left on device: unknown`, diagnose.DiskFull, "space"},
	{"wrong digest", "rpc error: code = FailedPrecondition desc = failed to pull and unpack image \"" + app + "\": failed commit on ref \"layer-sha256:b1\": unexpected commit digest sha256:c2, expected sha256:b1: failed precondition", diagnose.ContentCorrupt, "digest"},
	{"schema 1", "rpc error: code = Unimplemented desc = failed to pull and unpack image \"" + app + "\": schema 1 image manifests are no longer supported: not implemented", diagnose.UnsupportedMedia, "schema1"},
	{"cancelled", "rpc error: code = Canceled desc = failed to pull and unpack image \"" + app + "\": failed to copy: context canceled", diagnose.Canceled, ""},
	{"the kubelet's own limit", "pull QPS exceeded", diagnose.PullQPSExceeded, ""},
	{"signature", "SignatureValidationFailed: image pull failed for " + app + " because the signature validation failed: Source image rejected: A signature was required, but no signature exists", diagnose.PolicyDenied, "signature"},
	{"connection reset", unknown + resolve + head + "read tcp 10.0.0.5:51842->10.1.2.3:443: read: connection reset by peer", diagnose.NetworkUnreachable, "reset"},
}

// The 25 texts on which other classifiers were measured.
func TestErrorChains(t *testing.T) {
	if len(chains) != 25 {
		t.Fatalf("%d texts, want 25", len(chains))
	}
	for _, tt := range chains {
		d := diagnosisOf("", tt.text, diagnose.Facts{})
		if d.Cause != tt.cause || d.Detail != tt.detail {
			t.Errorf("%s: got %s/%s, want %s/%s: %s", tt.name, d.Cause, d.Detail, tt.cause, tt.detail, tt.text)
		}
		if d.Remedy == "" || d.Summary == "" || d.Owner == "" || d.Confidence == "" {
			t.Errorf("%s: something is left out: %+v", tt.name, d)
		}
	}
}

// A remedy fits the evidence: it names what to change at this registry.
func TestRemedies(t *testing.T) {
	const noCredentials = "authorization failed: no basic auth credentials"
	for _, tt := range []struct {
		name, image, text string
		facts             diagnose.Facts
		want              []string
	}{
		{
			"Amazon ECR", "1234.dkr.ecr.us-east-1.amazonaws.com/app:1", noCredentials,
			diagnose.Facts{},
			[]string{"AmazonEC2ContainerRegistryPullOnly", "ecr-credential-provider"},
		},
		{
			"Google Artifact Registry", "europe-docker.pkg.dev/p/r/app:1", "unexpected status from HEAD request to https://europe-docker.pkg.dev/v2/p/r/app/manifests/1: 403 Forbidden",
			diagnose.Facts{},
			[]string{"roles/artifactregistry.reader"},
		},
		{"Azure", "acme.azurecr.io/app:1", noCredentials, diagnose.Facts{}, []string{"az aks update --attach-acr"}},
		{"GitHub", "ghcr.io/acme/app:1", noCredentials, diagnose.Facts{}, []string{"read:packages", "--docker-server=ghcr.io"}},
		{"any other registry", app, noCredentials, diagnose.Facts{}, []string{"kubectl -n NAMESPACE create secret docker-registry", "--docker-server=registry.example.com"}},
		{"Docker Hub's limit", "nginx:1.27", "toomanyrequests: You have reached your pull rate limit.", diagnose.Facts{}, []string{"Docker Hub's limit", "certs.d/docker.io/hosts.toml"}},
		{"another limit", app, "toomanyrequests: slow down", diagnose.Facts{}, []string{"The registry limits", "registryPullQPS"}},
		{
			"platform of the node", app, "no match for platform in manifest: not found",
			diagnose.Facts{OS: "linux", Arch: "arm64", Variant: "v8"},
			[]string{"linux/arm64/v8", "--platform linux/arm64", "kubernetes.io/arch"},
		},
		{"private CA", app, "x509: certificate signed by unknown authority", diagnose.Facts{}, []string{"/etc/containerd/certs.d/registry.example.com/ca.crt"}},
		{"upper case", "registry.example.com/Team/App:v1", "couldn't parse image name \"registry.example.com/Team/App:v1\": invalid reference format: repository name (Team/App) must be lowercase", diagnose.Facts{}, []string{"'registry.example.com/team/app'"}},
		{"name that ends in a quote", "registry.example.com/app:v1\"", "invalid reference format", diagnose.Facts{}, []string{`'registry.example.com/app:v1\"' in the pod's spec`}},
		{"hostile name", "registry.example.com/a';reboot;'/x:v1", "manifest unknown", diagnose.Facts{}, []string{`'registry.example.com/a'\'';reboot;'\''/x'`}},
	} {
		got := diagnosisOf(tt.image, tt.text, tt.facts).Remedy
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in: %s", tt.name, want, got)
			}
		}
	}
}

// Words that several things end in are not certain, and the remedy names them all.
func TestWhatIsNotKnown(t *testing.T) {
	for _, tt := range []struct {
		name, text, detail string
		confidence         diagnose.Confidence
		want               []string
	}{
		{
			"libc's EAI_AGAIN", head + "dial tcp: lookup registry.example.com: Temporary failure in name resolution", "timeout",
			diagnose.Likely,
			[]string{"the resolver of the node (/etc/resolv.conf) does not answer, or fails, or the node has no network"},
		},
		{
			"a resolver that is named", head + "dial tcp: lookup registry.example.com on 10.0.0.10:53: read udp 10.0.0.5:51842->10.0.0.10:53: i/o timeout", "timeout",
			diagnose.Certain,
			[]string{"The resolver 10.0.0.10:53 (from /etc/resolv.conf of the node) does not answer."},
		},
		{
			"no room for a file", "failed to extract layer sha256:b1: mkdir /var/lib/containerd/x: no space left on device", "inodes",
			diagnose.Likely,
			[]string{"df -i", "df -h"},
		},
		{
			"certificate out of its time", head + "x509: certificate has expired or is not yet valid", "expired",
			diagnose.Likely,
			[]string{"timedatectl", "openssl s_client -connect registry.example.com:443"},
		},
		{
			"certificate out of its time, cut", head + "x509: certificate has expired", "expired",
			diagnose.Likely,
			[]string{"timedatectl"},
		},
		{
			"certificate that has expired", head + "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-24T08:00:00Z is after 2026-11-01T00:00:00Z", "expired",
			diagnose.Certain,
			[]string{"Renew it"},
		},
		{
			"deadline", head + "context deadline exceeded", "deadline",
			diagnose.Likely,
			[]string{"whether a connection stands at all"},
		},
		{
			"port that is none", "Get https://registry/v2/: dial tcp: address registry:port: unknown port", "",
			diagnose.Likely,
			[]string{"host and port in the image name"},
		},
	} {
		d := diagnosisOf(app, tt.text, diagnose.Facts{})
		if d.Detail != tt.detail || d.Confidence != tt.confidence {
			t.Errorf("%s: got %s/%s, %s; want %s, %s", tt.name, d.Cause, d.Detail, d.Confidence, tt.detail, tt.confidence)
		}
		for _, want := range tt.want {
			if !strings.Contains(d.Remedy, want) {
				t.Errorf("%s: no %q in: %s", tt.name, want, d.Remedy)
			}
		}
	}
}

// What is pasted into a shell names each port once.
func TestPorts(t *testing.T) {
	const text = `failed to do request: Head "http://registry.test:5000/v2/app/manifests/v1?ns=localhost%3A5000": net/http: HTTP/1.x transport connection broken: malformed HTTP response `
	tls := diagnosisOf("localhost:5000/app:v1", text+`"\x15\x03\x01\x00\x02\x02"`, diagnose.Facts{}).Remedy
	if want := "Write https:// for registry.test:5000 in /etc/containerd/certs.d/localhost:5000/hosts.toml."; !strings.Contains(tls, want) {
		t.Errorf("no %q in: %s", want, tls)
	}
	ssh := diagnosisOf("localhost:5000/app:v1", text+`"SSH-2.0-OpenSSH_9.6"`, diagnose.Facts{}).Remedy
	if want := "openssl s_client -connect registry.test:5000;"; !strings.Contains(ssh, want) {
		t.Errorf("no %q in: %s", want, ssh)
	}
}

// A remedy names the files of the runtime that pulls, and what the error is about
// where nobody told the image.
func TestRemediesWithoutImage(t *testing.T) {
	const daemon = "Error response from daemon: "
	for _, tt := range []struct {
		name, image, text string
		want              []string
		not               string
	}{
		{
			"docker, repository in the error", "", daemon + "pull access denied for registry.test/acme/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
			[]string{"the repository 'registry.test/acme/app' exists", "--docker-server=registry.test "},
			"''",
		},
		{
			"docker, of Docker Hub", "", daemon + "pull access denied for acme/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
			[]string{"the repository 'acme/app' exists", "--docker-server=https://index.docker.io/v1/ "},
			"''",
		},
		{
			"docker, repository in the URL", "", daemon + `Head "https://ghcr.io/v2/acme/app/manifests/v2.0": denied: denied`,
			[]string{"the repository 'ghcr.io/acme/app' exists", "--docker-server=ghcr.io "},
			"''",
		},
		{
			"no repository at all", "", "denied: denied",
			[]string{"Check that the repository exists"},
			"''",
		},
		{
			"docker, plain HTTP", "registry.test:5000/app:v1", daemon + `Get "https://registry.test:5000/v2/": http: server gave HTTP response to HTTPS client`,
			[]string{`"registry.test:5000" in insecure-registries of /etc/docker/daemon.json`},
			"containerd",
		},
		{
			"docker, private CA", "registry.test:5000/app:v1", daemon + `Get "https://registry.test:5000/v2/": x509: certificate signed by unknown authority`,
			[]string{"/etc/docker/certs.d/registry.test:5000/ca.crt"},
			"containerd",
		},
		{
			"docker, disk full", app, daemon + "failed to register layer: write /usr/lib/libx.so: no space left on device",
			[]string{"df -h /var/lib/docker"},
			"containerd",
		},
		{
			"CRI-O, private CA", app, `initializing source docker://` + app + `: pinging container registry registry.example.com: Get "https://registry.example.com/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
			[]string{"/etc/containers/certs.d/registry.example.com/ca.crt"},
			"containerd",
		},
		{
			"containerd, registry in the URL of a mirror", "", `failed to do request: Head "https://mirror.test/v2/team/app/manifests/v1?ns=registry.example.com": x509: certificate signed by unknown authority`,
			[]string{"/etc/containerd/certs.d/registry.example.com/ca.crt"},
			"HOST",
		},
	} {
		got := diagnosisOf(tt.image, tt.text, diagnose.Facts{}).Remedy
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in: %s", tt.name, want, got)
			}
		}
		if strings.Contains(got, tt.not) {
			t.Errorf("%s: %q in: %s", tt.name, tt.not, got)
		}
	}
}

// The line for people ends with what to do, not with what is wrong once more.
func TestActions(t *testing.T) {
	for text, want := range map[string]string{
		"toomanyrequests: You have reached your pull rate limit. https://www.docker.com/increase-rate-limit": "Authenticate pulls with a pull secret, or pull through a mirror or pull-through cache (/etc/containerd/certs.d/docker.io/hosts.toml)",
		"pull QPS exceeded": "The kubelet's own limit, not the registry's: raise registryPullQPS and registryBurst in the KubeletConfiguration (defaults 5 and 10), or start fewer pods at once",
	} {
		if got := diagnosisOf(app, text, diagnose.Facts{}).Action; got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// Every host that was tried is in the remedy, so that a mirror's failure is not
// mistaken for the registry's.
func TestRemedyNamesTheHosts(t *testing.T) {
	a := attempt.FromSignal(detect.Signal{Kind: detect.PullFailed, Image: app, Failure: detect.ParseFailure("manifest unknown")})
	a.Hosts = []detect.Host{
		{Host: "mirror.example", Role: detect.RoleMirror},
		{Host: "mirror-b.example", Role: detect.RoleMirror, Error: "dial tcp 10.0.0.1:443: connect: connection refused"},
		{Host: "registry.example.com", Status: 404},
	}
	const want = "Hosts tried: mirror.example: no answer, mirror-b.example: connection refused, registry.example.com: 404."
	if got := diagnose.Diagnose(a, diagnose.Facts{}).Remedy; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want it to end in %q", got, want)
	}
}

// What alerts and dashboards name must not change unnoticed.
func TestCauses(t *testing.T) {
	var got []string
	for _, c := range diagnose.Causes() {
		got = append(got, strings.Join(append([]string{string(c.Cause), string(c.Retry), c.Owner}, c.Details...), " "))
	}
	want := []string{
		"invalid_reference never reference uppercase format",
		"manifest_not_found never reference tag digest repository",
		"repository_not_found_or_denied never reference or credentials",
		"platform_mismatch never reference no_match wrong_arch_pulled",
		"unsupported_media never reference schema1 media_type",
		"unauthorized never credentials anonymous bad_credentials expired no_basic_auth",
		"forbidden never credentials",
		"credential_provider maybe credentials plugin missing_secret",
		"rate_limited later registry docker_hub registry",
		"registry_unavailable yes registry status",
		"registry_rejected never registry status",
		"dns maybe network nxdomain timeout servfail refused",
		"network_unreachable maybe network refused reset no_route",
		"network_timeout yes network connect tls_handshake headers deadline",
		"tls never network unknown_authority expired not_yet_valid name_mismatch plain_http protocol",
		"proxy maybe network connect auth",
		"content_corrupt maybe network digest size truncated",
		"stalled maybe network no_progress slow",
		"disk_full maybe node space inodes quota",
		"unpack_failed maybe node snapshotter permission diff_id locked",
		"runtime_unavailable yes node",
		"pull_qps_exceeded later kubelet",
		"never_pull never kubelet",
		"policy_denied never policy signature verifier",
		"canceled yes kubelet",
		"backoff  ",
		"unknown  ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
