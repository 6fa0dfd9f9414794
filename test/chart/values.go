package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// Value is a documented key of values.yaml.
type Value struct {
	Name string // otlp.logs.endpoint
	// Default is YAML on one line.
	Default string
	Doc     string
}

// docMark begins the comment that documents a key.
const docMark = "# --"

// Values are the documented keys in the order of values.yaml. A key without such a
// comment is a section, and each of its keys is documented.
func (c *Chart) Values() ([]Value, error) {
	text, err := readFile(filepath.Join(c.Dir, "values.yaml"))
	if err != nil {
		return nil, err
	}
	var doc yamlv3.Node
	if err := yamlv3.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("values.yaml: %w", err)
	}
	return documented(doc.Content[0], "")
}

func documented(node *yamlv3.Node, prefix string) ([]Value, error) {
	var all []Value
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := prefix + key.Value
		if doc, ok := docOf(key.HeadComment); ok {
			flow, err := onOneLine(value)
			if err != nil {
				return nil, fmt.Errorf("values.yaml: %s: %w", name, err)
			}
			all = append(all, Value{Name: name, Default: flow, Doc: doc})
			continue
		}
		if value.Kind != yamlv3.MappingNode || len(value.Content) == 0 {
			return nil, fmt.Errorf("values.yaml:%d: %s has no comment that begins with %q", key.Line, name, docMark)
		}
		below, err := documented(value, name+".")
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	return all, nil
}

// docOf joins the lines from the mark on; what stands before it is for whoever
// reads the file.
func docOf(comment string) (doc string, ok bool) {
	_, doc, ok = strings.Cut(comment, docMark)
	lines := strings.Split(doc, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(strings.TrimPrefix(line, "#"))
	}
	return strings.TrimSpace(strings.Join(lines, " ")), ok
}

func onOneLine(node *yamlv3.Node) (string, error) {
	var plain func(n yamlv3.Node) *yamlv3.Node
	plain = func(n yamlv3.Node) *yamlv3.Node {
		n.HeadComment, n.LineComment, n.FootComment = "", "", ""
		n.Style |= yamlv3.FlowStyle
		content := n.Content
		n.Content = nil
		for _, below := range content {
			n.Content = append(n.Content, plain(*below))
		}
		return &n
	}
	text, err := yamlv3.Marshal(plain(*node))
	return strings.Join(strings.Fields(string(text)), " "), err
}

func readFile(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return text, nil
}
