package chart

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every value is used by a template, and no template uses another.
func TestValuesAreUsed(t *testing.T) {
	c := load(t)
	values, err := c.Values()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, v := range values {
		known[v.Name] = false
	}
	used := regexp.MustCompile(`\.Values\.([A-Za-z0-9.]*[A-Za-z0-9])`)
	// Two sections that are gone through in a loop.
	alias := map[string][]string{
		"otlp.logs":    {"otlp.logs.endpoint", "otlp.logs.protocol"},
		"otlp.metrics": {"otlp.metrics.endpoint", "otlp.metrics.protocol"},
		"resources":    {"resources.requests", "resources.limits"},
	}
	templates, err := filepath.Glob(filepath.Join(chartDir, "templates", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range templates {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllStringSubmatch(string(text), -1) {
			name := match[1]
			names := alias[name]
			if names == nil {
				names = []string{name}
			}
			for _, name := range names {
				if name = nearestKnown(known, name); name == "" {
					t.Errorf("%s uses .Values.%s, which values.yaml does not have", filepath.Base(file), match[1])
					continue
				}
				known[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if !known[name] {
			t.Errorf("no template uses %s", name)
		}
	}
}

// nearestKnown is name, or the value that it is a part of.
func nearestKnown(known map[string]bool, name string) string {
	for ; name != ""; name = name[:max(0, strings.LastIndexByte(name, '.'))] {
		if _, ok := known[name]; ok {
			return name
		}
	}
	return ""
}
