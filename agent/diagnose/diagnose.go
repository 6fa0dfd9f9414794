// Package diagnose names the cause of a failed pull, how sure that is, whether
// trying again helps and what to do. It is pure. Start at [Diagnose]; there is
// one file for each owner of causes, one literal table in table.go, and the order of
// decision in decide.go.
package diagnose

// Cause is a code of the closed set; the value of error.type.
type Cause string

// The causes. table.go says what each means, who owns it and whether a retry
// helps.
const (
	InvalidReference           Cause = "invalid_reference"
	ManifestNotFound           Cause = "manifest_not_found"
	RepositoryNotFoundOrDenied Cause = "repository_not_found_or_denied"
	PlatformMismatch           Cause = "platform_mismatch"
	UnsupportedMedia           Cause = "unsupported_media"
	Unauthorized               Cause = "unauthorized"
	Forbidden                  Cause = "forbidden"
	CredentialProvider         Cause = "credential_provider"
	RateLimited                Cause = "rate_limited"
	RegistryUnavailable        Cause = "registry_unavailable"
	RegistryRejected           Cause = "registry_rejected"
	DNS                        Cause = "dns"
	NetworkUnreachable         Cause = "network_unreachable"
	NetworkTimeout             Cause = "network_timeout"
	TLS                        Cause = "tls"
	Proxy                      Cause = "proxy"
	ContentCorrupt             Cause = "content_corrupt"
	Stalled                    Cause = "stalled"
	DiskFull                   Cause = "disk_full"
	UnpackFailed               Cause = "unpack_failed"
	RuntimeUnavailable         Cause = "runtime_unavailable"
	PullQPSExceeded            Cause = "pull_qps_exceeded"
	NeverPull                  Cause = "never_pull"
	PolicyDenied               Cause = "policy_denied"
	Canceled                   Cause = "canceled"
	BackOff                    Cause = "backoff"
	Unknown                    Cause = "unknown"
)

// Confidence is how sure a diagnosis is.
type Confidence string

// The degrees of confidence.
const (
	Certain  Confidence = "certain"  // the program's own words or a status name it
	Likely   Confidence = "likely"   // inferred from the shape of the chain
	Possible Confidence = "possible" // the text fits several; the remedy lists the others
)

// Retry says whether trying again helps.
type Retry string

// The values of pullcause.retryable.
const (
	RetryNever Retry = "never"
	RetryLater Retry = "later"
	RetryYes   Retry = "yes"
	RetryMaybe Retry = "maybe"
)

// Facts are what is known beside the log lines. Zero values mean unknown.
type Facts struct {
	// OS, Arch and Variant are the node's platform in OCI terms.
	OS, Arch, Variant string
	// ImagePlatform is that of an image which was pulled, but is none that the node can
	// run: "linux/arm64/v8".
	ImagePlatform string
	// Cache is nil if the node's images are not known.
	Cache *Cache
}

// Diagnosis is the answer.
type Diagnosis struct {
	Cause      Cause
	Detail     string // the finer word, of the closed set of its cause; may be empty
	Confidence Confidence
	Retry      Retry
	// Owner is whose turn it is: reference, credentials, registry, network,
	// node, kubelet, policy, or two of them; empty where nobody's.
	Owner string
	// Remedy is one or two sentences with the command or key to change.
	Remedy string
	// Action is the part of it that says what to do, without the full stop.
	Action string
	// Summary is the cause in a few words for people: "429 Too Many Requests".
	Summary string
	// Cache is what the node has of the image; nil if that is not known.
	Cache *Cache
}
