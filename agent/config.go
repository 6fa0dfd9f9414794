package agent

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"pullcause/agent/enrich"
	"pullcause/agent/export/otlp/endpoint"
)

// Config is everything that can be set, whole. Its json tags are the keys of
// the configuration file; flags, environment variables, the printed
// configuration and the hints for unknown keys are all derived from them, see
// [Keys]. Start from [Default]; [Config.Validate] says what is wrong with it.
//
// The tags min and max bound a number or duration, enum lists the words that a
// key takes.
type Config struct {
	HostRoot  string          `json:"host_root" help:"where the node's file system is seen from here: log files are found under it"`
	Sources   SourcesConfig   `json:"sources"`
	CRI       CRIConfig       `json:"cri"`
	Pulls     PullsConfig     `json:"pulls"`
	Incidents IncidentsConfig `json:"incidents"`
	OTLP      OTLPConfig      `json:"otlp"`
	Delivery  DeliveryConfig  `json:"delivery"`
	Server    ServerConfig    `json:"server"`
	Resource  ResourceConfig  `json:"resource"`
	Log       LogConfig       `json:"log"`
}

// SourcesConfig says which logs are read.
type SourcesConfig struct {
	Auto     bool          `json:"auto" help:"find the systemd journal and the known log files of runtimes and kubelet"`
	Journal  JournalConfig `json:"journal"`
	Files    []SourceFile  `json:"files" help:"further log files: a path, or containerd:PATH, kubelet:PATH, crio:PATH, dockerd:PATH"`
	Lookback Lookback      `json:"lookback" help:"how far back to read at the very first start; all reads from the beginning" max:"8760h"`
	Poll     Duration      `json:"poll" help:"how often files are looked at where no notification arrives" min:"10ms" max:"1h"`
}

// JournalConfig adds to the units and identifiers that are known. Naming any has the
// journal read even where sources.auto is off.
type JournalConfig struct {
	Units       []SystemdUnit `json:"units" help:"further systemd units whose lines in the journal are read, such as my-containerd.service"`
	Identifiers []Identifier  `json:"identifiers" help:"likewise, syslog identifiers; only root's own lines on standard output count"`
}

// CRIConfig says how the container runtime is asked what the node has.
type CRIConfig struct {
	Socket     string   `json:"socket" help:"the runtime's CRI socket: auto finds it, off does without, or a path below host_root"`
	Containerd string   `json:"containerd" help:"containerd's own services, at the same socket: auto uses them where they are, off does without" enum:"auto,off"`
	Timeout    Duration `json:"timeout" help:"how long one question to the runtime may take" min:"10ms" max:"1m"`
}

// PullsConfig says when a pull attempt is whole, when one is stuck and when an outage
// is over.
type PullsConfig struct {
	JoinWindow   Duration `json:"join_window" help:"how long the lines of one failed attempt are waited for; those of a journal may come 250ms late" min:"0s" max:"1m"`
	AbandonAfter Duration `json:"abandon_after" help:"an incident without a further attempt for so long is closed as abandoned" min:"1s" max:"168h"`
	StallAfter   Duration `json:"stall_after" help:"a pull in flight without progress for so long is told of as stalled" min:"5s" max:"24h"`
	SlowAfter    Duration `json:"slow_after" help:"a pull in flight for so long is told of as slow" min:"5s" max:"168h"`
}

// The values of incidents.report.
const (
	ReportSparse = "sparse" // the first attempts of an incident, then fewer and fewer
	ReportAll    = "all"    // each attempt is a record
)

// IncidentsConfig bounds what is remembered and reported.
type IncidentsConfig struct {
	Report  string `json:"report" help:"which attempts of one incident become records" enum:"sparse,all"`
	MaxOpen int    `json:"max_open" help:"how many incidents may be open at once" min:"1" max:"100000"`
}

// OTLPConfig says where records and metrics go. Without an endpoint for logs,
// records go to standard output.
type OTLPConfig struct {
	CubeAPM string         `json:"cubeapm" help:"address of CubeAPM, such as http://cubeapm:3130: sets both endpoints and the stream fields"`
	Logs    ReceiverConfig `json:"logs"`
	Metrics MetricsConfig  `json:"metrics"`
}

// The values of protocol and compression.
const (
	ProtocolHTTP    = endpoint.ProtocolHTTP
	ProtocolGRPC    = endpoint.ProtocolGRPC
	CompressionGzip = endpoint.CompressionGzip
	CompressionNone = endpoint.CompressionNone
)

// ReceiverConfig is how one OTLP receiver is reached.
type ReceiverConfig struct {
	Endpoint    string            `json:"endpoint" help:"URL of the receiver, used as it is; for grpc http://HOST:PORT or https://HOST:PORT"`
	Protocol    string            `json:"protocol" help:"how OTLP is sent" enum:"http/protobuf,grpc"`
	Headers     map[string]string `json:"headers" help:"headers to send, as name=value with , and % of a value written %2C and %25"`
	HeadersFile string            `json:"headers_file" help:"file with further headers, a line each as Name: value; read again when it changes"`
	Compression string            `json:"compression" help:"how requests are compressed" enum:"gzip,none"`
	Timeout     Duration          `json:"timeout" help:"how long one request may take" min:"1ms" max:"5m"`
	TLS         TLSConfig         `json:"tls"`
}

// TLSConfig is how the receiver's certificate is checked and ours is shown.
type TLSConfig struct {
	CAFile   string `json:"ca_file" help:"PEM file of the authorities to trust instead of the system's"`
	CertFile string `json:"cert_file" help:"PEM file of the client certificate"`
	KeyFile  string `json:"key_file" help:"PEM file of its key"`
	Insecure bool   `json:"insecure" help:"no TLS to a grpc endpoint that is written without http:// or https://"`
}

// MetricsConfig is the receiver of metrics and how often they are sent.
type MetricsConfig struct {
	ReceiverConfig `json:",inline"`

	Interval Duration `json:"interval" help:"how often metrics are sent" min:"1s" max:"1h"`
}

// DeliveryConfig says what is kept on disk.
type DeliveryConfig struct {
	StateDir   string   `json:"state_dir" help:"folder that keeps how far each log was read, and records that the receiver has not taken; empty keeps nothing"`
	SpoolBytes ByteSize `json:"spool_bytes" help:"how much of undelivered records is kept on disk, the oldest go first" min:"1MiB" max:"16GiB"`
	MaxAge     Duration `json:"max_age" help:"records older than this are sent as of now, with their own time in pullcause.original_timestamp" min:"1s" max:"8760h"`
}

// ServerConfig names the two listeners: one for the cluster, one for people on
// the node.
type ServerConfig struct {
	Listen string      `json:"listen" help:"address of /healthz, /readyz and /metrics"`
	Debug  DebugConfig `json:"debug"`
}

// DebugConfig is the listener that shows incidents and attempts.
type DebugConfig struct {
	Listen string `json:"listen" help:"address of the debug endpoint"`
	Pprof  bool   `json:"pprof" help:"serve /debug/pprof/ there"`
}

// ResourceConfig describes the node to the receiver.
type ResourceConfig struct {
	NodeName    string            `json:"node_name" help:"name of the node; NODE_NAME of the environment, else the host's name"`
	ClusterName string            `json:"cluster_name" help:"sent as k8s.cluster.name"`
	ClusterUID  string            `json:"cluster_uid" help:"sent as k8s.cluster.uid"`
	Environment string            `json:"environment" help:"sent as deployment.environment.name and cube.environment"`
	Attributes  map[string]string `json:"attributes" help:"further resource attributes, as name=value"`
}

// The values of log.format.
const (
	FormatAuto = "auto" // text on a terminal, JSON elsewhere
	FormatText = "text"
	FormatJSON = "json"
)

// LogConfig is about the agent's own log, on standard error.
type LogConfig struct {
	Level  string `json:"level" help:"least severity of the agent's own log lines" enum:"debug,info,warn,error"`
	Format string `json:"format" help:"auto is text on a terminal and JSON elsewhere" enum:"auto,text,json"`
}

// Default returns the configuration that holds where nothing is set.
func Default() Config {
	receiver := ReceiverConfig{
		Protocol:    ProtocolHTTP,
		Headers:     map[string]string{},
		Compression: CompressionGzip,
		Timeout:     Duration(10 * time.Second),
	}
	return Config{
		HostRoot: "/",
		Sources: SourcesConfig{
			Auto:     true,
			Journal:  JournalConfig{Units: []SystemdUnit{}, Identifiers: []Identifier{}},
			Files:    []SourceFile{},
			Lookback: Lookback{For: 5 * time.Minute},
			Poll:     Duration(time.Second),
		},
		CRI: CRIConfig{Socket: enrich.Auto, Containerd: enrich.Auto, Timeout: Duration(2 * time.Second)},
		Pulls: PullsConfig{
			JoinWindow: Duration(time.Second), AbandonAfter: Duration(15 * time.Minute),
			StallAfter: Duration(time.Minute), SlowAfter: Duration(10 * time.Minute),
		},
		Incidents: IncidentsConfig{Report: ReportSparse, MaxOpen: 10_000},
		OTLP: OTLPConfig{
			Logs:    receiver,
			Metrics: MetricsConfig{ReceiverConfig: receiver, Interval: Duration(time.Minute)},
		},
		Delivery: DeliveryConfig{StateDir: "/var/lib/pullcause", SpoolBytes: 64 << 20, MaxAge: Duration(20 * time.Hour)},
		Server:   ServerConfig{Listen: ":9808", Debug: DebugConfig{Listen: "127.0.0.1:9809"}},
		Resource: ResourceConfig{Attributes: map[string]string{}},
		Log:      LogConfig{Level: "info", Format: FormatAuto},
	}
}

// What CubeAPM serves, after its documentation (cubeapm/docs,
// docs/logs/ingestion/ingestion.md and docs/http-apis/metrics.md).
const (
	cubeLogsPath     = "/api/logs/insert/opentelemetry/v1/logs"
	cubeMetricsPath  = "/api/metrics/v1/save/otlp"
	cubeStreamHeader = "Cube-Stream-Fields"
	cubeStreamFields = "service.name,k8s.cluster.name,k8s.namespace.name,error.type"
)

// Effective returns the configuration with otlp.cubeapm replaced by the
// endpoints and the header that it stands for. An endpoint of its own and stream fields
// that were set by hand stay. It shares nothing with c that could change.
func (c Config) Effective() Config {
	c = c.clone()
	c.OTLP = c.OTLP.effective()
	return c
}

func (o OTLPConfig) effective() OTLPConfig {
	if o.CubeAPM == "" {
		return o
	}
	base := strings.TrimRight(o.CubeAPM, "/")
	o.CubeAPM = ""
	o.Metrics.Endpoint = cmp.Or(o.Metrics.Endpoint, base+cubeMetricsPath)
	if o.Logs.Endpoint != "" {
		return o
	}
	o.Logs.Endpoint = base + cubeLogsPath
	if !hasHeader(o.Logs.Headers, cubeStreamHeader) {
		o.Logs.Headers = cloneMap(o.Logs.Headers)
		o.Logs.Headers[cubeStreamHeader] = cubeStreamFields
	}
	return o
}

func (c Config) clone() Config {
	c.Sources.Files = slices.Clone(c.Sources.Files)
	c.Sources.Journal.Units = slices.Clone(c.Sources.Journal.Units)
	c.Sources.Journal.Identifiers = slices.Clone(c.Sources.Journal.Identifiers)
	c.OTLP.Logs.Headers = cloneMap(c.OTLP.Logs.Headers)
	c.OTLP.Metrics.Headers = cloneMap(c.OTLP.Metrics.Headers)
	c.Resource.Attributes = cloneMap(c.Resource.Attributes)
	return c
}
