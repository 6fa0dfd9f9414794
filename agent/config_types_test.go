package agent

import (
	"testing"
	"time"
)

func TestDurationText(t *testing.T) {
	for text, d := range map[string]time.Duration{
		"0s": 0, "500ms": 500 * time.Millisecond, "1s": time.Second, "1m30s": 90 * time.Second, "5m": 5 * time.Minute,
		"1h": time.Hour, "1h0m5s": time.Hour + 5*time.Second, "10h30m": 10*time.Hour + 30*time.Minute, "20m": 20 * time.Minute, "-1m": -time.Minute,
	} {
		var read Duration
		if err := read.UnmarshalText([]byte(text)); err != nil || time.Duration(read) != d {
			t.Errorf("read %q: got %s, %v", text, time.Duration(read), err)
		}
		if got := Duration(d).String(); got != text {
			t.Errorf("write %s: got %q, want %q", d, got, text)
		}
	}
}

func TestSourceFileText(t *testing.T) {
	for text, want := range map[string]SourceFile{
		"/var/log/a.log":             {Path: "/var/log/a.log"},
		"/var/log/a:b.log":           {Path: "/var/log/a:b.log"},
		"kubelet:/var/log//k.log":    {Program: "kubelet", Path: "/var/log/k.log"},
		"containerd:/var/log/../c:d": {Program: "containerd", Path: "/var/c:d"},
		"crio:/a":                    {Program: "crio", Path: "/a"},
		"dockerd:/a":                 {Program: "dockerd", Path: "/a"},
	} {
		var got SourceFile
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a.log", "kubelet:", "kubelet:a.log", "docker:/a", "event:/a", ":/a:"} {
		var got SourceFile
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func FuzzConfigText(f *testing.F) {
	for _, text := range []string{"all", "5m", "-1h", "1h0m0s", "kubelet:/a", "/a/../b", "9223372036s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var back, look Lookback
		if look.UnmarshalText([]byte(text)) == nil {
			written, err := look.MarshalText()
			if err != nil || back.UnmarshalText(written) != nil || back != look {
				t.Errorf("%q: wrote %q, which reads as %+v", text, written, back)
			}
		}
		var file, again SourceFile
		if file.UnmarshalText([]byte(text)) == nil {
			written, err := file.MarshalText()
			if err != nil || again.UnmarshalText(written) != nil || again != file {
				t.Errorf("%q: wrote %q, which reads as %+v", text, written, again)
			}
		}
	})
}

func TestByteSize(t *testing.T) {
	for in, want := range map[string]string{
		"64MiB": "64MiB", "64 MiB": "64MiB", "1GiB": "1GiB", "1024KiB": "1MiB", "1MB": "1000000", "500KB": "500000", "1048576": "1MiB", "0": "0", "7B": "7",
	} {
		var b ByteSize
		if err := b.UnmarshalText([]byte(in)); err != nil || b.String() != want {
			t.Errorf("%q: got %s, %v; want %s", in, b, err, want)
		}
	}
	for _, in := range []string{"", "MiB", "-1MiB", "1.5MiB", "64 megabytes", "64M", "9223372036854775807GiB"} {
		var b ByteSize
		if err := b.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q: got %s, want an error", in, b)
		}
	}
}
