package hostconf

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// node writes files below a new host root.
func node(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func reader(root, runtime string) *Reader {
	return New(Config{HostRoot: root, Runtime: func() string { return runtime }})
}

// row is a host in one line: role, URL, what is not the default, and where it
// stands.
func row(h Host) string {
	out := h.Role + " " + h.Host + " " + h.URL
	if caps := strings.Join(h.Capabilities, ","); caps != "pull,resolve,push" {
		out += " " + caps
	}
	for _, ca := range h.CA {
		out += " ca=" + ca
	}
	if h.ClientCert {
		out += " client"
	}
	if h.SkipVerify {
		out += " skip_verify"
	}
	if h.OverridePath {
		out += " override_path"
	}
	if h.HTTPFallback {
		out += " then-http"
	}
	if h.PullFrom != "" {
		out += " " + h.PullFrom
	}
	if h.File != "" {
		out += fmt.Sprintf(" %s:%d", h.File, h.Line)
	}
	return out
}

func rows(list List) []string {
	var out []string
	for _, h := range list.Hosts {
		out = append(out, row(h))
	}
	return out
}

func problems(list List) []string {
	var out []string
	for _, p := range list.Problems {
		out = append(out, fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text))
	}
	return out
}

// lookCase is a node's files, and what they mean for a registry.
type lookCase struct {
	name     string
	registry string // docker.io if empty
	files    map[string]string
	read     []string // not compared if nil
	hosts    []string
	problems []string
}

func (c *lookCase) run(t *testing.T, runtime string) {
	t.Helper()
	if c.registry == "" {
		c.registry = "docker.io"
	}
	list := reader(node(t, c.files), runtime).Effective(c.registry)
	if diff := cmp.Diff(c.hosts, rows(list)); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(c.problems, problems(list)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if c.read == nil {
		return
	}
	if diff := cmp.Diff(c.read, list.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// certificate returns a certificate as PEM.
func certificate(t testing.TB) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(nil, &template, &template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
