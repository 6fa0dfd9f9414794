package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"sigs.k8s.io/yaml"

	"pullcause/agent"
)

// setBy are the keys of the agent that follow from values of the chart, and from which:
// that each is set in one place only.
func setBy() map[string]string {
	return map[string]string{
		"host_root":                  "the chart: it is /host",
		"otlp.cubeapm":               "cubeapm.url",
		"otlp.logs.endpoint":         "otlp.logs.endpoint, beside config",
		"otlp.logs.protocol":         "otlp.logs.protocol, beside config",
		"otlp.logs.headers":          "otlp.headers, beside config: they belong into a Secret",
		"otlp.logs.headers_file":     "otlp.headersSecret",
		"otlp.logs.tls.ca_file":      "otlp.tls.ca, beside config",
		"otlp.logs.tls.cert_file":    "otlp.tls.cert, beside config",
		"otlp.logs.tls.key_file":     "otlp.tls.key, beside config",
		"otlp.metrics.endpoint":      "otlp.metrics.endpoint, beside config",
		"otlp.metrics.protocol":      "otlp.metrics.protocol, beside config",
		"otlp.metrics.headers":       "otlp.headers, beside config: they belong into a Secret",
		"otlp.metrics.headers_file":  "otlp.headersSecret",
		"otlp.metrics.tls.ca_file":   "otlp.tls.ca, beside config",
		"otlp.metrics.tls.cert_file": "otlp.tls.cert, beside config",
		"otlp.metrics.tls.key_file":  "otlp.tls.key, beside config",
		"delivery.state_dir":         "stateDir",
		"server.listen":              "port",
		"resource.node_name":         "the chart: it is the name of the pod's node",
	}
}

// Schema is values.schema.json: base, which is schema.yaml, with the agent's
// configuration in $defs, closed, and described by the comments of values.yaml.
func Schema(base []byte, values []Value) ([]byte, error) {
	var schema map[string]any
	if err := yaml.UnmarshalStrict(base, &schema); err != nil {
		return nil, fmt.Errorf("schema.yaml: %w", err)
	}
	for _, section := range asMap(schema["properties"]) {
		closeObjects(asMap(section))
	}
	schema["additionalProperties"] = false
	for _, v := range values {
		at := schema
		for name := range strings.SplitSeq(v.Name, ".") {
			if at = asMap(asMap(at["properties"])[name]); at == nil {
				return nil, fmt.Errorf("schema.yaml does not have %s of values.yaml", v.Name)
			}
		}
		at["description"] = v.Doc
	}
	schema["$defs"] = map[string]any{"config": configSchema(reflect.TypeFor[agent.Config](), "")}
	text, err := json.MarshalIndent(schema, "", "  ")
	return append(text, '\n'), err
}

// closeObjects refuses properties that are not listed, where any are.
func closeObjects(schema map[string]any) {
	for _, listed := range []string{"properties", "patternProperties"} {
		if schema[listed] == nil {
			continue
		}
		schema["additionalProperties"] = false
		for _, below := range asMap(schema[listed]) {
			closeObjects(asMap(below))
		}
	}
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any) //nolint:errcheck // nil is the answer
	return m
}

// configSchema describes what the file of the configuration takes, from the tags of the
// agent's own structs.
func configSchema(t reflect.Type, prefix string) map[string]any {
	properties := map[string]any{}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		key := prefix + name
		switch {
		case field.Anonymous:
			maps.Copy(properties, asMap(configSchema(field.Type, prefix)["properties"]))
		case setBy()[key] != "":
			properties[name] = map[string]any{
				"enum":        []any{"(set by " + setBy()[key] + ")"},
				"description": "Set by " + setBy()[key] + ".",
			}
		case field.Type.Kind() == reflect.Struct && field.Tag.Get("help") == "":
			properties[name] = configSchema(field.Type, key+".")
		default:
			leaf := leafSchema(field)
			leaf["description"] = field.Tag.Get("help")
			properties[name] = leaf
		}
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}

func leafSchema(field reflect.StructField) map[string]any {
	const duration = `([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+`
	if enum := field.Tag.Get("enum"); enum != "" {
		return map[string]any{"enum": anys(strings.Split(enum, ","))}
	}
	switch field.Type {
	case reflect.TypeFor[agent.Duration]():
		return map[string]any{"type": "string", "pattern": "^(0|" + duration + ")$"}
	case reflect.TypeFor[agent.Lookback]():
		return map[string]any{"type": "string", "pattern": "^(all|0|" + duration + ")$"}
	case reflect.TypeFor[agent.ByteSize]():
		// Not a number: Helm may write a large one as 6.7e+07.
		return map[string]any{"type": "string", "pattern": "^[0-9]+ *(KiB|MiB|GiB|KB|MB|GB|B)?$"}
	}
	switch field.Type.Kind() {
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return map[string]any{
			"type":    "integer",
			"minimum": json.Number(field.Tag.Get("min")), "maximum": json.Number(field.Tag.Get("max")),
		}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": map[string]any{"type": "string"}}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}}
	default:
		return map[string]any{"type": "string"}
	}
}

func anys(words []string) []any {
	all := make([]any, len(words))
	for i, word := range words {
		all[i] = word
	}
	return all
}
