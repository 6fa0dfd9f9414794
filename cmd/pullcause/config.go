package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"pullcause/agent"
)

// layer orders where a value may come from: a higher one wins.
type layer int

const (
	fromDefault layer = iota
	fromFile
	fromOTEL // OTEL_EXPORTER_OTLP_*, the same for every program of the pod
	fromEnv  // PULLCAUSE_*
	fromFlag
)

// origin is where the value of one key comes from.
type origin struct {
	layer layer
	where string // "config.yaml:12", "PULLCAUSE_LOG_LEVEL", "--log-level"
}

// loader gathers the configuration and everything that is wrong with it. Layers
// may be applied in any order.
type loader struct {
	cfg  agent.Config
	keys []agent.Key
	from map[string]origin
	// lowest is the lowest layer that gives a key a text other than the empty one.
	lowest map[string]layer
	errs   []error
}

func newLoader() *loader {
	return &loader{cfg: agent.Default(), keys: agent.Keys(), from: map[string]origin{}, lowest: map[string]layer{}}
}

// inputs are the places that a configuration is made of.
type inputs struct {
	file    string // path; empty: none
	flags   map[string][]string
	environ []string // as os.Environ returns it
}

// configErrors is everything that is wrong, one line each.
type configErrors []error

func (e configErrors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return "configuration: " + strings.Join(lines, "\nconfiguration: ")
}

// loadConfig returns the effective configuration, or configErrors.
func loadConfig(in inputs) (agent.Config, error) {
	l := load(in)
	if len(l.errs) > 0 {
		return agent.Config{}, configErrors(l.errs)
	}
	return l.cfg.Effective(), nil
}

func load(in inputs) *loader {
	l := newLoader()
	if in.file != "" {
		l.file(in.file)
	}
	env := environment(in.environ)
	l.environment(env)
	for _, key := range l.keys {
		if texts := in.flags[key.Flag()]; len(texts) > 0 {
			l.setText(key, origin{fromFlag, "--" + key.Flag()}, texts...)
		}
	}
	l.otel(env)
	l.validate()
	return l
}

// setText takes the text form of a value: of a list, items with commas between
// them; of a map, name=value with commas between them. Several texts add up for
// these two, otherwise the last one holds.
func (l *loader) setText(key agent.Key, at origin, texts ...string) {
	l.apply(key, at, func(c *agent.Config) error {
		all := strings.Join(texts, ",")
		switch {
		case key.IsList():
			return key.SetList(c, splitList(all))
		case key.IsMap():
			pairs, err := splitPairs(key, all)
			if err != nil {
				return err
			}
			return key.SetMap(c, pairs)
		default:
			return key.Set(c, texts[len(texts)-1])
		}
	})
}

// apply checks a value also where a higher layer has already overridden it:
// the mistake is one all the same.
func (l *loader) apply(key agent.Key, at origin, set func(*agent.Config) error) {
	scratch := l.cfg
	if err := set(&scratch); err != nil {
		l.fail(err, at.where)
		return
	}
	if lowest, ok := l.lowest[key.Name]; key.Text(scratch) != "" && (!ok || at.layer < lowest) {
		l.lowest[key.Name] = at.layer
	}
	if at.layer >= l.from[key.Name].layer {
		l.cfg = scratch
		l.from[key.Name] = at
	}
}

// fail takes one error or several joined ones, and says where they are.
func (l *loader) fail(err error, where string) {
	for _, err := range unjoin(err) {
		if e, ok := errors.AsType[agent.ConfigError](err); ok {
			e.Where = where
			err = e
		}
		l.errs = append(l.errs, err)
	}
}

// validate adds what is wrong with the whole, and says where it came from.
func (l *loader) validate() {
	for _, err := range unjoin(l.cfg.Validate()) {
		l.failWhole(err)
	}
}

// failWhole takes an error about values that came from different places.
func (l *loader) failWhole(err error) {
	where := ""
	if e, ok := errors.AsType[agent.ConfigError](err); ok {
		where = l.from[e.Key].where
		if also := l.from[e.Also].where; also != "" {
			where += " and " + also
		}
	}
	l.fail(err, where)
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// servicePattern are the variables that Kubernetes sets for each Service of the
// namespace; one named pullcause makes PULLCAUSE_PORT and its like.
var servicePattern = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_.+)?)?)$`)

// configEnv names the configuration file; it is a flag's and no key of the file.
const configEnv = agent.EnvPrefix + "CONFIG"

// environment applies PULLCAUSE_*. As everywhere, an empty variable counts as unset.
func (l *loader) environment(env map[string]string) {
	known := map[string]agent.Key{}
	for _, key := range l.keys {
		known[key.Env()] = key
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !strings.HasPrefix(name, agent.EnvPrefix) || name == configEnv {
			continue
		}
		key, ok := known[name]
		switch {
		case ok:
			l.setText(key, origin{fromEnv, name}, env[name])
		case !servicePattern.MatchString(name):
			l.errs = append(l.errs, unknown("environment", name, slices.Collect(maps.Keys(known))))
		}
	}
	if node := env["NODE_NAME"]; node != "" && l.cfg.Resource.NodeName == "" {
		l.cfg.Resource.NodeName = node
	}
}

func environment(environ []string) map[string]string {
	env := map[string]string{}
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); value != "" {
			env[name] = value
		}
	}
	return env
}

func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// splitPairs reads what OTEL_EXPORTER_OTLP_HEADERS holds: name=value with
// commas between, values escaped as in URLs. Its errors do not show values.
func splitPairs(key agent.Key, text string) (map[string]string, error) {
	wrong := func(got string) error {
		return agent.ConfigError{Key: key.Name, Got: got, Want: "name=value,name=value with , and % of a value written %2C and %25"}
	}
	pairs := map[string]string{}
	for _, pair := range splitList(text) {
		name, value, found := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		if !found || name == "" {
			return nil, wrong("an entry without name=")
		}
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil {
			return nil, wrong("a value of " + name + " with a wrong % escape")
		}
		pairs[name] = value
	}
	return pairs, nil
}

// unknown names the nearest of the names that exist.
func unknown(where, name string, names []string) error {
	far := func(other string) float64 {
		return float64(distance(name, other)) / float64(max(len(name), len(other)))
	}
	nearest := slices.MinFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(far(a), far(b)), cmp.Compare(a, b))
	})
	return agent.ConfigError{Where: where, Key: name, Nearest: nearest}
}

// distance is how many letters have to be inserted, removed or replaced to make
// b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0] // row[j] of the letter before
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// printable shows the effective configuration as YAML without its secrets.
func printable(cfg agent.Config) (string, error) {
	text, err := marshalYAML(cfg.Redacted())
	if err != nil {
		return "", fmt.Errorf("print configuration: %w", err)
	}
	return string(text), nil
}
