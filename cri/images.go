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

// Images lists the images of the node.
func (c *Client) Images(ctx context.Context) ([]Image, error) {
	answer, err := call[runtimeapi.ListImagesResponse](ctx, c, methodImages, &runtimeapi.ListImagesRequest{})
	if err != nil {
		return nil, err
	}
	images := make([]Image, 0, len(answer.GetImages()))
	for _, i := range answer.GetImages() {
		images = append(images, Image{
			ID: i.GetId(), Tags: i.GetRepoTags(), Digests: i.GetRepoDigests(), Size: i.GetSize(), Pinned: i.GetPinned(),
		})
	}
	return images, nil
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

// ImagePlatform tells what an image is built for. ok is false if it is not on the node,
// or the runtime does not say.
func (c *Client) ImagePlatform(ctx context.Context, ref string) (id string, p Platform, ok bool, err error) {
	answer, err := call[runtimeapi.ImageStatusResponse](ctx, c, methodImageStatus, &runtimeapi.ImageStatusRequest{
		Image: &runtimeapi.ImageSpec{Image: ref}, Verbose: true,
	})
	if err != nil || answer.GetImage() == nil {
		return "", Platform{}, false, err
	}
	p, ok = parsePlatform(answer.GetInfo()["info"])
	return answer.GetImage().GetId(), p, ok, nil
}

// parsePlatform takes the platform out of what the runtime says beside an image
// (containerd v1.6 to v2.4 image_status.go verboseImageInfo, CRI-O v1.30
// server/image_status.go createImageInfo). ok is false if another runtime tells it in
// another way. What stands there came from a registry.
func parsePlatform(text string) (p Platform, ok bool) {
	var info struct {
		Spec Platform `json:"imageSpec"`
	}
	if err := json.Unmarshal([]byte(text), &info); err != nil || info.Spec.Arch == "" {
		return Platform{}, false
	}
	for _, word := range [...]string{info.Spec.OS, info.Spec.Arch, info.Spec.Variant} {
		if len(word) > maxPlatform {
			return Platform{}, false
		}
	}
	return info.Spec, true
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
	answer, err := call[runtimeapi.ImageFsInfoResponse](ctx, c, methodImageFS, &runtimeapi.ImageFsInfoRequest{})
	if err != nil {
		return Filesystem{}, false, err
	}
	for _, f := range answer.GetImageFilesystems() {
		return Filesystem{
			Mountpoint: f.GetFsId().GetMountpoint(),
			UsedBytes:  f.GetUsedBytes().GetValue(), UsedInodes: f.GetInodesUsed().GetValue(),
		}, true, nil
	}
	return Filesystem{}, false, nil
}
