package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"pullcause/agent"
	"pullcause/agent/escape"
	"pullcause/logtail/checkpoint"
)

const defaultConfigFile = "/etc/pullcause/config.yaml"

// runCmd is the agent. Its plugin is a struct made of the table of keys, with a
// field for the flag of each.
type runCmd struct {
	Config      string `help:"Configuration file; without this flag /etc/pullcause/config.yaml if it exists." placeholder:"FILE" env:"PULLCAUSE_CONFIG"`
	PrintConfig bool   `help:"Print the effective configuration without its secrets, and end."`
	kong.Plugins
}

func newRunCmd() runCmd { return runCmd{Plugins: kong.Plugins{newFlags(agent.Keys())}} }

// Help is what run --help says beside its flags.
func (runCmd) Help() string {
	return `Examples:

    pullcause run --otlp-cubeapm=http://cubeapm:3130
    OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 pullcause run
    pullcause run --config=config.yaml --print-config

Without an endpoint, records go to standard output as JSON lines.

Each configuration flag is also a key of the YAML file and an environment variable: --otlp-logs-endpoint is otlp: {logs: {endpoint: …}} and PULLCAUSE_OTLP_LOGS_ENDPOINT. A flag wins over PULLCAUSE_…, that over OTEL_EXPORTER_OTLP_…, that over the file.`
}

// Run is called by kong.
func (r runCmd) Run(ctx context.Context, std stdio) error {
	cfg, err := loadConfig(inputs{file: r.file(), flags: flagTexts(r.Plugins[0], agent.Keys()), environ: os.Environ()})
	if err != nil {
		return err
	}
	if r.PrintConfig {
		text, err := printable(cfg)
		if err != nil {
			return err
		}
		_, err = io.WriteString(std.Out, text)
		return err
	}
	beModest()
	a, err := agent.New(ctx, cfg, agent.Deps{Logger: newLogger(cfg.Log, std.Err), Stdout: std.Out, Version: readBuild().Version})
	switch {
	case errors.Is(err, context.Canceled):
		return nil // told to end as it waited for the state folder
	case errors.Is(err, checkpoint.ErrInUse):
		return err // the next start may go well
	case err != nil:
		return configErrors(unjoin(err))
	}
	go giveBack(ctx)
	return a.Run(ctx)
}

// heapLimit is where the garbage collector begins to work harder, in bytes. With
// what is not heap the agent stays within 64 MiB while 10,000 images fail. Below it
// a heap of few MiB may grow a little more than Go lets it.
const (
	heapLimit = 46 << 20
	gcPercent = 150
)

// beModest keeps the agent small, unless GOMAXPROCS, GOMEMLIMIT or GOGC says otherwise.
// Waking a second thread costs more than nearly all that there is to do: on two
// cores a backlog takes a fifth less processor time without it and no longer, a
// live log a quarter less (make bench).
func beModest() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// file is the configuration file to read, if any: it has to exist only where
// it was named.
func (r runCmd) file() string {
	if r.Config != "" {
		return r.Config
	}
	if _, err := os.Stat(defaultConfigFile); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return defaultConfigFile
}

// newFlags makes a pointer to a struct with a field for each key, in a form
// that kong understands. Fields that stay nil were not given.
func newFlags(keys []agent.Key) any {
	defaults := agent.Default()
	fields := make([]reflect.StructField, len(keys))
	for i, key := range keys {
		typ, help, more := reflect.TypeFor[*string](), key.Help, ""
		switch {
		case key.IsBool():
			typ = reflect.TypeFor[*bool]()
			if key.Text(defaults) == "true" {
				more = ` negatable:""` // --no-sources-auto
			}
		case key.IsList(), key.IsMap():
			typ = reflect.TypeFor[[]string]()
		case len(key.Enum) > 0:
			help += " (" + strings.Join(key.Enum, ", ") + ")"
		}
		fields[i] = reflect.StructField{
			Name: fmt.Sprintf("Flag%d", i),
			Type: typ,
			Tag: reflect.StructTag(fmt.Sprintf(`name:%q help:%q placeholder:%q sep:"none" group:"Configuration:"`,
				key.Flag(), help, placeholder(key, defaults)) + more),
		}
	}
	return reflect.New(reflect.StructOf(fields)).Interface()
}

// placeholder shows the default, or else what to write.
func placeholder(key agent.Key, defaults agent.Config) string {
	if key.IsMap() {
		return "NAME=VALUE,..."
	}
	if text := key.Text(defaults); text != "" {
		return text
	}
	return strings.ToUpper(key.Name[strings.LastIndexByte(key.Name, '.')+1:])
}

// flagTexts are the flags that were given, as text, by name.
func flagTexts(flags any, keys []agent.Key) map[string][]string {
	given := map[string][]string{}
	fields := reflect.ValueOf(flags).Elem()
	for i, key := range keys {
		switch v := fields.Field(i).Interface().(type) {
		case *string:
			if v != nil {
				given[key.Flag()] = []string{*v}
			}
		case *bool:
			if v != nil {
				given[key.Flag()] = []string{strconv.FormatBool(*v)}
			}
		case []string:
			if v != nil {
				given[key.Flag()] = v
			}
		}
	}
	return given
}

// newLogger writes text to a terminal and JSON elsewhere, unless told.
func newLogger(cfg agent.LogConfig, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo // cannot be: the configuration was validated
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: readableDuration}
	if cfg.Format == agent.FormatText || cfg.Format == agent.FormatAuto && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(escape.Writer(w), options))
}

// readableDuration writes durations as people and the configuration do, "1m30s". JSON would
// have them in nanoseconds without saying so.
func readableDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Millisecond).String())
	}
	return a
}
