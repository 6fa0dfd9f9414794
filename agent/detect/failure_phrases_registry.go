package detect

// ambiguousName is followed by the image; the kubelet's event does not always name it.
const ambiguousName = "short name mode is enforcing, but image name "

// referencePhrases are about the image's name and the kubelet's own rules.
var referencePhrases = [...]phrase{
	// github.com/distribution/reference v0.6.0 reference.go, normalize.go;
	// github.com/opencontainers/go-digest v1.0.0.
	{"invalid reference format: repository name ", "must be lowercase", UppercaseReference},
	{"repository name must be lowercase", "", UppercaseReference},
	{"repository name ", "must be lowercase", UppercaseReference},
	{"repository name must ", "", MalformedReference},
	{"repository name ", "must not be more than", MalformedReference},
	{"invalid reference format", "", MalformedReference},
	{"invalid repository name ", "", MalformedReference},
	{"invalid checksum digest", "", MalformedReference},
	{"unsupported digest algorithm", "", MalformedReference},
	{"invalid tag format", "", MalformedReference},
	{"InvalidImageName", "", MalformedReference},
	// go.podman.io/image v5.42.0 pkg/shortnames/shortnames.go; CRI-O v1.34 to v1.37
	// internal/storage/image.go.
	{"short-name ", " did not resolve to an alias", ShortName},
	{"short-name resolution enforced", "", ShortName},
	{ambiguousName, " returns ambiguous list", ShortName},
	{"Invalid image name ", "", MalformedReference},
	// kubelet 1.24 to 1.37 pkg/kubelet/images/{helpers,image_manager}.go.
	{"pull QPS exceeded", "", PullQPSExceeded},
	{"Container image ", " is not present with pull policy of Never", NeverPull},
	{"ErrImageNeverPull", "", NeverPull},
	// containerd v2.4.2 internal/cri/server/images/image_pull.go; dockershim
	// wrote "for 1m0s, latest progress".
	{"cancel pulling image ", " because of no progress ", NoProgress},
	{"Cancel pulling image ", " because of no progress ", NoProgress},
	// CRI-O v1.36.3 internal/storage/image.go.
	{"Timed out on waiting up to ", "image pull progress updates", NoProgress},
	// context, google.golang.org/grpc, moby v28.5.2 distribution/xfer.
	{"context canceled", "", Canceled},
	{"operation was canceled", "", Canceled},
	{"download cancelled", "", Canceled},
	{"layer registration cancelled", "", Canceled},
	{"request canceled", "", Canceled},
	{"net/http: request canceled", "", Canceled},
}

// registryPhrases are what registries answered, in the runtime's words.
var registryPhrases = [...]phrase{
	// containerd v2.4.2 core/remotes/docker/{authorizer,fetcher,resolver}.go.
	{"no basic auth credentials", "", NoBasicAuth},
	{"failed to handle basic auth because missing username or secret", "", NoBasicAuth},
	{"failed to find supported auth scheme", "", AuthFailed},
	{"invalid_token", "", InvalidToken},
	{"insufficient_scope", "", DeniedOrAbsent},
	{"authorization failed", "", AuthFailed},
	{"invalid decoded auth", "", BadCredentials},
	{"authorization server did not include a token in the response", "", AuthFailed},
	{"no realm specified for token auth challenge", "", AuthFailed},
	{"invalid token auth challenge realm", "", AuthFailed},
	{"unable to decode token response", "", Unavailable},
	{"could not fetch content descriptor ", "manifest.v1+prettyjws", SchemaOne},
	{"could not fetch content descriptor ", " from remote: not found", NotFound},
	{"could not fetch content ", " from remote", NotFound},
	{"no resolve hosts", "", NoHosts},
	{"no pull hosts", "", NoHosts},
	{"rejecting ", " byte manifest for ", ManifestTooLarge},
	{"stopped after 10 redirects", "", Unavailable},
	// moby v28.5.2 distribution/errors.go, registry/auth.go; docker 1.x
	// registry/session.go.
	{"pull access denied for ", "repository does not exist or may require", DeniedOrAbsent},
	{"repository ", " does not exist or no pull access", DeniedOrAbsent},
	{"manifest for ", " not found", NotFound},
	{"repository ", " not found", RepositoryUnknown},
	{"Error: image ", " not found", NotFound},
	{"image ", " not found", NotFound},
	{"Authentication is required", "", AuthFailed},
	{"no such manifest", "", NotFound},
	{"incorrect username or password", "", BadCredentials},
	{"Wrong login/password", "", BadCredentials},
	{"Your authorization token has expired", "", ExpiredCredentials},
	{"error getting credentials", "", CredentialPlugin},
	// go.podman.io/image v5.42.0 docker/errors.go, docker/docker_client.go.
	{"too many requests to registry", "", TooManyRequests},
	{"You have reached your ", "pull rate limit", TooManyRequests},
	{"image not found in manifest list", "", NoPlatform},
	// kubelet 1.24 to 1.37 pkg/kubelet/kubelet_pods.go and
	// pkg/credentialprovider/config.go.
	{"Unable to retrieve pull secret", "", PullSecretMissing},
	{"Unable to retrieve some image pull secrets", "", PullSecretMissing},
	{"couldn't find key ", " in Secret", PullSecretMissing},
	{"secret ", " not found", PullSecretMissing},
	{"secrets ", " not found", PullSecretMissing},
	{"secrets ", " is forbidden", PullSecretMissing},
	{"unable to parse auth field", "", PullSecretMissing},
	{"error occurred while trying to unmarshal json", "", PullSecretMissing},
	{"plugin binary executable ", " did not exist", CredentialPlugin},
	{"credential provider plugin ", "", CredentialPlugin},
	{"error decoding credential provider plugin response", "", CredentialPlugin},
	{"exec plugin ", "", CredentialPlugin},

	// No manifest for the platform: containerd v2.4.2 core/images/{handlers,image}.go
	// and client/image.go; "manifest D" without those words is cri 1.0.
	{"no match for platform", "", NoPlatform},
	{"failed to get image diffIDs: manifest ", "not found", NoPlatform},
	{"no manifest found for platform", "", NoPlatform},
	{"snapshotter ", " does not support platform ", NoPlatform},
	// moby v28.5.2 distribution/pull_v2.go, daemon/images, daemon/containerd.
	{"no matching manifest for ", "", NoPlatform},
	{"image operating system ", " cannot be used on this platform", NoPlatform},
	{"cannot download image with operating system ", "", NoPlatform},
	{"image with reference ", " does not match the specified platform", NoPlatform},
	{"image with reference ", " does not provide the specified platform", NoPlatform},
	{"a Windows version ", " is incompatible", NoPlatform},
	// go.podman.io/image v5.42.0 internal/manifest/{docker_schema2_list,oci_index}.go.
	{"no image found in manifest list for architecture", "", NoPlatform},
	{"no image found in image index for architecture", "", NoPlatform},

	// Formats: containerd v2.4.2 client/pull.go, core/remotes/docker/resolver.go,
	// core/transfer/local/pull.go, core/images/{image,mediatypes}.go,
	// core/diff/stream.go.
	{"media type ", " is no longer supported since containerd", SchemaOne},
	{"schema 1 image manifests are no longer supported", "", SchemaOne},
	{"media-type: schema 1 not supported", "", SchemaOne},
	{"schema 1 conversion failed", "", SchemaOne},
	{"unrecognised mediatype ", "", UnknownMediaType},
	{"unexpected media type text/html", "", PageAnswered},
	{"unexpected media type ", "", UnknownMediaType},
	{"media-type: ", "", UnknownMediaType},
	{"no processor for media-type", "", UnknownMediaType},
	{"unsupported Content-Encoding algorithm", "", UnknownMediaType},
	{"encountered unknown type ", "", UnknownMediaType},
	// moby v28.5.2 distribution/{pull_v2,errors}.go, where schema 1 is no notice any
	// more; v26.1.4; docker 1.x.
	{"Docker Image Format v1 and Docker Image manifest version 2, schema 1 ", "", SchemaOne},
	{"[DEPRECATION NOTICE] Docker Image ", "", SchemaOne},
	{"unsupported schema version ", "", SchemaOne},
	{"unsupported manifest ", "", UnknownMediaType},
	{"mediaType in manifest should be ", "", UnknownMediaType},
	{"Encountered remote ", " when fetching", UnknownMediaType},
	{"encountered remote ", " when fetching", UnknownMediaType},
	{"invalid manifest", "", UnknownMediaType},
	// go.podman.io/image v5.42.0 manifest/*.go, internal/image/*.go.
	{"unsupported docker v2s2 media type", "", UnknownMediaType},
	{"unsupported OCIv1 media type", "", UnknownMediaType},
	{"unsupported MIME type", "", UnknownMediaType},
	{"Unimplemented manifest ", "", UnknownMediaType},
	{"unsupported image-specific operation on artifact", "", UnknownMediaType},
}
