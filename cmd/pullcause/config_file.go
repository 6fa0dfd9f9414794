package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"pullcause/agent"
)

// maxConfigFile bounds the configuration file, in bytes.
const maxConfigFile = 1 << 20

// file applies a YAML file.
func (l *loader) file(path string) {
	text, err := readBounded(path)
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("read configuration file: %w", err))
		return
	}
	l.text(path, text)
}

// text applies YAML. It walks the syntax tree with the table of keys instead of
// decoding into the struct: only so is each error found, and known with its line.
func (l *loader) text(path string, text []byte) {
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		l.errs = append(l.errs, syntaxError(path, err))
		return
	}
	f := &fileWalk{loader: l, path: path, keys: map[string]agent.Key{}, sections: map[string]bool{}, anchors: map[string]ast.Node{}}
	for _, key := range l.keys {
		f.keys[key.Name] = key
		for i, letter := range key.Name {
			if letter == '.' {
				f.sections[key.Name[:i]] = true
			}
		}
	}
	for i, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if i > 0 {
			f.fail(doc.Body, agent.ConfigError{Key: "file", Got: "a second document", Want: "one"})
			break
		}
		f.section("", doc.Body)
	}
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxConfigFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxConfigFile)
	}
	return os.ReadFile(path)
}

func syntaxError(path string, err error) error {
	if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil {
		return fmt.Errorf("%s:%d: not YAML: %s", path, e.GetToken().Position.Line, e.GetMessage())
	}
	return fmt.Errorf("%s: not YAML: %w", path, err)
}

type fileWalk struct {
	*loader
	path     string
	keys     map[string]agent.Key
	sections map[string]bool
	anchors  map[string]ast.Node
}

func (f *fileWalk) where(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, n.GetToken().Position.Line)
}

func (f *fileWalk) fail(n ast.Node, err error) { f.loader.fail(err, f.where(n)) }

// section walks the mapping that holds the keys below prefix.
func (f *fileWalk) section(prefix string, node ast.Node) {
	node = f.resolve(node)
	if node.Type() == ast.NullType {
		return
	}
	mapping, ok := node.(ast.MapNode)
	if !ok {
		name := strings.TrimSuffix(prefix, ".")
		if name == "" {
			name = "file"
		}
		f.fail(node, agent.ConfigError{Key: name, Got: describe(node), Want: "a mapping of keys"})
		return
	}
	for entries := mapping.MapRange(); entries.Next(); {
		name := prefix + entries.Key().GetToken().Value
		switch key, isKey := f.keys[name]; {
		case isKey:
			f.value(key, entries.Value())
		case f.sections[name]:
			f.section(name+".", entries.Value())
		default:
			f.errs = append(f.errs, unknown(f.where(entries.Key()), name, f.names()))
		}
	}
}

// names are all that may stand in the file.
func (f *fileWalk) names() []string {
	names := make([]string, 0, len(f.keys)+len(f.sections))
	for name := range f.keys {
		names = append(names, name)
	}
	for name := range f.sections {
		names = append(names, name)
	}
	return names
}

// value sets one key. A null leaves the default.
func (f *fileWalk) value(key agent.Key, node ast.Node) {
	node = f.resolve(node)
	at := origin{fromFile, f.where(node)}
	switch n := node.(type) {
	case *ast.NullNode:
	case *ast.SequenceNode:
		if items, ok := f.list(key, n); ok {
			f.apply(key, at, func(c *agent.Config) error { return key.SetList(c, items) })
		}
	case ast.MapNode:
		if entries, ok := f.mapping(key, n); ok {
			f.apply(key, at, func(c *agent.Config) error { return key.SetMap(c, entries) })
		}
	default:
		if text, ok := f.scalar(key, n); ok {
			f.apply(key, at, func(c *agent.Config) error { return key.Set(c, text) })
		}
	}
}

func (f *fileWalk) list(key agent.Key, node *ast.SequenceNode) ([]string, bool) {
	items := make([]string, 0, len(node.Values))
	for _, value := range node.Values {
		item, ok := f.scalar(key, value)
		if !ok {
			return nil, false
		}
		items = append(items, item)
	}
	return items, true
}

func (f *fileWalk) mapping(key agent.Key, node ast.MapNode) (map[string]string, bool) {
	entries := map[string]string{}
	for entry := node.MapRange(); entry.Next(); {
		value, ok := f.scalar(key, entry.Value())
		if !ok {
			return nil, false
		}
		entries[entry.Key().GetToken().Value] = value
	}
	return entries, true
}

// scalar is the text as it stands in the file, so that 1.20 stays 1.20.
func (f *fileWalk) scalar(key agent.Key, node ast.Node) (string, bool) {
	node = f.resolve(node)
	switch n := node.(type) {
	case *ast.NullNode:
		return "", true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case ast.ScalarNode:
		return n.GetToken().Value, true
	default:
		f.fail(node, agent.ConfigError{Key: key.Name, Got: describe(node) + " inside", Want: key.Want()})
		return "", false
	}
}

// resolve follows anchors, aliases and tags to what they stand for.
func (f *fileWalk) resolve(node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.AnchorNode:
		f.anchors[n.Name.GetToken().Value] = n.Value
		return f.resolve(n.Value)
	case *ast.AliasNode:
		if target, ok := f.anchors[n.Value.GetToken().Value]; ok {
			return target
		}
	case *ast.TagNode:
		return f.resolve(n.Value)
	}
	return node
}

func describe(node ast.Node) string {
	switch node.(type) {
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a mapping"
	case *ast.AliasNode:
		return "an alias without an anchor"
	default:
		return "one word"
	}
}

func marshalYAML(cfg agent.Config) ([]byte, error) {
	return yaml.MarshalWithOptions(cfg, yaml.IndentSequence(true))
}
