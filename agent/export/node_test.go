package export

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSize(t *testing.T) {
	for in, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 1 << 62: "4096.0 PiB"} {
		if got := Size(in); got != want {
			t.Errorf("size %d: got %q, want %q", in, got, want)
		}
	}
}

func TestNodeCache(t *testing.T) {
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	state := CacheState{
		Images: 212, Bytes: 31 << 30, Mountpoint: "/var/lib/containerd", FilesystemUsed: 30 << 30,
		FilesystemSize: 96 << 30, FilesystemAvailable: 40 << 30, Inodes: 6_000_000, InodesFree: 5_000_000,
	}
	full, btrfs := state, state
	full.FilesystemAvailable, full.InodesFree = 0, 0
	btrfs.Inodes, btrfs.InodesFree = 0, 0
	for _, tt := range []struct {
		name  string
		state CacheState
		body  string
		want  map[string]any
	}{
		{"all is known", state, "212 images of 31.0 GiB; of 96.0 GiB on /var/lib/containerd 40.0 GiB are available", map[string]any{
			CacheImagesKey: int64(212), CacheBytesKey: int64(31 << 30), ImageFSMountpointKey: "/var/lib/containerd",
			ImageFSUsedKey: int64(30 << 30), ImageFSSizeKey: int64(96 << 30), ImageFSAvailableKey: int64(40 << 30), ImageFSInodesFreeKey: int64(5_000_000),
		}},
		{"full", full, "212 images of 31.0 GiB; of 96.0 GiB on /var/lib/containerd 0 B are available", map[string]any{
			CacheImagesKey: int64(212), CacheBytesKey: int64(31 << 30), ImageFSMountpointKey: "/var/lib/containerd",
			ImageFSUsedKey: int64(30 << 30), ImageFSSizeKey: int64(96 << 30), ImageFSAvailableKey: int64(0), ImageFSInodesFreeKey: int64(0),
		}},
		{"no number of inodes", btrfs, "212 images of 31.0 GiB; of 96.0 GiB on /var/lib/containerd 40.0 GiB are available", map[string]any{
			CacheImagesKey: int64(212), CacheBytesKey: int64(31 << 30), ImageFSMountpointKey: "/var/lib/containerd",
			ImageFSUsedKey: int64(30 << 30), ImageFSSizeKey: int64(96 << 30), ImageFSAvailableKey: int64(40 << 30),
		}},
		{"an empty node is told of as well, without what is not known", CacheState{}, "0 images of 0 B", map[string]any{
			CacheImagesKey: int64(0), CacheBytesKey: int64(0),
		}},
	} {
		r := NodeCache(tt.state, "node-a", at)
		if r.Body != tt.body {
			t.Errorf("%s: body: got %q, want %q", tt.name, r.Body, tt.body)
		}
		tt.want[EventNameKey], tt.want[LogRecordUIDKey] = EventImageCache, r.UID
		got := map[string]any{}
		for _, a := range r.Attributes {
			got[a.Key] = a.Value
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: attributes (-want +got):\n%s", tt.name, diff)
		}
	}
}
