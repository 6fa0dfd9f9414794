package hostconf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// lines is a tree of the keys of a TOML document and of the lines they stand
// in. An array of tables has its tables as items.
type lines struct {
	line  int
	keys  map[string]*lines
	items []*lines
}

// decode parses data into value and returns where its keys stand.
func decode(data []byte, value any) (*lines, error) {
	if err := toml.Unmarshal(data, value); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return linesOf(data), nil
}

// linesOf walks the expressions of a document that is known to be valid.
func linesOf(data []byte) *lines {
	root := &lines{line: 1}
	table := root
	var p unstable.Parser
	p.Reset(data)
	count := lineCounter{data: data}
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			table = root.descend(e.Key(), &count, false)
		case unstable.ArrayTable:
			table = root.descend(e.Key(), &count, true)
		case unstable.KeyValue:
			table.add(e, &count)
		}
	}
	return root
}

// lineCounter turns offsets that only grow into lines: asking the parser for
// each would read the file from its start each time.
type lineCounter struct {
	data         []byte
	offset, line int
}

func (c *lineCounter) at(offset uint32) int {
	for ; c.offset < min(int(offset), len(c.data)); c.offset++ {
		if c.data[c.offset] == '\n' {
			c.line++
		}
	}
	return c.line + 1
}

// add notes a key, and those of an inline table.
func (l *lines) add(e *unstable.Node, count *lineCounter) {
	at := l.descend(e.Key(), count, false)
	value := e.Value()
	if value.Kind != unstable.InlineTable {
		return
	}
	for it := value.Children(); it.Next(); {
		if it.Node().Kind == unstable.KeyValue {
			at.add(it.Node(), count)
		}
	}
}

// descend follows a key from a table, and makes what is not there yet. In an
// array of tables it goes to the last table, or starts a new one at the end.
func (l *lines) descend(key unstable.Iterator, count *lineCounter, newItem bool) *lines {
	for key.Next() {
		node := key.Node()
		line := count.at(node.Raw.Offset)
		next := l.keys[string(node.Data)]
		if next == nil {
			next = &lines{line: line}
			if l.keys == nil {
				l.keys = map[string]*lines{}
			}
			l.keys[string(node.Data)] = next
		}
		last := key.IsLast()
		if last && newItem {
			next.items = append(next.items, &lines{line: line})
		}
		if n := len(next.items); n > 0 {
			next = next.items[n-1]
		}
		l = next
	}
	return l
}

// at returns the line of the key at path, or of the last part of it that is
// there. "#1" is the second table of an array.
func (l *lines) at(path ...string) int {
	for _, key := range path {
		next := l.keys[key]
		if rest, ok := strings.CutPrefix(key, "#"); ok {
			if i, err := strconv.Atoi(rest); err == nil && i < len(l.items) {
				next = l.items[i]
			}
		}
		if next == nil {
			break
		}
		l = next
	}
	return l.line
}

// tomlProblem returns the line and the text of a parser's error. The parser's
// own words are left out where they may quote the file, which may hold
// passwords.
func tomlProblem(err error) (line int, text string) {
	e, ok := errors.AsType[*toml.DecodeError](err)
	if !ok {
		return 0, "it is not TOML"
	}
	line, column := e.Position()
	message := e.Error()
	switch {
	case strings.Contains(message, "already"):
		text = "a key or table stands there twice; keep one of them"
	case strings.Contains(message, "cannot decode") || strings.Contains(message, "type mismatch"):
		text = "the value has the wrong type; compare it with the runtime's manual"
	default:
		text = "it is not TOML there; look for a missing quote, bracket or equals sign"
	}
	return line, fmt.Sprintf("column %d: %s", column, text)
}

type unknownKey struct {
	name string
	line int
}

// unknownKeys returns the keys of data that value has no field for. Only plain
// names are returned: others may hold anything.
func unknownKeys(data []byte, value any) []unknownKey {
	err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(value)
	missing, ok := errors.AsType[*toml.StrictMissingError](err)
	if !ok {
		return nil
	}
	var unknown []unknownKey
	for i := range missing.Errors {
		e := &missing.Errors[i]
		key := e.Key()
		name := key[0]
		if name == "host" && len(key) > 2 {
			name = key[2]
		}
		line, _ := e.Position()
		seen := slices.ContainsFunc(unknown, func(k unknownKey) bool { return k.name == name })
		if isPlain(name) && !seen && len(unknown) < maxProblems {
			unknown = append(unknown, unknownKey{name: name, line: line})
		}
	}
	return unknown
}

func isPlain(key string) bool {
	return len(key) <= 40 && isLabel(strings.ReplaceAll(strings.Trim(key, "_"), "_", "-"))
}
