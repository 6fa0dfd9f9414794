package chart

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// valuesMark is where the table of values stands in the template of the README.
const valuesMark = "<!-- values -->"

// Readme is README.md: its template, with a table of all values.
func Readme(template []byte, values []Value) []byte {
	var table strings.Builder
	table.WriteString("| value | default | what it is |\n|---|---|---|\n")
	for _, v := range values {
		cell := strings.NewReplacer("|", `\|`)
		fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", v.Name, cell.Replace(v.Default), cell.Replace(v.Doc))
	}
	return bytes.Replace(template, []byte(valuesMark+"\n"), []byte(table.String()), 1)
}

// Files are all files that are made of the chart's others, by their path below deploy/.
func (c *Chart) Files() (map[string][]byte, error) {
	values, err := c.Values()
	if err != nil {
		return nil, err
	}
	base, err := readFile("schema.yaml")
	if err != nil {
		return nil, err
	}
	schema, err := Schema(base, values)
	if err != nil {
		return nil, err
	}
	readme, err := readFile(filepath.Join(c.Dir, "README.md.tmpl"))
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"helm/pullcause/values.schema.json": schema,
		"helm/pullcause/README.md":          Readme(readme, values),
	}, nil
}

// Manifests are the files of deploy/manifests: the chart's defaults, and a folder
// for each preset. A folder is what kubectl apply -k takes.
func (c *Chart) Manifests() (map[string][]byte, error) {
	presets, err := c.Presets()
	if err != nil {
		return nil, err
	}
	presets["."] = nil
	files := map[string][]byte{}
	for _, preset := range slices.Sorted(maps.Keys(presets)) {
		r, err := c.Render(presets[preset], OldestKubernetes)
		if err != nil {
			return nil, fmt.Errorf("preset %s: %w", preset, err)
		}
		folder := filepath.Join("manifests", preset)
		from := "the chart's defaults"
		if preset != "." {
			from = "presets/" + preset + ".yaml"
		}
		header := "# Made of deploy/helm/pullcause with " + from + "; see docs/install.md.\n"
		text := strings.ReplaceAll(strings.Join(r.Objects(), "---\n"), "managed-by: Helm\n", "managed-by: kustomize\n")
		files[filepath.Join(folder, "pullcause.yaml")] = []byte(header + text)
		files[filepath.Join(folder, "namespace.yaml")] = []byte(header + namespaceManifest)
		files[filepath.Join(folder, "kustomization.yaml")] = []byte(header + kustomization)
	}
	return files, nil
}

const namespaceManifest = `apiVersion: v1
kind: Namespace
metadata:
  name: ` + Namespace + `
  labels:
    # The pods mount folders of the node, which all other levels forbid.
    pod-security.kubernetes.io/enforce: privileged
`

const kustomization = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - namespace.yaml
  - pullcause.yaml
`

// write replaces the files below dir.
func write(dir string, files map[string][]byte) error {
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}
