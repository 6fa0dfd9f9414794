package diagnose

import "slices"

// The owners: whose turn it is.
const (
	OwnerReference   = "reference"
	OwnerCredentials = "credentials"
	OwnerRegistry    = "registry"
	OwnerNetwork     = "network"
	OwnerNode        = "node"
	OwnerKubelet     = "kubelet"
	OwnerPolicy      = "policy"

	ownerEither = OwnerReference + " or " + OwnerCredentials
)

// Info is what is known of a cause before any pull.
type Info struct {
	Cause Cause
	// Meaning is a phrase for people.
	Meaning string
	// Details are the finer words; "status" stands for the HTTP status itself.
	Details []string
	Retry   Retry
	Owner   string
}

// detailStatus stands in the table for a detail that is the HTTP status.
const detailStatus = "status"

// The details.
const (
	detailUppercase      = "uppercase"
	detailFormat         = "format"
	detailTag            = "tag"
	detailDigest         = "digest"
	detailRepository     = "repository"
	detailNoMatch        = "no_match"
	detailWrongArch      = "wrong_arch_pulled"
	detailSchema1        = "schema1"
	detailMediaType      = "media_type"
	detailAnonymous      = "anonymous"
	detailBadCredentials = "bad_credentials"
	detailExpired        = "expired"
	detailNoBasicAuth    = "no_basic_auth"
	detailPlugin         = "plugin"
	detailMissingSecret  = "missing_secret"
	detailDockerHub      = "docker_hub"
	detailRegistry       = "registry"
	detailNXDomain       = "nxdomain"
	detailTimeout        = "timeout"
	detailServFail       = "servfail"
	detailRefused        = "refused"
	detailReset          = "reset"
	detailNoRoute        = "no_route"
	detailConnect        = "connect"
	detailTLSHandshake   = "tls_handshake"
	detailHeaders        = "headers"
	detailDeadline       = "deadline"
	detailUnknownCA      = "unknown_authority"
	detailNotYetValid    = "not_yet_valid"
	detailNameMismatch   = "name_mismatch"
	detailPlainHTTP      = "plain_http"
	detailProtocol       = "protocol"
	detailAuth           = "auth"
	detailSize           = "size"
	detailTruncated      = "truncated"
	detailNoProgress     = "no_progress"
	detailSlow           = "slow"
	detailSpace          = "space"
	detailInodes         = "inodes"
	detailQuota          = "quota"
	detailSnapshotter    = "snapshotter"
	detailPermission     = "permission"
	detailDiffID         = "diff_id"
	detailLocked         = "locked"
	detailSignature      = "signature"
	detailVerifier       = "verifier"
)

// table is the closed set of causes. Adding one is a minor release, renaming
// one a major.
var table = [...]Info{
	{InvalidReference, "the image name cannot be parsed", []string{detailUppercase, detailFormat}, RetryNever, OwnerReference},
	{ManifestNotFound, "the registry answers 404: tag, digest or repository unknown", []string{detailTag, detailDigest, detailRepository}, RetryNever, OwnerReference},
	{RepositoryNotFoundOrDenied, "no such repository, or no access: the registry does not say which", nil, RetryNever, ownerEither},
	{PlatformMismatch, "no manifest for the node's OS and architecture, or pulled but built for another one", []string{detailNoMatch, detailWrongArch}, RetryNever, OwnerReference},
	{UnsupportedMedia, "schema 1, an unknown media type, or a compression that the runtime lacks", []string{detailSchema1, detailMediaType}, RetryNever, OwnerReference},
	{Unauthorized, "401: no, wrong or expired credentials", []string{detailAnonymous, detailBadCredentials, detailExpired, detailNoBasicAuth}, RetryNever, OwnerCredentials},
	{Forbidden, "403: known, but not allowed (also a blocked country, address or plan)", nil, RetryNever, OwnerCredentials},
	{CredentialProvider, "the kubelet's credential plugin failed, or a pull secret is missing or unreadable", []string{detailPlugin, detailMissingSecret}, RetryMaybe, OwnerCredentials},
	{RateLimited, "429 from the registry", []string{detailDockerHub, detailRegistry}, RetryLater, OwnerRegistry},
	{RegistryUnavailable, "5xx, a bad gateway, maintenance", []string{detailStatus}, RetryYes, OwnerRegistry},
	{RegistryRejected, "any other 4xx", []string{detailStatus}, RetryNever, OwnerRegistry},
	{DNS, "the registry's name does not resolve", []string{detailNXDomain, detailTimeout, detailServFail, detailRefused}, RetryMaybe, OwnerNetwork},
	{NetworkUnreachable, "refused, reset, no route", []string{detailRefused, detailReset, detailNoRoute}, RetryMaybe, OwnerNetwork},
	{NetworkTimeout, "connect, TLS handshake, headers or body timed out", []string{detailConnect, detailTLSHandshake, detailHeaders, detailDeadline}, RetryYes, OwnerNetwork},
	{TLS, "certificate or protocol does not fit", []string{detailUnknownCA, detailExpired, detailNotYetValid, detailNameMismatch, detailPlainHTTP, detailProtocol}, RetryNever, OwnerNetwork},
	{Proxy, "the HTTP proxy refused or failed", []string{detailConnect, detailAuth}, RetryMaybe, OwnerNetwork},
	{ContentCorrupt, "digest, size or stream of a blob is wrong", []string{detailDigest, detailSize, detailTruncated}, RetryMaybe, OwnerNetwork},
	{Stalled, "no progress until the runtime gave up, or is about to", []string{detailNoProgress, detailSlow}, RetryMaybe, OwnerNetwork},
	{DiskFull, "no space or inodes left on the node", []string{detailSpace, detailInodes, detailQuota}, RetryMaybe, OwnerNode},
	{UnpackFailed, "layers arrived but cannot be extracted or mounted", []string{detailSnapshotter, detailPermission, detailDiffID, detailLocked}, RetryMaybe, OwnerNode},
	{RuntimeUnavailable, "the runtime's socket is gone or refuses", nil, RetryYes, OwnerNode},
	{PullQPSExceeded, "the kubelet's own limit (registryPullQPS), not the registry's", nil, RetryLater, OwnerKubelet},
	{NeverPull, "imagePullPolicy is Never and the image is not on the node", nil, RetryNever, OwnerKubelet},
	{PolicyDenied, "an image verifier, a signature policy or admission said no", []string{detailSignature, detailVerifier}, RetryNever, OwnerPolicy},
	{Canceled, "the pull was cancelled; the reason is elsewhere", nil, RetryYes, OwnerKubelet},
	{BackOff, "the kubelet only says that it backs off, and no cause was seen", nil, "", ""},
	{Unknown, "a failed pull whose text is not known", nil, "", ""},
}

// Causes returns the closed set, in the order of the documentation.
func Causes() []Info {
	causes := make([]Info, len(table))
	for i, info := range table {
		info.Details = slices.Clone(info.Details)
		causes[i] = info
	}
	return causes
}

func infoOf(c Cause) Info {
	for _, info := range table {
		if info.Cause == c {
			return info
		}
	}
	return Info{Cause: Unknown}
}
