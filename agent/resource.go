package agent

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"pullcause/agent/enrich"
	"pullcause/agent/export"
)

// resource are the attributes that describe who sends, and the runtime as far as it is
// known. The order is the same each time: what was encoded once is sent again.
func (n Node) resource(cfg Config, version string, runtime enrich.Runtime) []attribute.KeyValue {
	own := n.attributes(cfg, version, runtime)
	attrs := make([]attribute.KeyValue, 0, len(own)+len(cfg.Resource.Attributes))
	for _, p := range own {
		if p[1] != "" {
			attrs = append(attrs, attribute.String(p[0], p[1]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(cfg.Resource.Attributes)) {
		attrs = append(attrs, attribute.String(key, cfg.Resource.Attributes[key]))
	}
	return attrs
}

// attributes are those that are always there, if they are known.
func (n Node) attributes(cfg Config, version string, runtime enrich.Runtime) [][2]string {
	return [][2]string{
		{"service.name", "pullcause"},
		{"service.version", version},
		{"service.instance.id", n.Name},
		{"k8s.node.name", n.Name},
		{"k8s.cluster.name", cfg.Resource.ClusterName},
		{"k8s.cluster.uid", cfg.Resource.ClusterUID},
		{"host.name", n.HostName},
		{"host.id", n.HostID},
		{"host.arch", n.Arch},
		{"pullcause.host.variant", n.Variant},
		{"os.type", n.OS},
		{"os.version", n.OSVersion},
		{"container.runtime.name", runtime.Name},
		{"container.runtime.version", runtime.Version},
		{"cube.environment", cfg.Resource.Environment},
		{"deployment.environment.name", cfg.Resource.Environment},
	}
}

// ownKeys begin the keys of records that no convention names; the others are
// [export.ForeignKeys].
const ownKeys = "pullcause."

// checkAttributes refuses what would be sent twice: receivers keep one of the two, and not
// all of them the same.
func checkAttributes(attributes map[string]string) []error {
	var errs []error
	wrong := func(got, want string) {
		errs = append(errs, ConfigError{Key: "resource.attributes", Got: got, Want: want})
	}
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		sent := slices.ContainsFunc(Node{}.attributes(Config{}, "", enrich.Runtime{}), func(p [2]string) bool { return p[0] == key })
		switch {
		case key == "":
			wrong("an empty name", "names with values")
		case sent || strings.HasPrefix(key, ownKeys):
			wrong(strconv.Quote(key), "names that pullcause does not send itself")
		case slices.Contains(export.ForeignKeys(), key):
			wrong(strconv.Quote(key), "names that no record has")
		}
	}
	return errs
}
