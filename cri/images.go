package cri

import (
	"context"
	"encoding/json"
	"strings"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Image is one that is on the node.
type Image struct {
	// ID is the runtime's own, such as "sha256:…" of the config.
	ID string `json:"id"`
	// Tags are its names, "docker.io/library/nginx:1.27"; Digests likewise,
	// "docker.io/library/nginx@sha256:…".
	Tags    []string `json:"tags"`
	Digests []string `json:"digests"`
	// Size is that of its blobs, in bytes, as the runtime tells it. Blobs that several
	// images share count in each.
	Size   uint64 `json:"size_bytes"`
	Pinned bool   `json:"pinned"`
}

// Images lists the images of the node. Of a list that is too long, cut elements or names
// are left out.
func (c *Client) Images(ctx context.Context) (images []Image, cut int, err error) {
	text := 0 // bytes of all names so far
	beyond, err := list(ctx, c, methodImages, &runtimeapi.ListImagesRequest{}, maxImages, func(i *runtimeapi.Image) {
		image, size, left := boundedImage(i)
		cut += left
		if text += size; text > maxImagesText {
			cut++
			return
		}
		images = append(images, image)
	})
	if err != nil {
		return nil, 0, err
	}
	return images, cut + beyond, nil
}

// boundedImage takes what is kept of an image; size is the bytes of its names, cut how
// many names were left out.
func boundedImage(i *runtimeapi.Image) (image Image, size, cut int) {
	image = Image{ID: clip(i.GetId(), maxID), Size: i.GetSize(), Pinned: i.GetPinned()}
	take := func(names []string) (taken []string) {
		for _, name := range names {
			if len(name) > maxName || len(taken) == maxNamesEach {
				cut++
				continue
			}
			taken = append(taken, name)
			size += len(name)
		}
		return taken
	}
	image.Tags, image.Digests = take(i.GetRepoTags()), take(i.GetRepoDigests())
	return image, size + len(image.ID), cut
}

// Platform is what an image is built for, in the words of OCI; empty where it does
// not say.
type Platform struct {
	OS      string `json:"os"`
	Arch    string `json:"architecture"`
	Variant string `json:"variant,omitempty"`
}

// String is "linux/arm64/v8".
func (p Platform) String() string {
	return strings.Trim(p.OS+"/"+p.Arch+"/"+p.Variant, "/")
}

// ImageStatus is what the runtime says of one image.
type ImageStatus struct {
	// ID is empty if the image is not on the node.
	ID string
	// Platform is the zero one if the runtime does not say.
	Platform Platform
	// ChainID names the snapshot of all its layers; empty if the runtime does not say
	// (opencontainers/image-spec v1.1 config.md, Layer ChainID).
	ChainID string
}

// ImageStatus tells about one image.
func (c *Client) ImageStatus(ctx context.Context, ref string) (ImageStatus, error) {
	answer, err := call[runtimeapi.ImageStatusResponse](ctx, c, methodImageStatus, &runtimeapi.ImageStatusRequest{
		Image: &runtimeapi.ImageSpec{Image: ref}, Verbose: true,
	})
	if err != nil || answer.GetImage() == nil {
		return ImageStatus{}, err
	}
	s := parseImageInfo(answer.GetInfo()["info"])
	s.ID = clip(answer.GetImage().GetId(), maxID)
	return s, nil
}

// parseImageInfo takes platform and chain out of what the runtime says beside an image
// (containerd v1.6 to v2.4 image_status.go verboseImageInfo, CRI-O v1.30
// server/image_status.go createImageInfo); nothing if another runtime says it in another
// way. What stands there came from a registry.
func parseImageInfo(text string) (s ImageStatus) {
	var info struct {
		ChainID string   `json:"chainID"`
		Spec    Platform `json:"imageSpec"`
	}
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		return ImageStatus{}
	}
	if len(info.ChainID) <= maxDigest {
		s.ChainID = info.ChainID
	}
	for _, word := range [...]string{info.Spec.OS, info.Spec.Arch, info.Spec.Variant} {
		if len(word) > maxPlatform {
			return s
		}
	}
	if info.Spec.Arch != "" {
		s.Platform = info.Spec
	}
	return s
}

// maxPlatform bounds each word of a platform, in bytes.
const maxPlatform = 100

// Filesystem is one that images are kept on.
type Filesystem struct {
	// Mountpoint is a folder on it, as the runtime sees it.
	Mountpoint string `json:"mountpoint"`
	// UsedBytes and UsedInodes are taken by images.
	UsedBytes  uint64 `json:"used_bytes"`
	UsedInodes uint64 `json:"used_inodes"`
}

// ImageFilesystem tells where images are kept; ok is false if the runtime does not
// know.
func (c *Client) ImageFilesystem(ctx context.Context) (fs Filesystem, ok bool, err error) {
	_, err = list(ctx, c, methodImageFS, &runtimeapi.ImageFsInfoRequest{}, 1, func(f *runtimeapi.FilesystemUsage) {
		if len(f.GetFsId().GetMountpoint()) > maxMountpoint {
			return // no path is that long
		}
		fs, ok = Filesystem{
			Mountpoint: f.GetFsId().GetMountpoint(),
			UsedBytes:  f.GetUsedBytes().GetValue(), UsedInodes: f.GetInodesUsed().GetValue(),
		}, true
	})
	if err != nil {
		return Filesystem{}, false, err
	}
	return fs, ok, nil
}
