package detect

import (
	"iter"
	"strings"
)

// Finding is one thing that the words of an error chain say. What it means for
// the pull, and which of several matters, is not decided here.
type Finding uint8

// The findings.
const (
	noFinding Finding = iota

	MalformedReference // the image name does not parse
	UppercaseReference // because of an upper-case letter
	ShortName          // it names no registry, and the node does not tell which one is meant
	NeverPull          // not on the node, and policy Never
	PullQPSExceeded    // the kubelet's own limit
	NoProgress         // cancelled for lack of progress
	Canceled           // cancelled

	NotFound           // the registry has no such manifest or blob
	RepositoryUnknown  // nor the repository
	DeniedOrAbsent     // the registry does not say which
	NoBasicAuth        // it wants basic authentication and there are no credentials
	BadCredentials     // user name or password is wrong
	ExpiredCredentials // they were right once
	InvalidToken       // the registry refuses the token: expired, revoked or malformed (RFC 6750)
	AuthFailed         // some other failure of authentication
	ForbiddenWord      // "Forbidden" or "denied", without a status
	TooManyRequests    // rate limit
	Unavailable        // the registry says that it does not work, or answers nonsense

	NoPlatform       // no manifest for this platform
	SchemaOne        // an image format of before 2017
	PageAnswered     // a page came in place of a manifest
	ManifestTooLarge // for the runtime to read it
	UnknownMediaType // a format or compression that the runtime lacks

	NoSuchHost        // NXDOMAIN
	LookupTimeout     // the DNS server does not answer
	LookupServfail    // it fails
	LookupRefused     // it cannot be reached
	LookupFailed      // any other failure of a lookup
	ConnectionRefused // nothing listens
	ConnectionReset   // the peer closed the connection
	NoRoute           // no way to the address
	NoLocalAddress    // the node has no address, or no port left, to connect from
	NoHosts           // no host is configured that can be asked
	ConnectTimeout
	HandshakeTimeout
	HeaderTimeout
	DeadlineExceeded
	ProxyFailed   // the proxy could not be reached or used
	ProxyAnswered // the proxy answered CONNECT with an error
	ProxyAuth     // the proxy wants credentials

	UnknownAuthority
	CertificateExpired
	CertificateNotYetValid
	CertificateDates // one of the two
	CertificateName
	PlainHTTP       // the server speaks HTTP on this port
	HTTPSOnly       // it speaks TLS, and was asked over HTTP
	TLSFailed       // any other failure of TLS
	CertificateFile // one of the runtime's own configuration cannot be read

	WrongDigest
	BadDigestHeader // the answer names a digest that is none
	WrongSize
	Truncated // less than announced came
	Corrupt   // what came is no archive

	NoSpace
	NoInodes
	Quota
	PermissionDenied
	WrongDiffID
	Locked          // another pull holds the layer
	LocalStorage    // a file of the runtime's own storage is at fault
	ContentMissing  // a blob that the runtime should have is not there
	NoUnpackTarget  // the runtime has no snapshotter to unpack for this platform
	SnapshotterGone // a snapshotter that is a process of its own does not answer
	SocketGone      // a unix socket does not answer
	RuntimeGone     // the runtime does not

	RegistryBlocked // the node's own configuration forbids the registry
	SignatureDenied
	VerifierDenied
	PolicyDenied

	CredentialPlugin
	PullSecretMissing

	findings // their number
)

// Findings is a set of findings.
type Findings [2]uint64

// They must all fit.
const _ = uint(len(Findings{})*64 - int(findings))

// word and bit are where a finding stands in a set.
func (f Finding) word() int   { return int(f / 64) }
func (f Finding) bit() uint64 { return 1 << (f % 64) }

// Has reports whether one of the findings is in the set.
func (s Findings) Has(oneOf ...Finding) bool {
	for _, f := range oneOf {
		if s[f.word()]&f.bit() != 0 {
			return true
		}
	}
	return false
}

// All yields the findings in the order of their declaration.
func (s Findings) All() iter.Seq[Finding] {
	return func(yield func(Finding) bool) {
		for f := noFinding + 1; f < findings; f++ {
			if s.Has(f) && !yield(f) {
				return
			}
		}
	}
}

// String lists the names of the findings, for tests and people.
func (s Findings) String() string {
	var names []string
	for f := range s.All() {
		names = append(names, f.String())
	}
	return strings.Join(names, " ")
}

func (s *Findings) add(f Finding) {
	if f != noFinding {
		s[f.word()] |= f.bit()
	}
}

func (s *Findings) remove(f Finding) { s[f.word()] &^= f.bit() }

// String is the finding's name in words.
func (f Finding) String() string {
	if int(f) >= len(findingNames) {
		return ""
	}
	return findingNames[f]
}

var findingNames = [findings]string{
	MalformedReference: "malformed-reference", UppercaseReference: "uppercase-reference", ShortName: "short-name",
	NeverPull: "never-pull", PullQPSExceeded: "pull-qps-exceeded", NoProgress: "no-progress", Canceled: "canceled",
	NotFound: "not-found", RepositoryUnknown: "repository-unknown", DeniedOrAbsent: "denied-or-absent",
	NoBasicAuth: "no-basic-auth", BadCredentials: "bad-credentials", ExpiredCredentials: "expired-credentials",
	InvalidToken: "invalid-token", AuthFailed: "auth-failed", ForbiddenWord: "forbidden-word",
	TooManyRequests: "too-many-requests", Unavailable: "unavailable", NoPlatform: "no-platform",
	SchemaOne: "schema-one", PageAnswered: "page-answered", ManifestTooLarge: "manifest-too-large",
	UnknownMediaType: "unknown-media-type", NoSuchHost: "no-such-host", LookupTimeout: "lookup-timeout",
	LookupServfail: "lookup-servfail", LookupRefused: "lookup-refused", LookupFailed: "lookup-failed",
	ConnectionRefused: "connection-refused", ConnectionReset: "connection-reset", NoRoute: "no-route",
	NoLocalAddress: "no-local-address", NoHosts: "no-hosts", ConnectTimeout: "connect-timeout",
	HandshakeTimeout: "handshake-timeout", HeaderTimeout: "header-timeout", DeadlineExceeded: "deadline-exceeded",
	ProxyFailed: "proxy-failed", ProxyAnswered: "proxy-answered", ProxyAuth: "proxy-auth",
	UnknownAuthority: "unknown-authority", CertificateExpired: "certificate-expired",
	CertificateNotYetValid: "certificate-not-yet-valid", CertificateDates: "certificate-dates",
	CertificateName: "certificate-name", PlainHTTP: "plain-http", HTTPSOnly: "https-only", TLSFailed: "tls-failed",
	CertificateFile: "certificate-file", WrongDigest: "wrong-digest", BadDigestHeader: "bad-digest-header",
	WrongSize: "wrong-size", Truncated: "truncated", Corrupt: "corrupt", NoSpace: "no-space", NoInodes: "no-inodes",
	Quota: "quota", PermissionDenied: "permission-denied", WrongDiffID: "wrong-diff-id", Locked: "locked",
	LocalStorage: "local-storage", ContentMissing: "content-missing", NoUnpackTarget: "no-unpack-target",
	SnapshotterGone: "snapshotter-gone", SocketGone: "socket-gone", RuntimeGone: "runtime-gone",
	RegistryBlocked: "registry-blocked", SignatureDenied: "signature-denied", VerifierDenied: "verifier-denied",
	PolicyDenied: "policy-denied", CredentialPlugin: "credential-plugin", PullSecretMissing: "pull-secret-missing",
}
