package detect

import (
	"bytes"
	"strings"
)

// envelope is what a log system writes in front of a program's line.
type envelope struct {
	size int
	// tag is the name of the program (RFC 3164 section 4.1.3), nil where the log system
	// writes none.
	tag []byte
}

// openEnvelope reads the envelope at the beginning of a line: a timestamp and then
// host and tag, as rsyslog 8 (RSYSLOG_TraditionalFileFormat, RSYSLOG_FileFormat) and
// journalctl -o short, short-iso and short-full write them, or stream and tag, as a
// CRI log has (kubernetes v1.37.2 staging/src/k8s.io/cri-client/pkg/logs/logs.go
// parseCRILog). ok is false if the line begins in another way.
func openEnvelope(line []byte) (e envelope, ok bool) {
	n := stampEnd(line)
	if n == 0 {
		return e, false
	}
	first, rest := cutWord(line[n:])
	if s := string(first); s == "stdout" || s == "stderr" {
		flag, rest := cutWord(rest)
		return envelope{size: len(line) - len(rest)}, starts(flag, "F") || starts(flag, "P")
	}
	tag := first
	if !has(tag, ":") { // it is the host
		tag, rest = cutWord(rest)
	}
	tag, ok = bytes.CutSuffix(tag, []byte(":"))
	if i := bytes.IndexByte(tag, '['); ok && i >= 0 {
		ok, tag = has(tag, "]"), tag[:i]
	}
	return envelope{size: len(line) - len(rest), tag: tag}, ok && len(tag) > 0
}

// cutWord takes a word and the one space behind it off the front of b. Words of
// envelopes are short.
func cutWord(b []byte) (word, rest []byte) {
	const longest = 256
	n := bytes.IndexByte(b[:min(len(b), longest)], ' ')
	if n < 0 {
		return nil, nil
	}
	return b[:n], b[n+1:]
}

// stampEnd is the length of the timestamp at the beginning of a line with the space
// behind it, 0 if there is none: "2026-11-23T22:48:47Z ", "2026-11-23 22:48:47 ",
// "Nov 23 22:48:47 " in any language, "Mon 2026-11-23 22:48:47 UTC ".
func stampEnd(line []byte) int {
	const longest = len("2026-11-23T22:48:47.623221596+00:00")
	first, rest := cutWord(line[:min(len(line), 4*longest)])
	rest = bytes.TrimLeft(rest, " ")
	switch {
	case len(rest) == 0:
		return 0
	case isDate(first):
		if len(first) >= len("2026-11-23T22:48:47") && first[len("2026-11-23")] == 'T' && isClock(first[len("2026-11-23T"):len("2026-11-23T22:48:47")]) {
			return len(first) + 1
		}
		return behind(line, rest, len(first) == len("2026-11-23"))
	case rest[0] < '0' || rest[0] > '9':
		return 0
	}
	second, rest := cutWord(rest)
	n := behind(line, rest, isDate(second) || len(second) <= 2 && digits(second) > 0)
	if n == 0 || !isDate(second) {
		return n
	}
	zone, _ := cutWord(line[n:])
	return n + len(zone) + 1
}

// behind is where the line goes on behind the clock that rest begins with, a part of
// the line near its beginning. It is 0 if there is no clock, or no date before it.
func behind(line, rest []byte, date bool) int {
	clock, after := cutWord(rest)
	if !date || !isClock(clock) {
		return 0
	}
	return bytes.Index(line, clock) + len(clock) + min(1, len(after))
}

// isDate reports whether b begins with a date as in "2026-11-23".
func isDate(b []byte) bool {
	return len(b) >= len("2026-11-23") && b[4] == '-' && b[7] == '-' && digits(b[:4]) > 0 && digits(b[5:7]) > 0 && digits(b[8:10]) > 0
}

// isClock reports whether b is a time of day as in "22:48:47" or "22:48:47.623".
func isClock(b []byte) bool {
	_, ok := clockTime(b)
	return ok
}

// programs maps the names of processes, tags and units to the programs of signals.
func programs(name string) string {
	name = strings.TrimPrefix(strings.TrimSuffix(name, ".service"), "snap.")
	switch name {
	case "containerd", "cri-containerd", "docker-containerd", "host-containerd", "microk8s.daemon-containerd":
		return Containerd
	case "kubelet", "hyperkube", "kubelite", "microk8s.daemon-kubelite", "kubelet-wrapper", "start-kubelet.sh",
		"kubenswrapper", "localkube",
		"k3s", "k3s-agent", "k3s-server", "rke2", "rke2-agent", "rke2-server",
		"k0s", "k0scontroller", "k0sworker", "cri-client":
		return Kubelet
	case "crio", "cri-o":
		return CRIO
	case "dockerd", "docker", "dockerd-current", "cri-dockerd", "cri-docker":
		return Dockerd
	}
	if strings.HasPrefix(name, "k0s-v") { // the file as it was downloaded, with its version
		return Kubelet
	}
	return ""
}
