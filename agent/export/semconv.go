package export

// The names of the events.
const (
	EventFailed       = "pullcause.image_pull.failed"
	EventCauseChanged = "pullcause.image_pull.cause_changed"
	EventRecovered    = "pullcause.image_pull.recovered"
	EventAbandoned    = "pullcause.image_pull.abandoned"
	EventStalled      = "pullcause.image_pull.stalled"
	EventImageCache   = "pullcause.node.image_cache"
	EventDataLoss     = "pullcause.agent.data_loss"
)

// The severities of records, as they are written in OTLP's severity text.
const (
	SeverityInfo  = "INFO"
	SeverityWarn  = "WARN"
	SeverityError = "ERROR"
)

// The keys of the attributes, in the order in which they are sent. Those
// without our prefix are named by the OpenTelemetry semantic conventions.
const (
	// EventNameKey repeats the event name, which some receivers do not keep.
	EventNameKey = "event.name"

	ErrorTypeKey         = "error.type"
	CauseDetailKey       = "pullcause.cause.detail"
	CauseConfidenceKey   = "pullcause.cause.confidence"
	PreviousCauseKey     = "pullcause.cause.previous"
	PreviousDetailKey    = "pullcause.cause.previous_detail"
	RetryableKey         = "pullcause.retryable"
	RemedyKey            = "pullcause.remedy"
	ExceptionMessageKey  = "exception.message"
	LogRecordOriginalKey = "log.record.original"
	TruncatedKey         = "pullcause.truncated"
	// OriginalTimestampKey is when it happened, where that is too long ago to be sent as
	// the record's time.
	OriginalTimestampKey   = "pullcause.original_timestamp"
	LogRecordUIDKey        = "log.record.uid"
	HTTPStatusKey          = "http.response.status_code"
	HTTPMethodKey          = "http.request.method"
	URLFullKey             = "url.full"
	ServerAddressKey       = "server.address"
	ServerPortKey          = "server.port"
	DNSQuestionNameKey     = "dns.question.name"
	NetworkPeerAddressKey  = "network.peer.address"
	GRPCStatusCodeKey      = "rpc.grpc.status_code"
	HostsKey               = "pullcause.hosts"
	ImageNameKey           = "container.image.name"
	ImageTagsKey           = "container.image.tags"
	ImageRefKey            = "pullcause.image.ref"
	ImageTagKey            = "pullcause.image.tag"
	ManifestDigestKey      = "oci.manifest.digest"
	NamespaceKey           = "k8s.namespace.name"
	PodNameKey             = "k8s.pod.name"
	PodUIDKey              = "k8s.pod.uid"
	ContainerNameKey       = "k8s.container.name"
	ContainerReasonKey     = "k8s.container.status.reason"
	PodsKey                = "pullcause.pods"
	PodAttributionKey      = "pullcause.pod.attribution"
	ContainerKindKey       = "pullcause.container.kind"
	IncidentIDKey          = "pullcause.incident.id"
	AttemptKey             = "pullcause.attempt"
	AttemptsSinceLastKey   = "pullcause.attempts_since_last"
	IncidentFirstSeenKey   = "pullcause.incident.first_seen"
	IncidentAttemptsKey    = "pullcause.incident.attempts"
	IncidentDurationKey    = "pullcause.incident.duration_ms"
	IncidentWhatChangedKey = "pullcause.incident.what_changed"
	DurationKey            = "pullcause.duration_ms"
	BytesReadKey           = "pullcause.bytes_read"
	LayerDigestKey         = "pullcause.layer.digest"
	LayerBytesKey          = "pullcause.layer.bytes_read"
	LayerSizeKey           = "pullcause.layer.size"
	SourceKey              = "pullcause.source"
)

// What the node has of an image that could not be pulled.
const (
	CacheVerdictKey     = "pullcause.cache.verdict"
	CachePresentKey     = "pullcause.cache.present"
	CacheOtherTagsKey   = "pullcause.cache.other_tags"
	CacheRemovedAtKey   = "pullcause.cache.removed_at"
	CachePlatformsKey   = "pullcause.cache.image_platforms"
	CacheFSAvailableKey = "pullcause.cache.imagefs_available_bytes"
	CacheFSUsedRatioKey = "pullcause.cache.imagefs_used_ratio"
)

// The keys of an [EventImageCache] record.
const (
	CacheImagesKey       = "pullcause.image_cache.images"
	CacheBytesKey        = "pullcause.image_cache.bytes"
	ImageFSMountpointKey = "pullcause.imagefs.mountpoint"
	ImageFSUsedKey       = "pullcause.imagefs.used_bytes"
	ImageFSSizeKey       = "pullcause.imagefs.size_bytes"
	ImageFSAvailableKey  = "pullcause.imagefs.available_bytes"
	ImageFSInodesFreeKey = "pullcause.imagefs.inodes_free"
)

// The keys of an [EventDataLoss] record.
const (
	LossReasonKey = "pullcause.loss.reason"
	LossSourceKey = "pullcause.loss.source"
	LossCountKey  = "pullcause.loss.count"
	LossBytesKey  = "pullcause.loss.bytes"
)

// ForeignKeys are the keys of records that others name: the semantic conventions.
func ForeignKeys() []string {
	return []string{
		EventNameKey, ErrorTypeKey, ExceptionMessageKey, LogRecordOriginalKey, LogRecordUIDKey,
		HTTPStatusKey, HTTPMethodKey, URLFullKey, ServerAddressKey, ServerPortKey,
		DNSQuestionNameKey, NetworkPeerAddressKey, GRPCStatusCodeKey,
		ImageNameKey, ImageTagsKey, ManifestDigestKey,
		NamespaceKey, PodNameKey, PodUIDKey, ContainerNameKey, ContainerReasonKey,
	}
}
