//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/lab"
)

// eachContainerd runs a test on a node with each containerd, whose images outlive a
// restart of it.
func eachContainerd(t *testing.T, test func(*testing.T, *lab.Node)) {
	t.Helper()
	requireRoot(t)
	distribution, err := lab.Install(t.Context(), t.Logf)
	if err != nil {
		cannot(t, err.Error())
	}
	for _, c := range []lab.Containerd{build(t), distribution} {
		t.Run("containerd "+c.Version, func(t *testing.T) {
			t.Parallel()
			node, err := lab.Start(t.Context(), lab.Options{Containerd: c, Restartable: true, Logf: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := node.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, node)
		})
	}
}

// insideOf has the agent see the node's file system as containerd does, so that it
// finds all that is on a real node.
func insideOf(n *lab.Node, more string) logs {
	log := lab.InnerDir + strings.TrimPrefix(n.LogFile, n.Dir)
	return logs{config: fmt.Sprintf("host_root: %q\nsources: {auto: false, files: [%q], lookback: all}\ncri: {socket: %q}\n%s",
		n.FileSystem(), "containerd:"+log, lab.InnerDir+"/run/containerd.sock", more)}
}

// ask asks a debug endpoint.
func ask[T any](t *testing.T, p *process, path string) (answer T) {
	t.Helper()
	r, err := oneRequest.Get("http://" + p.debug + path)
	for deadline := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(deadline); r, err = oneRequest.Get("http://" + p.debug + path) {
		time.Sleep(20 * time.Millisecond) // it has just been started
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// cached is an image of the node, in the words of both sides.
type cached struct {
	ID      string   `json:"id"`
	Tags    []string `json:"tags"`
	Digests []string `json:"digests"`
	Size    uint64   `json:"size_bytes"`
	Pinned  bool     `json:"pinned"`
}

type imageList struct {
	Known  bool     `json:"known"`
	Images []cached `json:"images"`
	Bytes  uint64   `json:"bytes_total"`
}

type nodeState struct {
	Runtime struct{ Name, Version, State string } `json:"runtime"`
	FS      struct {
		Mountpoint     string `json:"mountpoint"`
		UsedBytes      uint64 `json:"used_bytes"`
		UsedInodes     uint64 `json:"used_inodes"`
		SizeBytes      uint64 `json:"size_bytes"`
		AvailableBytes uint64 `json:"available_bytes"`
		Inodes         uint64 `json:"inodes"`
		InodesFree     uint64 `json:"inodes_free"`
	} `json:"image_filesystem"`
}

// imagesOf are the images as a plain CRI call tells them.
func imagesOf(t *testing.T, n *lab.Node) []cached {
	t.Helper()
	list, err := n.Images(t.Context())
	must(t, err)
	images := []cached{}
	for _, i := range list {
		images = append(images, cached{i.GetId(), i.GetRepoTags(), i.GetRepoDigests(), i.GetSize(), i.GetPinned()})
	}
	return inOrder(images)
}

func inOrder(images []cached) []cached {
	for i := range images {
		images[i].Tags, images[i].Digests = append([]string{}, images[i].Tags...), append([]string{}, images[i].Digests...)
		slices.Sort(images[i].Tags)
		slices.Sort(images[i].Digests)
	}
	slices.SortFunc(images, func(a, b cached) int { return strings.Compare(a.ID, b.ID) })
	return images
}

// soon waits for two sides to become the same, for as long as they may take.
func soon[T any](t *testing.T, what string, want, got func() T) {
	t.Helper()
	const within = 2 * time.Second
	var diff string
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if diff = cmp.Diff(want(), got()); diff == "" {
			return
		}
	}
	t.Fatalf("%s after %s (-CRI +agent):\n%s", what, within, diff)
}

// TestNode changes the images of a node behind the agent's back, and compares what it
// shows with what the runtime itself says.
func TestNode(t *testing.T) {
	eachContainerd(t, func(t *testing.T, node *lab.Node) {
		receiver := listen(t)
		agent := startAgent(t, insideOf(node, ""), receiver)
		until(t, 10*time.Second, "the first list of images", func() bool { return len(cacheEvents(receiver)) > 0 })
		r := rand.New(rand.NewPCG(1, 2))
		counts := map[string]int{}
		for i := range 200 {
			counts[change(t, node, r)]++
			if i%20 == 19 {
				soon(t, "images", func() []cached { return imagesOf(t, node) }, func() []cached { return inOrder(ask[imageList](t, agent, "/debug/images").Images) })
			}
		}
		t.Logf("%v, %d images are left", counts, len(imagesOf(t, node)))
		soon(t, "node", func() nodeState { return stateOf(t, node) }, func() nodeState { return ask[nodeState](t, agent, "/debug/node") })
		agent.stop(t)
		again := agent.again(t)
		until(t, 10*time.Second, "the event of the second start", func() bool { return len(cacheEvents(receiver)) > 1 })
		want := imagesOf(t, node)
		e := cacheEvents(receiver)[1]
		got := [4]any{e[export.CacheImagesKey], e[export.CacheBytesKey], e[export.ImageFSMountpointKey], e[export.ImageFSSizeKey]}
		var bytes int64
		for _, i := range want {
			bytes += int64(i.Size)
		}
		state := stateOf(t, node)
		if diff := cmp.Diff([4]any{int64(len(want)), bytes, state.FS.Mountpoint, int64(state.FS.SizeBytes)}, got); diff != "" {
			t.Errorf("event (-CRI +agent):\n%s", diff)
		}
		again.stop(t)
	})
}

// change pulls, tags or removes an image.
func change(t *testing.T, node *lab.Node, r *rand.Rand) string {
	t.Helper()
	images := imagesOf(t, node)
	var tags []string
	for _, i := range images {
		tags = append(tags, i.Tags...)
	}
	switch n := r.IntN(10); {
	case n < 5 || len(tags) == 0:
		must(t, node.Pull(t.Context(), fmt.Sprintf("%s/app/random-%d:1.0", appRegistry, r.IntN(40))))
		return "pulls"
	case n < 7:
		must(t, node.Tag(t.Context(), tags[r.IntN(len(tags))], fmt.Sprintf("%s/app/tagged:%d", appRegistry, r.IntN(10))))
		return "tags"
	default:
		must(t, node.RemoveImage(t.Context(), tags[r.IntN(len(tags))]))
		return "removals"
	}
}

// stateOf is what CRI and the kernel say of a node.
func stateOf(t *testing.T, node *lab.Node) (s nodeState) {
	t.Helper()
	usage, err := node.ImageFilesystem(t.Context())
	must(t, err)
	s.Runtime.Name, s.Runtime.Version, s.Runtime.State = "containerd", node.Version(t.Context()), "connected"
	s.FS.Mountpoint = usage.GetFsId().GetMountpoint()
	s.FS.UsedBytes, s.FS.UsedInodes = usage.GetUsedBytes().GetValue(), usage.GetInodesUsed().GetValue()
	var st unix.Statfs_t
	must(t, unix.Statfs(filepath.Join(node.FileSystem(), s.FS.Mountpoint), &st))
	s.FS.SizeBytes, s.FS.AvailableBytes = st.Blocks*uint64(st.Bsize), st.Bavail*uint64(st.Bsize)
	s.FS.Inodes, s.FS.InodesFree = st.Files, st.Ffree
	return s
}

// cacheEvents are the attributes of the events that tell what is on the node.
func cacheEvents(r *otlptest.Receiver) (events []map[string]any) {
	for _, rec := range r.Records() {
		if rec.Name == export.EventImageCache {
			events = append(events, rec.Attributes)
		}
	}
	return events
}

// TestVerdicts has pulls fail of images that the node has, had, or has others of.
func TestVerdicts(t *testing.T) {
	eachContainerd(t, func(t *testing.T, node *lab.Node) {
		receiver := listen(t)
		agent := startAgent(t, insideOf(node, ""), receiver)
		name := func(s string) string { return appRegistry + "/app/" + s }
		for _, s := range []string{"cached", "removed", "removed-while-away"} {
			must(t, node.Pull(t.Context(), name(s)+":1.0"))
		}
		settled := func(want int) {
			until(t, 10*time.Second, fmt.Sprintf("%d images to be known", want), func() bool { return len(ask[imageList](t, agent, "/debug/images").Images) == want })
		}
		settled(3)
		must(t, node.RemoveImage(t.Context(), name("removed")+":1.0"))
		settled(2)
		agent.stop(t)
		must(t, node.RemoveImage(t.Context(), name("removed-while-away")+":1.0"))
		agent = agent.again(t)
		settled(1)
		type told struct {
			Verdict, Platforms string
			Present, Removed   bool
			OtherTags          any
		}
		want := map[string]told{
			name("cached") + ":1.0":             {Verdict: "cached_policy_always", Present: true, Platforms: "[linux/" + runtime.GOARCH + "]"},
			name("cached") + ":2.0":             {Verdict: "other_tag_cached", OtherTags: []string{name("cached") + ":1.0"}},
			name("removed") + ":1.0":            {Verdict: "evicted", Removed: true},
			name("removed-while-away") + ":1.0": {Verdict: "evicted", Removed: true},
			name("never") + ":1.0":              {Verdict: "absent"},
		}
		for ref := range want {
			must(t, node.SetFault(strings.Split(ref, ":")[0], lab.Forbidden))
			if err := node.Pull(t.Context(), ref); err == nil {
				t.Fatalf("the pull of %s did not fail", ref)
			}
		}
		until(t, 10*time.Second, "the records", func() bool { return len(failures(receiver.Records())) == len(want) })
		got := map[string]told{}
		for _, r := range failures(receiver.Records()) {
			present, _ := r.Attributes[export.CachePresentKey].(bool)
			tell := told{Verdict: text(r, export.CacheVerdictKey), Present: present, Removed: text(r, export.CacheRemovedAtKey) != ""}
			if p, ok := r.Attributes[export.CachePlatformsKey]; ok {
				tell.Platforms = fmt.Sprint(p)
			}
			tell.OtherTags = r.Attributes[export.CacheOtherTagsKey]
			got[text(r, export.ImageRefKey)] = tell
			if r.Attributes[export.CacheFSAvailableKey] == nil || r.Attributes[export.CacheFSUsedRatioKey] == nil {
				t.Errorf("%s tells nothing of the image filesystem", text(r, export.ImageRefKey))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("verdicts (-want +got):\n%s", diff)
		}
		if remedy := text(failures(receiver.Records())[0], export.RemedyKey); remedy == "" {
			t.Error("no remedy")
		}
	})
}

// TestWrongArchitecture pulls an image of another architecture, which succeeds.
func TestWrongArchitecture(t *testing.T) {
	eachContainerd(t, func(t *testing.T, node *lab.Node) {
		receiver := listen(t)
		startAgent(t, insideOf(node, ""), receiver)
		until(t, 10*time.Second, "the agent to be there", func() bool { return len(cacheEvents(receiver)) > 0 })
		ref := appRegistry + "/other/tool:1.0"
		for range 2 { // the second pull must not be taken for a recovery
			must(t, node.Pull(t.Context(), ref))
		}
		must(t, node.Pull(t.Context(), appRegistry+"/app/fits:1.0"))
		ended := time.Now()
		until(t, 10*time.Second, "two records", func() bool { return len(failures(receiver.Records())) > 1 })
		t.Logf("told %s after the pull", receiver.Records()[2].Received.Sub(ended).Round(time.Millisecond))
		time.Sleep(time.Second) // for what must not come
		for _, r := range failures(receiver.Records()) {
			got := [4]string{r.Name, text(r, export.ErrorTypeKey), text(r, export.CauseDetailKey), text(r, export.ImageRefKey)}
			if want := [4]string{export.EventFailed, "platform_mismatch", "wrong_arch_pulled", ref}; got != want {
				t.Errorf("got %v, want %v", got, want)
			}
			if late := r.Received.Sub(r.Time); late > 2*time.Second {
				t.Errorf("told after %s, want 2s at most", late)
			}
			t.Log(r.Body)
		}
		if events := told(receiver, ref); len(events) != 1 {
			t.Errorf("got events %v, want one that lasts", events)
		}
	})
}

// pulling pulls an image in the background; the test ends with an answer or ctx.
func pulling(t *testing.T, node *lab.Node, ref string) (cancel context.CancelFunc, ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error, 1)
	go func() { answer <- node.Pull(ctx, ref) }()
	t.Cleanup(cancel)
	return cancel, answer
}
