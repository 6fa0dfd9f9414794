package telemetry

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nodeGauges are those of the node, with their values.
const nodeGauges = `^pullcause_(image_cache|imagefs|pulls_stalled)`

// A gauge of what is not known must not be there: as 0 it would be a full disk, or an
// empty node.
func TestNodeGauges(t *testing.T) {
	for _, tt := range []struct {
		name string
		node Node
		want []string
	}{
		{
			"nothing is known, but how many pulls stall",
			Node{Images: -1},
			[]string{"pullcause_pulls_stalled 0"},
		},
		{
			"images alone",
			Node{Images: 0, Stalled: 2},
			[]string{"pullcause_image_cache_bytes 0", "pullcause_image_cache_images 0", "pullcause_pulls_stalled 2"},
		},
		{
			"a full disk",
			Node{Images: 212, Bytes: 4096, FilesystemSize: 1024, FilesystemAvailable: 0, InodesFree: 0},
			[]string{
				"pullcause_image_cache_bytes 4096", "pullcause_image_cache_images 212", "pullcause_imagefs_available_bytes 0",
				"pullcause_imagefs_inodes_free 0", "pullcause_imagefs_size_bytes 1024", "pullcause_pulls_stalled 0",
			},
		},
		{
			"the filesystem alone",
			Node{Images: -1, FilesystemSize: 1024, FilesystemAvailable: 512, InodesFree: 7},
			[]string{
				"pullcause_imagefs_available_bytes 512", "pullcause_imagefs_inodes_free 7", "pullcause_imagefs_size_bytes 1024",
				"pullcause_pulls_stalled 0",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := open(t, Config{})
			defer func() { _ = p.Shutdown(t.Context()) }()
			if err := p.Metrics().ObserveNode(func() Node { return tt.node }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, scrape(t, p, nodeGauges)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What was known once and no longer is, as after the runtime has gone, goes too.
func TestNodeGaugesGo(t *testing.T) {
	p := open(t, Config{})
	defer func() { _ = p.Shutdown(t.Context()) }()
	node := Node{Images: 3, FilesystemSize: 1024}
	if err := p.Metrics().ObserveNode(func() Node { return node }); err != nil {
		t.Fatal(err)
	}
	if got := scrape(t, p, nodeGauges); len(got) != 6 {
		t.Errorf("got %v, want all 6", got)
	}
	node = Node{Images: -1}
	if diff := cmp.Diff([]string{"pullcause_pulls_stalled 0"}, scrape(t, p, nodeGauges)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// All are gauges, and say what they measure.
func TestNodeGaugeTypes(t *testing.T) {
	p := open(t, Config{})
	defer func() { _ = p.Shutdown(t.Context()) }()
	if err := p.Metrics().ObserveNode(func() Node { return Node{FilesystemSize: 1} }); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"# TYPE pullcause_image_cache_bytes gauge", "# TYPE pullcause_image_cache_images gauge",
		"# TYPE pullcause_imagefs_available_bytes gauge", "# TYPE pullcause_imagefs_inodes_free gauge",
		"# TYPE pullcause_imagefs_size_bytes gauge", "# TYPE pullcause_pulls_stalled gauge",
	}
	if diff := cmp.Diff(want, scrape(t, p, `^# TYPE pullcause_(image_cache|imagefs|pulls_stalled)`)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if help := scrape(t, p, `^# HELP pullcause_(image_cache|imagefs|pulls_stalled)[a-z_]* .`); len(help) != len(want) {
		t.Errorf("got help %v, want that of %d", help, len(want))
	}
}
