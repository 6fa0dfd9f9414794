package detect

// The wrappers of error chains, by who writes them. Where a text changed, each form
// names the versions that print it; without one it holds for all that are read
// (containerd 1.6 to 2.4, kubelet 1.24 to 1.37).

// anyWrappers are those of grpc and the kubelet, around the error of any runtime.
var anyWrappers = [...]wrapper{
	// google.golang.org/grpc v1.80.0 internal/status/status.go Error.
	{"rpc error: code = ", rpc, StepUnknown, noFinding},

	// google.golang.org/grpc v1.80.0 internal/transport/transport.go
	// ConnectionError, quoted once or twice.
	{`connection error: desc = "`, plain, StepUnknown, noFinding},
	{`connection error: desc = \"`, plain, StepUnknown, noFinding},

	// kubelet 1.24 to 1.37 pkg/kubelet/images/{image_manager,types}.go,
	// pkg/util/parsers/parsers.go, pkg/kubelet/kuberuntime/kuberuntime_sandbox.go.
	{"Failed to pull image ", ref, StepUnknown, noFinding},
	{"Back-off pulling image ", ref, StepUnknown, noFinding},
	{"Failed to inspect image ", ref, StepUnknown, noFinding},
	{"Failed to apply default image tag ", ref, StepReference, MalformedReference},
	{"couldn't parse image name ", ref, StepReference, MalformedReference},
	{"couldn't parse image reference ", ref, StepReference, MalformedReference},
	{"ErrImagePull: ", plain, StepUnknown, noFinding},
	{"ImagePullBackOff: ", plain, StepUnknown, noFinding},
	{"ImageInspectError: ", plain, StepUnknown, noFinding},
	{"InvalidImageName: ", plain, StepReference, MalformedReference},
	{"RegistryUnavailable: ", plain, StepUnknown, Unavailable},
	{"SignatureValidationFailed: ", plain, StepPolicy, SignatureDenied},
	{"image pull failed for ", because, StepUnknown, noFinding},
	{"Failed to create pod sandbox: ", plain, StepUnknown, noFinding},
	{"Failed create pod sandbox: ", plain, StepUnknown, noFinding},
	{"CreatePodSandbox for pod ", upTo, StepUnknown, noFinding},
	{"Failed to create sandbox for pod ", upTo, StepUnknown, noFinding},

	// kubelet 1.24 to 1.37 pkg/credentialprovider/plugin/plugin.go.
	{"Failed getting credential from external registry credential provider: ", plain, StepAuthorize, CredentialPlugin},
	{"failed to get credential from external registry credential provider: ", plain, StepAuthorize, CredentialPlugin},
	{"error execing credential provider plugin ", upTo, StepAuthorize, CredentialPlugin},
	{"failed to get service account token: ", plain, StepAuthorize, CredentialPlugin},
}

// containerdWrappers are those of containerd.
var containerdWrappers = [...]wrapper{
	// containerd v2.4.2 internal/cri/server/images/image_pull.go and
	// internal/cri/server/sandbox_run.go; "get sandbox image" is 1.6 and 1.7.
	{"failed to pull and unpack image ", ref, StepUnknown, noFinding},
	{"failed to pull image ", ref, StepUnknown, noFinding},
	{"failed to get sandbox image ", ref, StepUnknown, noFinding},
	{"failed to start sandbox ", upTo, StepUnknown, noFinding},
	{`failed to get image "`, upTo, StepUnknown, noFinding},
	{"failed to create OCI registry: ", plain, StepUnknown, noFinding},
	{"failed to parse image reference ", ref, StepReference, MalformedReference},
	{"get image config descriptor: ", plain, StepFetch, noFinding},
	{"failed to create image reference ", upTo, StepCommit, noFinding},
	{"failed to update image store ", upTo, StepCommit, noFinding},
	{"update image store for ", upTo, StepCommit, noFinding},
	{"failed to get credentials for ", upTo, StepAuthorize, CredentialPlugin},

	// containerd v2.4.2 client/pull.go (local) and core/transfer/local/pull.go
	// (transfer service, the default since 2.1); the quoted "resolve image" is
	// cri 1.0 and 1.11 pkg/server/image_pull.go.
	{"failed to resolve reference ", ref, StepResolve, noFinding},
	{"failed to resolve image: ", plain, StepResolve, noFinding},
	{"failed to resolve image ", ref, StepResolve, noFinding},
	{"no available registry endpoint: ", plain, StepResolve, noFinding},
	{"failed to get fetcher for ", upTo, StepFetch, noFinding},

	// containerd v2.4.2 core/remotes/docker/{resolver,authorizer,httpreadseeker}.go;
	// "httpReaderSeeker" up to 1.5.
	{"failed to do request: ", plain, StepUnknown, noFinding},
	{"failed to authorize: ", plain, StepAuthorize, noFinding},
	{"failed to authorize redirect: ", plain, StepAuthorize, noFinding},
	{"failed to fetch anonymous token: ", plain, StepAuthorize, noFinding},
	{"failed to fetch oauth token: ", plain, StepAuthorize, noFinding},
	{"pull access denied, repository does not exist or may require authorization: ", plain, StepAuthorize, DeniedOrAbsent},
	{"authorization failed: ", plain, StepAuthorize, noFinding},
	{"server message: ", plain, StepAuthorize, noFinding},
	{"httpReadSeeker: failed open: ", plain, StepFetch, noFinding},
	{"httpReaderSeeker: failed open: ", plain, StepFetch, noFinding},

	// containerd v2.4.2 core/content/helpers.go, core/metadata/content.go.
	{"failed to copy: ", plain, StepFetch, noFinding},
	{"failed to open writer: ", plain, StepCommit, noFinding},
	{"failed commit on ref ", upTo, StepCommit, noFinding},
	{"commit failed: ", plain, StepCommit, noFinding},
	{"locking ref ", upTo, StepCommit, noFinding},

	// containerd v2.4.2 core/unpack/unpacker.go (the media type and the
	// snapshotter since 2.1), client/{pull,image}.go, core/mount/temp.go,
	// core/diff/apply/apply.go; "image information" is cri 1.0.
	{"unpack: ", plain, StepUnpack, noFinding},
	{"failed to unpack image on snapshotter ", upTo, StepUnpack, noFinding},
	{"failed to extract layer ", upTo, StepUnpack, noFinding},
	{"failed to prepare extraction snapshot ", upTo, StepUnpack, noFinding},
	{"unable to prepare extraction snapshot: ", plain, StepUnpack, noFinding},
	{"failed to commit snapshot ", upTo, StepUnpack, noFinding},
	{"failed to stat snapshot ", upTo, StepUnpack, noFinding},
	{"apply layer error for ", upTo, StepUnpack, noFinding},
	{"mount callback failed on ", upTo, StepUnpack, noFinding},
	{"failed to get reader from content store: ", plain, StepUnpack, noFinding},
	{"failed to get stream processor for ", upTo, StepUnpack, noFinding},
	{"failed to activate mounts: ", plain, StepUnpack, noFinding},
	{"unable to resolve snapshotter: ", plain, StepUnpack, noFinding},
	{"unable to get snapshotter capabilities: ", plain, StepUnpack, noFinding},
	{"unable to initialize unpacker: ", plain, StepUnpack, noFinding},
	{"failed to get image information: ", plain, StepUnpack, noFinding},
}

// crioWrappers are those of CRI-O.
var crioWrappers = [...]wrapper{
	// CRI-O v1.36.3 internal/storage/image.go over go.podman.io/image v5.42.0
	// docker/{docker_client,docker_image_src,errors}.go and copy/*.go; those that
	// begin with "Error" are containers/image up to v5.20.
	{"unable to pull image or OCI artifact: ", plain, StepUnknown, noFinding},
	{"unable to pull image: ", plain, StepUnknown, noFinding},
	{"unable to pull ", upTo, StepUnknown, noFinding},
	{"pull image err: ", plain, StepUnknown, noFinding},
	{"pull image: ", plain, StepUnknown, noFinding},
	{"initializing source ", ref, StepResolve, noFinding},
	{"Error initializing source ", ref, StepResolve, noFinding},
	{"pinging container registry ", upTo, StepResolve, noFinding},
	{"pinging docker registry returned: ", plain, StepResolve, noFinding},
	{"error pinging docker registry ", upTo, StepResolve, noFinding},
	{"determining manifest MIME type for ", upTo, StepResolve, noFinding},
	{"reading manifest ", upTo, StepResolve, noFinding},
	{"Error reading manifest ", upTo, StepResolve, noFinding},
	{"fetching manifest ", upTo, StepResolve, noFinding},
	{"Requesting bearer token: ", plain, StepAuthorize, noFinding},
	{"Requesting bear token: ", plain, StepAuthorize, noFinding},
	{"requesting bearer token: ", plain, StepAuthorize, noFinding},
	{"unable to retrieve auth token: ", plain, StepAuthorize, noFinding},
	{"invalid username/password: ", plain, StepAuthorize, BadCredentials},
	{"getting username and password: ", plain, StepAuthorize, CredentialPlugin},
	{"copying system image from manifest list: ", plain, StepFetch, noFinding},
	{"reading blob ", upTo, StepFetch, noFinding},
	{"Error reading blob ", upTo, StepFetch, noFinding},
	{"fetching blob: ", plain, StepFetch, noFinding},
	{"partial pull of blob ", upTo, StepFetch, noFinding},
	{"reading config blob ", upTo, StepFetch, noFinding},
	{"parsing image configuration: ", plain, StepFetch, noFinding},
	{"happened during read: ", plain, StepFetch, noFinding},
	{"writing blob: ", plain, StepCommit, noFinding},
	{"Error writing blob: ", plain, StepCommit, noFinding},
	{"storing blob to file ", upTo, StepCommit, noFinding},
	{"adding layer with blob ", upTo, StepUnpack, noFinding},
	{"processing tar file(", upTo, StepUnpack, noFinding},
	{"Error processing tar file(", upTo, StepUnpack, noFinding},
	{"committing the finished image: ", plain, StepUnpack, noFinding},
	{"Source image rejected: ", plain, StepPolicy, PolicyDenied},
	{"checking signature of ", upTo, StepPolicy, noFinding},
	{"verifying signatures: ", plain, StepPolicy, SignatureDenied},
}

// dockerWrappers are those of docker, and of what the kubelet asked it through.
var dockerWrappers = [...]wrapper{
	// moby v28.5.2 client/request.go, distribution/{pull_v2,xfer/download}.go,
	// daemon/containerd; "API error" and "ping attempt" are docker 1.5 to 1.9.
	{"Error response from daemon: ", plain, StepUnknown, noFinding},
	{"Not continuing with pull after error: ", plain, StepUnknown, noFinding},
	{"Attempting next endpoint for pull after error: ", plain, StepUnknown, noFinding},
	{"Ignoring extra error returned from registry: ", plain, StepUnknown, noFinding},
	{"error pulling image configuration: ", plain, StepFetch, noFinding},
	{"Download failed, retrying: ", plain, StepFetch, noFinding},
	{"download failed after attempts=", upTo, StepFetch, noFinding},
	{"failed to register layer: ", plain, StepUnpack, noFinding},
	{"could not get decompression stream: ", plain, StepUnpack, noFinding},
	{"API error (", upTo, StepUnknown, noFinding},
	{"v2 ping attempt failed with error: ", plain, StepResolve, noFinding},
	{"v1 ping attempt failed with error: ", plain, StepResolve, noFinding},

	// kubelet up to 1.23 pkg/kubelet/dockershim/helpers.go, and cri-dockerd, which it
	// became: the pause image.
	{"failed pulling image ", ref, StepUnknown, noFinding},
	{"failed to inspect sandbox image ", ref, StepUnknown, noFinding},
	// kubelet 1.6 to 1.9 pkg/kubelet/dockershim/docker_sandbox.go; docker 1.12 and later
	// answer with an object.
	{"unable to pull sandbox image ", ref, StepUnknown, noFinding},
	{`{"message":"`, plain, StepUnknown, noFinding},
}
