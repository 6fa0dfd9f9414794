package agent

import (
	"cmp"
	"errors"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"pullcause/agent/enrich"
)

// ConfigError says what is wrong with one key.
type ConfigError struct {
	// Where the value came from, such as "config.yaml:12" or "--log-level";
	// empty where that is not known.
	Where string
	Key   string
	// Also is the other key where two contradict each other.
	Also string
	// Got is what was found, ready to print and free of secrets. It is empty for
	// a key that does not exist.
	Got string
	// Want is what the key takes.
	Want string
	// Nearest is the key that was probably meant, if Key does not exist.
	Nearest string
}

// Error is one line: where, key, what it got, what it takes.
func (e ConfigError) Error() string {
	var b strings.Builder
	if e.Where != "" {
		b.WriteString(e.Where + ": ")
	}
	b.WriteString(e.Key)
	switch {
	case e.Got != "":
		b.WriteString(": got " + e.Got + ", takes " + e.Want)
	case e.Nearest != "":
		b.WriteString(": unknown key; did you mean " + e.Nearest + "?")
	default:
		b.WriteString(": unknown key")
	}
	return b.String()
}

// Validate returns all that is wrong, joined; each is a [ConfigError].
func (c Config) Validate() error {
	var errs []error
	for _, key := range Keys() {
		errs = append(errs, key.check(&c))
	}
	errs = append(errs,
		checkAbsolute("host_root", c.HostRoot),
		checkStateDir(c.Delivery.StateDir),
		c.Sources.checkDistinct(),
		checkSocket(c.CRI.Socket),
		checkListen("server.listen", c.Server.Listen),
		checkListen("server.debug.listen", c.Server.Debug.Listen),
		c.Server.checkDistinct())
	errs = append(errs, checkAttributes(c.Resource.Attributes)...)
	errs = append(errs, c.OTLP.check()...)
	return errors.Join(errs...)
}

// check holds the key to its enum, min and max.
func (k Key) check(c *Config) error {
	switch value := k.of(c).Interface().(type) {
	case string:
		if len(k.Enum) > 0 && !slices.Contains(k.Enum, value) {
			return k.wrong(strconv.Quote(value))
		}
	case Duration:
		return k.checkDuration(time.Duration(value))
	case Lookback:
		if !value.All {
			return k.checkDuration(value.For)
		}
	case ByteSize:
		if value < bound(k.min, parseSize) || value > bound(k.max, parseSize) {
			return k.wrong(value.String())
		}
	case int:
		if value < bound(k.min, strconv.Atoi) || value > bound(k.max, strconv.Atoi) {
			return k.wrong(strconv.Itoa(value))
		}
	}
	return nil
}

func (k Key) checkDuration(d time.Duration) error {
	least, most := bound(cmp.Or(k.min, "0s"), time.ParseDuration), bound(k.max, time.ParseDuration)
	if d < least || d > most {
		return k.wrong(Duration(d).String())
	}
	return nil
}

// bound reads a min or max tag. That each tag can be read is held by a test.
func bound[T any](tag string, parse func(string) (T, error)) T {
	v, err := parse(tag)
	if err != nil {
		panic("agent: configuration tag " + strconv.Quote(tag) + ": " + err.Error())
	}
	return v
}

func checkAbsolute(key, value string) error {
	if path.IsAbs(value) {
		return nil
	}
	return ConfigError{Key: key, Got: strconv.Quote(value), Want: "an absolute path"}
}

func parseSize(text string) (size ByteSize, err error) {
	err = size.UnmarshalText([]byte(text))
	return size, err
}

// checkStateDir takes no folder too.
func checkStateDir(value string) error {
	if value == "" || path.IsAbs(value) {
		return nil
	}
	return ConfigError{Key: "delivery.state_dir", Got: strconv.Quote(value), Want: "an absolute path, or nothing"}
}

// checkDistinct refuses one file twice: all that it tells would be told twice.
func (s SourcesConfig) checkDistinct() error {
	seen := make(map[string]bool)
	for _, f := range s.Files {
		name := path.Clean(f.Path)
		if seen[name] {
			return ConfigError{Key: "sources.files", Got: strconv.Quote(name) + " twice", Want: "each file once"}
		}
		seen[name] = true
	}
	return nil
}

// checkSocket takes a path or one of the words for finding it and doing without.
func checkSocket(value string) error {
	if value == enrich.Auto || value == enrich.Off || path.IsAbs(value) {
		return nil
	}
	return ConfigError{Key: "cri.socket", Got: strconv.Quote(value), Want: "auto, off or an absolute path"}
}

func checkListen(key, value string) error {
	if _, port, err := net.SplitHostPort(value); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return nil
		}
	}
	return ConfigError{Key: key, Got: strconv.Quote(value), Want: "HOST:PORT or :PORT"}
}

// checkDistinct refuses one address for both listeners; port 0 is any free one.
func (s ServerConfig) checkDistinct() error {
	if s.Listen != s.Debug.Listen || strings.HasSuffix(s.Listen, ":0") {
		return nil
	}
	return ConfigError{
		Key: "server.debug.listen", Got: strconv.Quote(s.Debug.Listen),
		Want: "another address than server.listen",
	}
}
