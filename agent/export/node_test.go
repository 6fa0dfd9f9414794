package export

import (
	"testing"
	"time"
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
	r := NodeCache(CacheState{
		Images: 212, Bytes: 31 << 30, Mountpoint: "/var/lib/containerd",
		FilesystemUsed: 30 << 30, FilesystemSize: 96 << 30, FilesystemAvailable: 40 << 30, InodesFree: 5_000_000,
	}, "node-a", at)
	if want := "212 images of 31.0 GiB; of 96.0 GiB on /var/lib/containerd 40.0 GiB are available"; r.Body != want {
		t.Errorf("body: got %q, want %q", r.Body, want)
	}
	got := map[string]any{}
	for _, a := range r.Attributes {
		got[a.Key] = a.Value
	}
	if got[EventNameKey] != EventImageCache || got[CacheImagesKey] != int64(212) || got[ImageFSAvailableKey] != int64(40<<30) {
		t.Errorf("attributes: %v", got)
	}
	// An empty node is told of as well, without what is not known.
	if r := NodeCache(CacheState{}, "node-a", at); r.Body != "0 images of 0 B" || len(r.Attributes) != 4 {
		t.Errorf("empty: %q, %v", r.Body, r.Attributes)
	}
}
