package enrich_test

import (
	"strings"
	"testing"

	introspectionapi "github.com/containerd/containerd/api/services/introspection/v1"
	"google.golang.org/grpc/codes"

	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/cri/critest"
)

// The words of containerd 1.6.20 about a pull of an image that its registry does not
// answer for, and about one that it could not unpack.
const (
	notResolved = `rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/library/nginx:1": failed to resolve reference "docker.io/library/nginx:1": unexpected status code [manifests 1]: 429 Too Many Requests`
	notUnpacked = `rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/library/nginx:1": failed to extract layer sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae: mount callback failed on /var/lib/containerd/tmpmounts/containerd-mount1: archive/tar: invalid tar header: unknown`
)

// An image whose layers are not unpacked is present by its name alone: nothing starts
// from it, whatever the pull policy.
func TestNoPromiseOfAnIncompleteImage(t *testing.T) {
	t.Parallel()
	overlayfs := []*introspectionapi.Plugin{{Type: "io.containerd.snapshotter.v1", ID: "overlayfs"}}
	refused := map[string]codes.Code{"/containerd.services.snapshots.v1.Snapshots/Stat": codes.PermissionDenied}
	tests := map[string]struct {
		change func(*critest.Config)
		text   string
		want   diagnose.CacheVerdict
	}{
		"unpacked, and the registry refuses":         {func(cfg *critest.Config) { cfg.Snapshots = []string{critest.ChainID} }, notResolved, diagnose.CachedPolicyAlways},
		"unpacked, and a newer one cannot be":        {func(cfg *critest.Config) { cfg.Snapshots = []string{critest.ChainID} }, notUnpacked, diagnose.CachedPolicyAlways},
		"this pull could not unpack it":              {func(*critest.Config) {}, notUnpacked, ""},
		"an earlier one could not":                   {func(*critest.Config) {}, notResolved, ""},
		"snapshots are denied, this pull could not":  {func(cfg *critest.Config) { cfg.Refuse = refused }, notUnpacked, ""},
		"snapshots are denied, the registry refuses": {func(cfg *critest.Config) { cfg.Refuse = refused }, notResolved, diagnose.CachedPolicyAlways},
		"no containerd, this pull could not": {func(cfg *critest.Config) {
			cfg.Version.Name = "cri-o"
		}, notUnpacked, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := containerd(nginx)
			cfg.Plugins = overlayfs
			tt.change(&cfg)
			s, e, _ := listed(t, cfg, unchanged)
			if cfg.Version.Name == "containerd" {
				until(t, "the snapshotters", func() bool { return s.Calls()["/containerd.services.events.v1.Events/Subscribe"] > 0 })
			}
			a := failed(nginx)
			a.Failure = detect.ParseFailure(tt.text)
			var c *diagnose.Cache
			until(t, "the platform", func() bool { // the first answer may come too late on a busy machine
				_, facts := e.Facts(t.Context(), a)
				c = facts.Cache
				return len(c.Platforms) > 0
			})
			if c.Verdict() != tt.want && tt.want == diagnose.CachedPolicyAlways {
				until(t, "the snapshot", func() bool { _, facts := e.Facts(t.Context(), a); c = facts.Cache; return c.Verdict() == tt.want })
			}
			if c.Verdict() != tt.want || !c.Present {
				t.Errorf("got the verdict %q of %+v, want %q", c.Verdict(), c, tt.want)
			}
			if d := diagnose.Diagnose(a, diagnose.Facts{Cache: c}); tt.want == "" && strings.Contains(d.Remedy, "would start") {
				t.Errorf("the remedy promises a start: %s", d.Remedy)
			}
		})
	}
}
