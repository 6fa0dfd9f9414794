package diagnose_test

import (
	"strings"
	"testing"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
)

const crio = "unable to pull image or OCI artifact: pull image err: initializing source docker://" + app + ": "

// remedies are those of failures that share their cause with others, for which the
// remedy would be untrue.
var remedies = []struct {
	name, image, text string
	want              []string
}{
	{
		"remote snapshotter", app, `rpc error: code = Unavailable desc = failed to pull and unpack image "` + app + `": failed to prepare extraction snapshot "extract-1-a sha256:2e7d": connection error: desc = "transport: Error while dialing: dial unix /run/containerd-nydus/containerd-nydus-grpc.sock: connect: connection refused": unavailable`,
		[]string{"/run/containerd-nydus/containerd-nydus-grpc.sock", "systemctl status nydus-snapshotter"},
	},
	{
		"remote snapshotter that nobody knows", app, `failed to pull and unpack image "` + app + `": failed to prepare extraction snapshot "extract-1-a sha256:2e7d": connection error: desc = "transport: Error while dialing: dial unix /run/acme.sock: connect: connection refused": unavailable`,
		[]string{"/run/acme.sock", "proxy_plugins"},
	},
	{
		"no unpack configuration", app, `failed to pull and unpack image "` + app + `": unable to initialize unpacker: no unpack platforms defined: invalid argument`,
		[]string{"unpack_config", "platform and snapshotter"},
	},
	{
		"short name", "", "short name mode is enforcing, but image name alpine/git:latest returns ambiguous list",
		[]string{"'alpine/git:latest' tells no registry", "/etc/containers/registries.conf.d"},
	},
	{"status without a URL", app, "received unexpected HTTP status: 418 I'm a teapot", []string{"curl -sI 'https://registry.example.com/v2/'"}},
	{
		"registry blocked by the node", app, crio + "registry registry.example.com is blocked in /etc/containers/registries.conf or /etc/containers/registries.conf.d",
		[]string{"The node forbids this registry: blocked = true"},
	},
	{
		"registry without accounts", "registry.k8s.io/pause:3.10", "unexpected status from HEAD request to https://europe-west4-docker.pkg.dev/v2/k8s-artifacts-prod/images/pause/manifests/3.10: 403 Forbidden",
		[]string{"knows no accounts", "a mirror"},
	},
	{
		"mirror of a registry without accounts", "registry.k8s.io/pause:3.10", "unexpected status from HEAD request to https://mirror.example.com/v2/pause/manifests/3.10?ns=registry.k8s.io: 403 Forbidden",
		[]string{"Grant that account"},
	},
	{
		"vulnerability policy of Harbor", app, "Error response from daemon: unknown: current image with 77 vulnerabilities cannot be pulled due to configured policy in 'Prevent images with vulnerability severity of \"Medium\" or higher from running.'",
		[]string{"vulnerability policy of the image's project", "CVE allowlist"},
	},
	{"quota of a namespace", app, "denied: Quota has been exceeded on namespace", []string{"storage quota of the namespace"}},
	{
		"token refused", app, "pull access denied, repository does not exist or may require authorization: server message: invalid_token: authorization failed",
		[]string{"expired, was revoked, or is none", "kubectl -n NAMESPACE create secret"},
	},
	{
		"page in place of a manifest", app, "unexpected media type text/html for sha256:acac: not found",
		[]string{"A page came in place of the manifest", "curl -sL https://registry.example.com/v2/"},
	},
	{"manifest too large", app, "failed to resolve image: rejecting 9437184 byte manifest for " + app + ": not found", []string{"4 MiB", "crane manifest '" + app + "'"}},
	{"no local address", app, head + "dial tcp 10.1.2.3:443: connect: cannot assign requested address", []string{"nothing to connect from to 10.1.2.3:443", "ss -s"}},
	{
		"digest in a header is none", app, `failed to resolve image: "sha256:zz" in header not a valid digest: invalid checksum digest format`,
		[]string{"Docker-Content-Digest"},
	},
	{"deadline while unpacking", app, "failed to extract layer sha256:b1: context deadline exceeded", []string{"iostat"}},
}

func TestRemediesOfTheirOwn(t *testing.T) {
	for _, tt := range remedies {
		got := diagnosisOf(tt.image, tt.text, diagnose.Facts{}).Remedy
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in: %s", tt.name, want, got)
			}
		}
	}
}

// How long a runtime waits for a byte is a key of its own configuration.
func TestRemedyOfStalledPull(t *testing.T) {
	for program, want := range map[string]string{
		detect.Containerd: "(image_pull_progress_timeout)", detect.CRIO: "(pull_progress_timeout in /etc/crio/crio.conf)",
	} {
		a := attempt.FromSignal(detect.Signal{Kind: detect.PullStalled, Program: program, Image: app})
		if got := diagnose.Diagnose(a, diagnose.Facts{}).Remedy; !strings.Contains(got, want) {
			t.Errorf("%s: no %q in: %s", program, want, got)
		}
	}
}

// Only CRI-O has the kubelet say so.
func TestRemedyOfReasonAlone(t *testing.T) {
	const want = "[[registry.mirror]]"
	a := attempt.FromSignal(detect.Signal{Kind: detect.PullFailed, Program: detect.Event, Reason: "RegistryUnavailable"})
	if got := diagnose.Diagnose(a, diagnose.Facts{}).Remedy; !strings.Contains(got, want) {
		t.Errorf("no %q in: %s", want, got)
	}
}
