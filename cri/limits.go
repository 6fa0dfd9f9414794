package cri

import "strings"

// Bounds of one answer, in bytes. A longer one fails with ResourceExhausted before it
// is read.
const (
	// maxList is the kubelet's own (kubernetes v1.37
	// staging/src/k8s.io/cri-client/pkg/utils.go maxMsgSize): a list that it reads is
	// read here too. Lists are decoded one element at a time.
	maxList = 16 << 20
	// maxAnswer is for what is decoded at once. The longest is the configuration of an
	// image, with its history.
	maxAnswer = 1 << 20
	maxChunk  = 4 << 20 // of a blob or of a list that is streamed
	maxEvent  = 64 << 10
	// maxHeaders bounds headers and trailers; the text of an error is one of them.
	maxHeaders = 64 << 10
)

// Bounds of a list. What is beyond them is left out, and [Config].Cut is told of it.
const (
	maxElement    = 64 << 10 // bytes of one element
	maxImages     = 10_000
	maxImagesText = 4 << 20 // bytes of all names of images
	maxNamesEach  = 500     // names of one image
	maxSandboxes  = 5000
	maxContainers = 20_000
	maxIngests    = 5000
	maxStored     = 100_000 // blobs looked at in one search
	maxPlugins    = 50
)

// Bounds of a text, in bytes.
const (
	// maxName is for names of images: 255 of the repository with its registry
	// (distribution/reference v0.6 NameTotalLengthMax), 128 of the tag, 135 of the digest.
	maxName       = 520
	maxID         = 200
	maxVersion    = 100
	maxMountpoint = 4096 // PATH_MAX
	maxPodName    = 253  // of a pod or namespace (kubernetes v1.37 DNS1123SubdomainMaxLength)
	maxPluginName = 100
)

// clip cuts a text that is only shown.
func clip(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}
