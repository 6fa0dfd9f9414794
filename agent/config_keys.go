package agent

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// EnvPrefix begins the name of each environment variable of [Keys].
const EnvPrefix = "PULLCAUSE_"

// Key is one leaf of [Config].
type Key struct {
	Name string // otlp.logs.endpoint
	Help string
	// Enum lists the words that it takes, if it takes words of a closed set.
	Enum []string

	min, max string
	typ      reflect.Type
	index    []int
}

// Keys returns all keys in the order of [Config]. It is the one table behind
// flags, environment, file, help and hints.
func Keys() []Key { return keysOf(reflect.TypeFor[Config](), "", nil) }

func keysOf(t reflect.Type, prefix string, index []int) []Key {
	var keys []Key
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		at := append(slices.Clone(index), i)
		switch {
		case field.Anonymous:
			keys = append(keys, keysOf(field.Type, prefix, at)...)
		case isSection(field.Type):
			keys = append(keys, keysOf(field.Type, prefix+name+".", at)...)
		default:
			key := Key{
				Name: prefix + name, Help: field.Tag.Get("help"),
				min: field.Tag.Get("min"), max: field.Tag.Get("max"),
				typ: field.Type, index: at,
			}
			if enum := field.Tag.Get("enum"); enum != "" {
				key.Enum = strings.Split(enum, ",")
			}
			keys = append(keys, key)
		}
	}
	return keys
}

func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !isText(t)
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// Flag is the command line's name without its dashes: otlp-logs-endpoint.
func (k Key) Flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(k.Name) }

// Env is the environment variable: PULLCAUSE_OTLP_LOGS_ENDPOINT.
func (k Key) Env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// IsBool is true where a flag without a value means true.
func (k Key) IsBool() bool { return k.typ.Kind() == reflect.Bool }

// IsList is true where [Key.SetList] is to be used.
func (k Key) IsList() bool { return k.typ.Kind() == reflect.Slice }

// IsMap is true where [Key.SetMap] is to be used.
func (k Key) IsMap() bool { return k.typ.Kind() == reflect.Map }

// Set parses text into the key's place in c and checks its bounds. A failure is
// a [ConfigError] and leaves c to be thrown away.
func (k Key) Set(c *Config, text string) error {
	if k.IsList() || k.IsMap() {
		return k.wrong("one word")
	}
	if err := k.parse(k.of(c), text); err != nil {
		return err
	}
	return k.check(c)
}

// SetList replaces a list. Failures are joined [ConfigError]s.
func (k Key) SetList(c *Config, items []string) error {
	if !k.IsList() {
		return k.wrong("a list")
	}
	list := reflect.MakeSlice(k.typ, len(items), len(items))
	var errs []error
	for i, item := range items {
		errs = append(errs, k.parse(list.Index(i), item))
	}
	k.of(c).Set(list)
	return errors.Join(errs...)
}

// SetMap replaces a map.
func (k Key) SetMap(c *Config, entries map[string]string) error {
	if !k.IsMap() {
		return k.wrong("a mapping")
	}
	k.of(c).Set(reflect.ValueOf(cloneMap(entries)))
	return nil
}

// Text is the value of a key that is one word, as Set takes it; of a list, its
// items with commas; of a map, nothing, since it may hold secrets.
func (k Key) Text(c Config) string {
	v := k.of(&c)
	switch {
	case k.IsMap():
		return ""
	case k.IsList():
		items := make([]string, v.Len())
		for i := range items {
			items[i] = textOf(v.Index(i))
		}
		return strings.Join(items, ",")
	default:
		return textOf(v)
	}
}

func textOf(v reflect.Value) string {
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		text, err := m.MarshalText()
		if err != nil {
			return ""
		}
		return string(text)
	}
	return fmt.Sprint(v.Interface())
}

func (k Key) of(c *Config) reflect.Value { return reflect.ValueOf(c).Elem().FieldByIndex(k.index) }

func (k Key) parse(v reflect.Value, text string) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		if u.UnmarshalText([]byte(text)) != nil {
			return k.wrong(strconv.Quote(text))
		}
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		// As YAML 1.2 has it: true, True or TRUE.
		if !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false") {
			return k.wrong(strconv.Quote(text))
		}
		v.SetBool(strings.EqualFold(text, "true"))
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return k.wrong(strconv.Quote(text))
		}
		v.SetInt(int64(n))
	}
	return nil
}

func (k Key) wrong(got string) ConfigError { return ConfigError{Key: k.Name, Got: got, Want: k.Want()} }

// Want tells in words what the key takes.
func (k Key) Want() string {
	if len(k.Enum) > 0 {
		last := len(k.Enum) - 1
		return strings.Join(k.Enum[:last], ", ") + " or " + k.Enum[last]
	}
	switch k.typ {
	case reflect.TypeFor[Duration]():
		return "a duration with its unit, from " + k.min + " to " + k.max
	case reflect.TypeFor[ByteSize]():
		return "a size with its unit, from " + k.min + " to " + k.max
	case reflect.TypeFor[Lookback](): // max is a year: nobody reaches it but by mistake
		return `a duration with its unit, such as 5m, or "all"`
	case reflect.TypeFor[[]SystemdUnit]():
		return "a list of systemd units, such as containerd.service"
	case reflect.TypeFor[[]Identifier]():
		return "a list of syslog identifiers, such as kubelet"
	case reflect.TypeFor[[]SourceFile]():
		return "a list of absolute paths, each with or without containerd:, kubelet:, crio: or dockerd: before it"
	}
	switch k.typ.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number from " + k.min + " to " + k.max
	case reflect.Map:
		return "names with values"
	default:
		return "text"
	}
}
