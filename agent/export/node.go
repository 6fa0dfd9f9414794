package export

import (
	"fmt"
	"strconv"
	"time"
)

// CacheState is what a node has of images. Sizes are in bytes; those of whole things are 0
// if they are not known, and then what is left of them is not, either.
type CacheState struct {
	Images int
	Bytes  uint64
	// Mountpoint is where they are kept; Used is taken by images, the others are of the
	// whole filesystem. Some have no number of inodes (Linux, fs/btrfs/super.c).
	Mountpoint                          string
	FilesystemUsed                      uint64
	FilesystemSize, FilesystemAvailable uint64
	Inodes, InodesFree                  uint64
}

// NodeCache makes the record that tells what is on the node at a time.
func NodeCache(s CacheState, node string, at time.Time) Record {
	r := Record{
		Version:  recordVersion,
		Name:     EventImageCache,
		UID:      digest(EventImageCache, node, at.UTC().Format(time.RFC3339Nano)),
		Time:     at,
		Observed: at,
		Severity: SeverityInfo,
		Body:     cacheBody(s),
	}
	a := make(attributes, 0, 10)
	a.add(EventNameKey, r.Name)
	a.name(LogRecordUIDKey, r.UID)
	a.add(CacheImagesKey, int64(s.Images))
	a.add(CacheBytesKey, int64(s.Bytes))
	a.name(ImageFSMountpointKey, s.Mountpoint)
	a.nonzero(ImageFSUsedKey, int64(s.FilesystemUsed))
	if s.FilesystemSize > 0 {
		a.add(ImageFSSizeKey, int64(s.FilesystemSize))
		a.add(ImageFSAvailableKey, int64(s.FilesystemAvailable))
	}
	if s.Inodes > 0 {
		a.add(ImageFSInodesFreeKey, int64(s.InodesFree))
	}
	r.Attributes = a
	fit(&r)
	return r
}

// cacheBody is "212 images of 31.4 GiB; of 96.7 GiB on /var/lib/containerd 40.2 GiB are available".
func cacheBody(s CacheState) string {
	body := strconv.Itoa(s.Images) + " images of " + Size(s.Bytes)
	if s.FilesystemSize > 0 {
		body += "; of " + Size(s.FilesystemSize) + " on " + s.Mountpoint + " " + Size(s.FilesystemAvailable) + " are available"
	}
	return oneLine(body, maxBody)
}

// Size is a number of bytes in the largest unit that keeps it above 1: "3.0 MiB".
func Size[T int | int64 | uint64](n T) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), -1
	for value >= 1024 && unit < 4 {
		value /= 1024
		unit++
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + "KMGTP"[unit:unit+1] + "iB"
}
