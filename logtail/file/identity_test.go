package file

import (
	"slices"
	"strings"
	"testing"

	"pullcause/logtail"
)

func TestFingerprint(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		head string
		size int
	}{
		"empty":           {"", 0},
		"first line half": {"time=", 0},
		"first line":      {"time=1\n", 7},
		"more lines":      {"time=1\nsecond\nthird", 7},
		"long first line": {long, headLen},
		"long and ended":  {long + "\n", headLen},
		"just long":       {long[:headLen], headLen},
		"nearly long":     {long[:headLen-1], 0},
		"nearly, ended":   {long[:headLen-1] + "\n", headLen},
	} {
		t.Run(name, func(t *testing.T) {
			fp := newFingerprint([]byte(c.head))
			if fp.size != c.size {
				t.Errorf("size: got %d, want %d", fp.size, c.size)
			}
			if !fp.fits([]byte(c.head)) || !fp.fits([]byte(c.head+"more")) {
				t.Error("got a fingerprint that does not fit its file, or not once that has grown")
			}
			if fp.size > 0 && (fp.fits([]byte("y"+c.head)) || fp.fits([]byte(c.head[:fp.size-1]))) {
				t.Error("got a fingerprint that fits another file")
			}
			back, err := parseFingerprint(fp.String())
			if err != nil || back != fp {
				t.Errorf("%s read back: got %v, error %v", fp, back, err)
			}
		})
	}
}

func TestStreamRefused(t *testing.T) {
	for s, want := range map[string]string{
		"":                       `stream "": got length "", want 0 to 256`,
		"257-0000000000000000":   `stream "257-0000000000000000": got length "257", want 0 to 256`,
		"-1-0000000000000000":    `stream "-1-0000000000000000": got length "", want 0 to 256`,
		"12-123":                 `stream "12-123": got checksum "123", want 16 hexadecimal digits`,
		"12-000000000000000g":    `stream "12-000000000000000g": got checksum "000000000000000g", want 16 hexadecimal digits`,
		"12-00000000000000000-1": `stream "12-00000000000000000-1": got checksum "00000000000000000-1", want 16 hexadecimal digits`,
	} {
		if _, err := newPlace(logtail.Position{Stream: s}); err == nil || err.Error() != want {
			t.Errorf("newPlace of stream %q: got error %v, want %q", s, err, want)
		}
	}
}

// FuzzPlace checks that no stored position does harm, and that what is accepted is
// written in the same way again.
func FuzzPlace(f *testing.F) {
	f.Add("118-5d41402abc4b2a76", "fe00-985127-18eae26c7c4d89f8-18eae26f11bf4e02", int64(4711))
	f.Add("118-5d41402abc4b2a76", "fe00-985127-18eae26c7c4d89f8-18eae26f11bf4e02-1267-100-9c1185a5c5e9fc54", int64(4711))
	f.Add("0-0000000000000000", "1-2-3-4-5-6-7", int64(0))
	f.Add("0-0000000000000000", "", int64(0))
	f.Add("256-ffffffffffffffff", "0-0-0", int64(-1))
	f.Add("+1-00000000000000_1", "--", int64(1)<<62)
	f.Fuzz(func(t *testing.T, stream, hint string, off int64) {
		p, err := newPlace(logtail.Position{Stream: stream, Offset: off, Hint: hint})
		if err != nil {
			return
		}
		if p.fp.size > headLen || p.offset < 0 {
			t.Errorf("stream %q, offset %d: got %+v", stream, off, p)
		}
		again, err := newPlace(logtail.Position{Stream: p.fp.String(), Offset: p.offset, Hint: p.hint.String()})
		if err != nil || again != p {
			t.Errorf("stream %q, hint %q: got %+v, written and read again %+v, error %v", stream, hint, p, again, err)
		}
	})
}

func FuzzFingerprint(f *testing.F) {
	f.Add([]byte("time=1\nmore"), []byte("and more"))
	f.Add([]byte{0, 0, 0}, []byte("\n"))
	f.Fuzz(func(t *testing.T, head, more []byte) {
		fp := newFingerprint(head)
		grown := append(append([]byte{}, head...), more...)
		if !fp.fits(grown) {
			t.Errorf("fingerprint of %q does not fit the file once it has grown by %q", head, more)
		}
		if after := newFingerprint(grown); fp.size > 0 && after != fp {
			t.Errorf("fingerprint of %q: got %v, and %v once the file has grown by %q; want the same", head, fp, after, more)
		}
		if whole := wholeFingerprint(head[:min(len(head), headLen)]); !whole.fits(head) {
			t.Errorf("fingerprint of all of %q does not fit it", head)
		}
	})
}

func TestIsRotated(t *testing.T) {
	for _, c := range []struct {
		base, name string
		want       bool
	}{
		{"x.log", "x.log", false},
		{"x.log", "x.log.1", true},
		{"x.log", "x.log.12", true},
		{"x.log", "x.log-20260102", true},            // logrotate dateext
		{"x.log", "x.log-20260102-1767366000", true}, // logrotate dateformat
		{"x.log", "x.log.2026-01-02", true},
		{"x.log", "x.log.old", true},
		{"x.log", "x.log.bak", true},
		{"x.log", "x.log~", true},
		{"0.log", "0.log.20260102-150405", true},                               // kubelet
		{"0.log", "0.log.20260102-150405.gz", false},                           // kubelet
		{"0.log", "0.log.20260102-150405.tmp", false},                          // kubelet, being compressed
		{"containerd.log", "containerd-2026-01-02T15-04-05.000.log", true},     // lumberjack
		{"containerd.log", "containerd-2026-01-02T15-04-05.000.log.gz", false}, // lumberjack
		{"kubelet", "kubelet.1", true},
		{"kube.log", "kube-proxy.log", false},
		{"kube.log", "kube.log.proxy", false},
		{"kube.log", "kubelet.log.1", false},
		{"x.log", "x.log.", false},
		{"x.log", "x.log1", false},
		{"x.log", "x-1.log", true},
		{"x.log", "x-1.txt", false},
		{"x.log", ".x.log.1.swp", false},
	} {
		if got := isRotated(c.base, c.name); got != c.want {
			t.Errorf("isRotated(%q, %q): got %t, want %t", c.base, c.name, got, c.want)
		}
	}
}

func TestOlder(t *testing.T) {
	for _, c := range []struct{ older, newer string }{
		{"x.log.2", "x.log.1"},
		{"x.log.10", "x.log.9"},
		{"x.log-20260102", "x.log-20260103"},
		{"x.log.20260102-150405", "x.log.20260102-150406"},
		{"x-2026-01-02T15-04-05.000.log", "x-2026-01-02T15-04-05.001.log"},
	} {
		a, b := sibling{path: c.older}, sibling{path: c.newer}
		if older(a, b) >= 0 || older(b, a) <= 0 {
			t.Errorf("written in the same tick: got %q not before %q", c.older, c.newer)
		}
	}
}

func TestKnown(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range Known("/host") {
		if !strings.HasPrefix(c.Path, "/host/var/") || seen[c.Path] || c.Distribution == "" || c.Evidence == "" {
			t.Errorf("candidate %+v: want a path below /host/var, once, with where it is found and how that is known", c)
		}
		seen[c.Path] = true
	}
	for _, path := range []string{
		"/host/var/lib/rancher/k3s/agent/containerd/containerd.log",
		"/host/var/lib/rancher/rke2/agent/logs/kubelet.log",
		"/host/var/log/k3s.log",
	} {
		if !seen[path] {
			t.Errorf("got no candidate %s", path)
		}
	}
}

func TestPredecessorsAreStoredAndRead(t *testing.T) {
	p := predecessors{known: true}
	for i := range maxPredecessors {
		p.add(uint64(i), int64(i))
		if got := parsePredecessors("1-2-3-4-5-6-7" + p.String()); !got.known || !slices.Equal(got.keys, p.keys) {
			t.Fatalf("of %d: got %+v, want %+v", i+1, got, p)
		}
	}
	p.add(1000, 1)
	for _, hint := range []string{
		"", "1-2-3-4", "1-2-3-4-5-6-7" + p.String(), "1-2-3-4-5-6-7-2-a", "1-2-3-4-5-6-7-1-zz", "1-2-3-4-5-6-7-ffff", "1-2-3-4-5-6-7-1-fffffffff",
	} {
		if got := parsePredecessors(hint); got.known {
			t.Errorf("%q: got %+v, want nothing known", hint, got)
		}
	}
}
