package diagnose

import (
	"cmp"
	"strings"

	"pullcause/agent/detect"
)

// The causes that the image reference owns.

func invalidReference(e evidence) verdict {
	if e.found(detect.ShortName) {
		return verdict{
			cause: InvalidReference, detail: detailFormat,
			remedy: "The image name" + named(e.image()) + " tells no registry, and the node does not say which one is meant. " +
				"Write the full name with its registry into the pod's spec, or an alias of the name into /etc/containers/registries.conf.d on the node.",
		}
	}
	if e.Reason != "InvalidImageName" && !e.found(detect.MalformedReference, detect.UppercaseReference) {
		return verdict{}
	}
	v := verdict{
		cause: InvalidReference, detail: detailFormat,
		remedy: "Correct the image name" + named(e.image()) + " in the pod's spec: [HOST[:PORT]/]PATH[:TAG][@DIGEST], the path in lower case.",
	}
	if e.found(detect.UppercaseReference) || hasUpperPath(e.image()) {
		v.detail = detailUppercase
		v.remedy = "Write the repository in lower case: " + quoted(strings.ToLower(RepositoryOf(e.image()))) + "."
	}
	return v
}

// hasUpperPath reports whether the name, without tag and digest, has upper case
// letters behind the host.
func hasUpperPath(image string) bool {
	path := RepositoryOf(image)
	if host, rest, found := strings.Cut(path, "/"); found && strings.ContainsAny(host, ".:") {
		path = rest
	}
	return path != strings.ToLower(path)
}

// RepositoryOf is a name of an image without its tag and digest.
func RepositoryOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		return image[:colon]
	}
	return image
}

func platformMismatch(e evidence) verdict {
	// cri 1.0 (containerd 1.1) found out only when it looked for the layers.
	late := strings.Contains(e.f.Text, ": failed to get image diffIDs: manifest ")
	if !late && !e.found(detect.NoPlatform) {
		return verdict{}
	}
	v := verdict{cause: PlatformMismatch, detail: detailNoMatch}
	if late {
		v.confidence = Likely
	}
	platform := "the node's platform"
	if e.facts.OS != "" && e.facts.Arch != "" {
		platform = strings.Trim(e.facts.OS+"/"+e.facts.Arch+"/"+e.facts.Variant, "/")
	}
	v.remedy = "The image has no variant for " + platform + ". Build one (docker buildx build --platform " + platformFlag(e.facts) +
		"), or keep the pod off such nodes with a nodeSelector on kubernetes.io/arch."
	return v
}

// wrongArchitecture is for an image of one platform alone, which runtimes pull whatever
// that is; only its container ends with "exec format error".
func wrongArchitecture(e evidence) verdict {
	if e.facts.ImagePlatform == "" {
		return verdict{}
	}
	return verdict{
		cause: PlatformMismatch, detail: detailWrongArch,
		remedy: "The image was pulled, but it is built for " + quotedIfNeeded(e.facts.ImagePlatform) + " alone and this node runs " + platformFlag(e.facts) +
			". Build it for both (docker buildx build --platform " + platformFlag(e.facts) + "," + quotedIfNeeded(e.facts.ImagePlatform) +
			"), or keep the pod off such nodes with a nodeSelector on kubernetes.io/arch.",
	}
}

func platformFlag(f Facts) string {
	if f.OS == "" || f.Arch == "" {
		return "OS/ARCH"
	}
	return f.OS + "/" + f.Arch
}

func unsupportedMedia(e evidence) verdict {
	switch {
	case e.found(detect.SchemaOne):
		return verdict{
			cause: UnsupportedMedia, detail: detailSchema1,
			remedy: "The image is in Docker's schema 1, which containerd 2 and docker 26 no longer read. Push it again with a current docker or buildx, or copy it with: skopeo copy --format oci.",
		}
	case e.found(detect.PageAnswered):
		return verdict{
			cause: UnsupportedMedia, detail: detailMediaType, confidence: Likely,
			remedy: "A page came in place of the manifest: a proxy, a mirror or a login page answers for " + quotedHost(e.server()) + ". See what is served to the node: curl -sL https://" + hostPort(e) + "/v2/; check mirrors in " + e.words().hosts + ".",
		}
	case e.found(detect.ManifestTooLarge): // containerd v2.4.2 core/remotes/docker/resolver.go MaxManifestSize
		return verdict{
			cause:  UnsupportedMedia,
			remedy: "The manifest is larger than the 4 MiB that containerd reads. Look at its size (crane manifest " + quoted(cmp.Or(e.image(), "IMAGE")) + " | wc -c) and make the image with fewer layers, annotations or platforms.",
		}
	case e.found(detect.UnknownMediaType):
		return verdict{
			cause: UnsupportedMedia, detail: detailMediaType,
			remedy: "The runtime cannot read this media type. Build the image with types it knows (buildx: --output type=image,oci-mediatypes=true,compression=gzip), or upgrade the runtime.",
		}
	}
	return verdict{}
}

func manifestNotFound(e evidence) verdict {
	if e.f.Status != 404 && !e.code("manifest_unknown", "name_unknown", "blob_unknown") && !e.found(detect.NotFound, detect.RepositoryUnknown) {
		return verdict{}
	}
	v := verdict{cause: ManifestNotFound, detail: detailTag}
	switch {
	case e.code("name_unknown"), e.found(detect.RepositoryUnknown):
		v.detail = detailRepository
		v.remedy = "The registry does not have " + e.theRepository() + ". Correct the name, or push the image there."
	case e.asksForDigest():
		v.detail = detailDigest
		v.remedy = "The registry does not hold this digest any more (it may have been garbage-collected, or belongs to another repository). List what there is: crane ls" + named(cmp.Or(e.repository(), "REPOSITORY")) + "."
	default:
		v.remedy = "The tag does not exist in the registry. List those that do: crane ls" + named(cmp.Or(e.repository(), "REPOSITORY")) + "; then correct the tag or push it."
	}
	return v
}

// asksForDigest reports whether what failed was asked for by its digest, as all is
// that is fetched once the tag is resolved.
func (e evidence) asksForDigest() bool {
	return e.f.Step == detect.StepFetch || strings.Contains(e.image(), "@sha256:") ||
		strings.Contains(e.f.URL, "/manifests/sha256:") || strings.Contains(e.f.URL, "/blobs/sha256:") ||
		e.registrySays("@sha256:") // Harbor names what it does not have
}

// notFoundOrDenied is for registries that do not tell a missing repository from
// one that may not be seen.
func notFoundOrDenied(e evidence) verdict {
	if !e.found(detect.DeniedOrAbsent) {
		return verdict{}
	}
	v := verdict{cause: RepositoryNotFoundOrDenied, remedy: "Check that " + e.theRepository() +
		" exists and, if it is private, give the pod a pull secret that may read it: " + pullSecret(e)}
	if r, ok := e.f.Code("denied"); ok && (r.Message == "" || r.Message == r.Code) {
		v.confidence = Likely // a word alone, which is said of both
	}
	return v
}
