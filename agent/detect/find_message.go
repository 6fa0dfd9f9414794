package detect

import "bytes"

// runtimeSpeaks reports whether a message of logrus begins as those do that
// containerd.go, crio.go and dockerd.go read, or is a record of its own. level is the
// first letter of its level.
func runtimeSpeaks(level byte, rest []byte) bool {
	if len(rest) == 0 {
		return false
	}
	switch rest[0] {
	case 'P':
		return starts(rest, "Pull") || starts(rest, "Ping ")
	case 's':
		return starts(rest, "stop pulling image ") || starts(rest, `starting containerd"`)
	case 'S':
		return starts(rest, "Starting CRI-O, ")
	case 'R':
		return starts(rest, "RunPodSandbox for ") && level == 'e' || starts(rest, "Response error: ")
	case 'c':
		return starts(rest, "cancel pulling image ")
	case 't':
		return starts(rest, "trying next host") || starts(rest, "time=")
	case 'f':
		return starts(rest, "fetch failed")
	case 'p':
		return starts(rest, "pulling image")
	case 'E':
		return starts(rest, "Error pulling image ") || wrapsRecord(rest)
	case 'T':
		return starts(rest, "Timed out on waiting up to ")
	case 'N':
		return starts(rest, "Not continuing with pull ")
	case 'A':
		return starts(rest, "Attempting next endpoint ")
	case 'I':
		return starts(rest, "Ignoring extra error ") || wrapsRecord(rest)
	case 'D':
		return starts(rest, "Download failed, retrying")
	case 'H':
		return starts(rest, "Handler for POST ")
	}
	return wrapsRecord(rest)
}

// logfmtMessage looks behind `time="2026-11-23T22:48:47.623221596Z" level=info msg="`.
// It returns the first letter of the level; ok is false if the line begins otherwise.
func logfmtMessage(line []byte) (level byte, message []byte, ok bool) {
	const begin, shortest, longest = `time="`, 20, 40
	if !starts(line, begin) || len(line) < longest+len(" level=warning msg=") {
		return 0, nil, false
	}
	n := len(begin) + len("2026-11-23T22:48:47.623221596Z") // containerd's in UTC
	if line[n] != '"' {
		if n = bytes.IndexByte(line[shortest:len(begin)+longest], '"'); n < 0 {
			return 0, nil, false
		}
		n += shortest
	}
	rest := line[n:]
	if !starts(rest, `" level=`) {
		return 0, nil, false
	}
	rest = rest[len(`" level=`):]
	n = bytes.IndexByte(rest[:min(len(rest), len("warning "))], ' ')
	if n <= 0 || !starts(rest[n:], ` msg="`) {
		return 0, nil, false
	}
	return rest[0], rest[n+len(` msg="`):], true
}

// wrapsRecord reports whether a message may itself be a record of another program:
// JSON, or a klog line.
func wrapsRecord(message []byte) bool {
	return message[0] == '{' || message[0] == '\\' || len(message) > 1 && (message[1] == '0' || message[1] == '1')
}

// klogPrefix is the length of "E1123 22:48:47.626250 ".
const klogPrefix = len("E0000 00:00:00.000000 ")

// looksKlog is a cheap test for the header of klog.
func looksKlog(line []byte) bool {
	return len(line) > klogPrefix && line[1] >= '0' && line[1] <= '1' && line[5] == ' ' && line[klogPrefix-1] == ' '
}

// klogSpeaks looks behind `I1123 22:48:47.626250   21023 kubelet.go:2493] "`.
func klogSpeaks(line []byte) bool {
	const shortest, longest = klogPrefix, 100
	n := bytes.IndexByte(line[shortest:min(len(line), longest)], ']')
	if n < 0 || !starts(line[shortest+n:], `] "`) {
		return true
	}
	return kubeletSpeaks(line[shortest+n+len(`] "`):])
}

// kubeletSpeaks reports whether a structured message begins like one that kubelet.go
// reads.
func kubeletSpeaks(rest []byte) bool {
	if len(rest) == 0 {
		return false
	}
	switch rest[0] {
	case 'P':
		return starts(rest, "PullImage from ")
	case 'F':
		return starts(rest, "Failed ")
	case 'E':
		return starts(rest, "Error syncing pod") || starts(rest, "Event occurred")
	case 'U':
		return starts(rest, "Unhandled Error") || starts(rest, "Unable to retrieve pull secret")
	case 'C':
		return starts(rest, "Container start failed") || starts(rest, "CreatePodSandbox ")
	case 'R':
		return starts(rest, "RunPodSandbox from ")
	case 'G':
		return starts(rest, "Get ImageStatus ")
	case 'I':
		return starts(rest, "ImageStatus ")
	case 'K':
		return starts(rest, "Kubelet version")
	case 'S':
		return starts(rest, "SyncLoop REMOVE")
	}
	return false
}

// objectSpeaks looks at the line or message in a JSON object: of docker's json-file,
// of journalctl, of a runtime, of the kubelet.
func objectSpeaks(line []byte) bool {
	if rest, ok := bytes.CutPrefix(line, []byte(`{"log":"`)); ok {
		return beginsRecord(rest)
	}
	if rest, ok := behindKey(line, `"msg":"`); ok {
		return runtimeSpeaks('e', rest) || kubeletSpeaks(rest) || kubeletTextSpeaks(rest)
	}
	rest, ok := behindKey(line, `"MESSAGE":"`)
	return ok && beginsRecord(rest)
}

// behindKey is what stands behind the first occurrence of a key.
func behindKey(line []byte, key string) (value []byte, ok bool) {
	_, value, ok = bytes.Cut(line, []byte(key))
	return value, ok
}

// beginsRecord reports whether a record begins here, the quotes of which are escaped.
func beginsRecord(b []byte) bool {
	return starts(b, `time=`) || starts(b, `level=`) || starts(b, `{\"`) || looksKlog(b)
}

// kubeletTextSpeaks reports whether an unstructured message, which JSON has as msg,
// begins like one that kubelet_text.go reads.
func kubeletTextSpeaks(message []byte) bool {
	for _, begin := range [...]string{
		"Error syncing pod", "Event(", "SyncLoop (", "container ", "init container ", "ephemeral container ",
		"Failed ", "Unable to retrieve ", "PullImage ", "ImageStatus ", "Pull image ", "RunPodSandbox ",
		"CreatePodSandbox ", "createPodSandbox ",
	} {
		if starts(message, begin) {
			return true
		}
	}
	return false
}
