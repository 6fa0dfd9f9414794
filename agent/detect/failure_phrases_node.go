package detect

// contentPhrases are about what was read and does not fit.
var contentPhrases = [...]phrase{
	// containerd v2.4.2 plugins/content/local/writer.go, core/metadata/content.go,
	// core/content/helpers.go, core/remotes/docker/{httpreadseeker,resolver}.go.
	{`"`, " in header not a valid digest: ", BadDigestHeader}, // and why it is none, which is skipped
	{"unexpected commit digest ", "", WrongDigest},
	{"unexpected commit size ", "", WrongSize},
	{`"`, " failed size validation", WrongSize},
	{`"`, " unexpected digest", WrongDigest},
	{"failed size validation", "", WrongSize},
	{"short read: expected ", " but got ", Truncated},
	{"short read", "", Truncated},
	{"failed to read expected number of bytes", "", Truncated},
	{"read exceeds expected size", "", WrongSize},
	{"writer offset ", " exceeds expected size", WrongSize},
	{"httpReadSeeker: read past expected size", "", WrongSize},
	{"unhandled content range in response", "", WrongSize},
	{"failed to discard to offset", "", Truncated},
	{"unable to discard to offset", "", Truncated},
	{"content range requests ignored", "", WrongSize},
	{"unexpected EOF", "", Truncated},
	// moby v28.5.2 distribution/pull_v2.go, daemon/internal/layer.
	{"filesystem layer verification failed for digest ", "", WrongDigest},
	{"manifest verification failed for digest ", "", WrongDigest},
	{"image config verification failed for digest ", "", WrongDigest},
	{"layers from manifest don't match image configuration", "", WrongDiffID},
	{"could not verify layer data ", "", WrongDigest},
	// go.podman.io/image v5.42.0 copy/digesting_reader.go, internal/image/*.go.
	{"Digest did not match, expected ", "", WrongDigest},
	{"digest mismatch, expected ", "", WrongDigest},
	{"Manifest does not match provided manifest digest ", "", WrongDigest},
	{"Image manifest does not match selected manifest digest ", "", WrongDigest},
	{"blob digest ", " does not match expected ", WrongDigest},
	// compress/gzip, compress/flate, archive/tar, github.com/klauspost/compress.
	{"gzip: invalid ", "", Corrupt},
	{"flate: corrupt input", "", Corrupt},
	{"archive/tar: invalid tar header", "", Corrupt},
	{"invalid tar header", "", Corrupt},
	{"zstd: ", "", Corrupt},
	{"invalid input: magic number mismatch", "", Corrupt},
}

// nodePhrases are about the node and the runtime on it.
var nodePhrases = [...]phrase{
	// errno, Windows.
	{"no space left on device", "", NoSpace},
	{"There is not enough space on the disk", "", NoSpace},
	{"disk quota exceeded", "", Quota},
	// openzfs/zfs 2.2 lib/libzfs/libzfs_util.c EZFS_NOSPC, in the error of
	// github.com/mistifyio/go-zfs v4.0.0 error.go.
	{"out of space", "", NoSpace},
	{"permission denied", "", PermissionDenied},
	{"operation not permitted", "", PermissionDenied},
	{"read-only file system", "", LocalStorage},
	{"input/output error", "", LocalStorage},
	{"structure needs cleaning", "", LocalStorage},
	{"device or resource busy", "", noFinding},
	// containerd v2.4.2 core/metadata/content.go, plugins/content/local/{locks,readerat}.go,
	// core/unpack/unpacker.go, client/image.go, core/diff/apply/apply.go, core/mount.
	{"content digest ", "not found", ContentMissing},
	{"content ", "not found", ContentMissing},
	{"blob not found", "", ContentMissing},
	{"blob ", " expected at ", ContentMissing},
	{"ref ", " locked for ", Locked},
	{"ref ", " locked: unavailable", Locked},
	{"wrong diff id", "", WrongDiffID},
	{"mismatched image rootfs and manifest layers", "", WrongDiffID},
	{"number of layers and diffIDs don't match", "", WrongDiffID},
	{"failed to stat parent", "", LocalStorage},
	{"snapshotter not loaded", "", LocalStorage},
	{"no unpack platforms defined", "", NoUnpackTarget},
	{"failed to mount ", "", LocalStorage},
	{"failed to create temp dir", "", LocalStorage},
	// github.com/containers/storage v1.59.0 pkg/archive, drivers/overlay.
	{"potentially insufficient UIDs or GIDs", "", PermissionDenied},
	{"lchown ", "operation not permitted", PermissionDenied},
	{"creating overlay mount to ", "", LocalStorage},
	{"creating read-write layer with ID ", "", LocalStorage},
	{"layer not known", "", LocalStorage},
	// moby v28.5.2 client/errors.go; google.golang.org/grpc v1.80.0
	// internal/transport; containerd v2.4.2 internal/cri/instrument.
	{"Cannot connect to the Docker daemon", "", RuntimeGone},
	{"server is not initialized yet", "", RuntimeGone},
	{"transport is closing", "", RuntimeGone},
	{"error reading from server: EOF", "", RuntimeGone},
	{"error reading from server: read ", "", RuntimeGone},
	{"the client connection is closing", "", RuntimeGone},
	{"grpc: the client connection is closing", "", RuntimeGone},
	{"grpc: the connection is unavailable", "", RuntimeGone},
	{"all SubConns are in TransientFailure", "", RuntimeGone},
	{"unknown service runtime.v1", "", RuntimeGone},
	{"unknown method PullImage", "", RuntimeGone},
	{"container runtime is down", "", RuntimeGone},
}

// policyPhrases are verdicts of verifiers and policies at pull time.
var policyPhrases = [...]phrase{
	// containerd v2.4.2 core/transfer/local/pull.go.
	{"image verifier ", " blocked pull of ", VerifierDenied},
	{"blocking pull of ", "image verifier ", VerifierDenied},
	// go.podman.io/image v5.42.0 signature/*.go, docker/docker_client.go.
	{"A signature was required, but no signature exists", "", SignatureDenied},
	{"None of the signatures were accepted", "", SignatureDenied},
	{"Running image ", " is rejected by policy", PolicyDenied},
	{"Signature for identity ", " is not accepted", SignatureDenied},
	{"Signature for digest ", " is not accepted", SignatureDenied},
	{"Invalid GPG signature", "", SignatureDenied},
	{"cryptographic signature verification failed", "", SignatureDenied},
	{"invalid signature when validating", "", SignatureDenied},
	{"invalid policy in ", "", PolicyDenied},
	{"registry ", " is blocked in ", RegistryBlocked},
	{"SignatureValidationFailed", "", SignatureDenied},
	// notary v0.7.0 client, as moby printed it.
	{"remote trust data does not exist", "", SignatureDenied},
	{"No valid trust data for ", "", SignatureDenied},
	// iSula-style and other runtimes' validators.
	{"Security validate failed", "", SignatureDenied},
	{"The signatures do not satisf", "", SignatureDenied},
	{"image policy webhook ", " denied ", VerifierDenied},
}
