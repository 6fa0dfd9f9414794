package detect

import "bytes"

// Find returns the index of a byte of the next line in the block that a [Detector] of a
// log may have something to say about, or -1. It is the [logtail.Filter] of the
// agent: nearly every line of a node's log is noise, and this is all that is
// done for it.
//
// A line counts only in its program's own form, so its beginning is looked at first: a
// record of logrus, klog or JSON, alone or behind the envelope of a log system that
// names no other program. Whatever else is written to the same file ends there, and
// nearly all records by the first letter of their message. What is left is searched
// for phrases.
//
// It leaves out lines that say again what another one says: "Pulled image"
// beside "PullImage … returns image reference". explain hands every line to Detect.
func Find(block []byte) int {
	for from := 0; from < len(block); {
		line := block[from:]
		if n := bytes.IndexByte(line, '\n'); n >= 0 {
			line = line[:n]
		}
		if speaks, ok := recordSpeaks(line); speaks || !ok {
			if n := searched(line, ok); n >= 0 {
				return from + n
			}
		}
		from += len(line) + 1
	}
	return -1
}

// searched returns the index of a phrase in a line, or of its record if the phrase may
// follow on a later line. It is -1 if the line is no record and holds none behind an
// envelope.
func searched(line []byte, isRecord bool) int {
	begin := 0
	if !isRecord {
		e, ok := openEnvelope(line)
		if !ok || e.tag != nil && programs(string(e.tag)) == "" {
			return -1
		}
		begin = e.size
		if speaks, ok := recordSpeaks(line[begin:]); !ok || !speaks {
			return -1
		}
	}
	if n := phraseIn(line[begin:]); n >= 0 {
		return begin + n
	}
	if continues(line[begin:]) {
		return begin
	}
	return -1
}

// continues reports whether a record of klog goes on behind the line: its error, as in
// "Unhandled Error" err=<, or the specification of a container.
func continues(line []byte) bool {
	return (opensBlock(line) || opensSpec(line)) && klogHeader(line) > 0
}

// recordSpeaks reports whether a record has a message that begins like one that is
// known. ok is false if the line begins with no record.
func recordSpeaks(line []byte) (speaks, ok bool) {
	if len(line) == 0 {
		return false, true
	}
	switch line[0] {
	case 't':
		if level, message, ok := logfmtMessage(line); ok {
			return runtimeSpeaks(level, message), true
		}
		ok = startsLogfmt(line)
		return ok, ok
	case 'l':
		ok = startsLogfmt(line)
		return ok, ok
	case 'I', 'W', 'E', 'F':
		if looksKlog(line) {
			return klogSpeaks(line), true
		}
		return false, false
	case '{':
		return objectSpeaks(line), true
	}
	return false, false
}

// phraseIn returns the index of a phrase about pulls in a line, or -1. All those
// looked for have a "g" in common, which is rare in text that is mostly
// hexadecimal digits: one pass over its occurrences with a look at the neighbours
// is several times faster than one pass for each phrase.
func phraseIn(line []byte) int {
	for from := 0; ; {
		n := bytes.IndexByte(line[from:], 'g')
		if n < 0 {
			return -1
		}
		i := from + n
		if tells(line[:i], line[i+1:]) {
			return i
		}
		from = i + 1
	}
}

// tells reports whether the text before and after a "g" belongs to a phrase
// that is looked for.
func tells(before, after []byte) bool {
	if len(after) == 0 {
		return false
	}
	switch after[0] {
	case 'e':
		return has(before, "ma") && imagePhrase(before[:len(before)-2], after[1:])
	case ' ':
		// trying next host, Attempting next endpoint, Not continuing with pull
		// after error, Failed getting credential from external registry …,
		// initializing source docker://… (CRI-O's pause image), starting containerd,
		// Starting CRI-O, version
		return starts(after, " next host") || starts(after, " next endpoint for pull") ||
			starts(after, " with pull after") || starts(after, " credential from ") ||
			starts(after, " source docker://") ||
			(starts(after, ` containerd"`) || starts(after, ` containerd\`)) && has(before, "startin") || starts(after, " CRI-O, version")
	case '=':
		return starts(after, `="fetch failed`)
	case '"':
		return starts(after, `":"fetch failed`) || starts(after, `":"SyncLoop REMOVE`) || starts(after, `":"Kubelet version`)
	case 'o':
		return starts(after, "o:") && messageBehind(after[2:])
	}
	return false
}

// imagePhrase reports whether the text around "mage" makes it a phrase about
// pulling one.
func imagePhrase(before, after []byte) bool {
	if has(before, "I") {
		before = before[:len(before)-1]
		return has(before, "Pull") && pullImage(before, after) ||
			has(before, "Err") || // ErrImagePull, ErrImageNeverPull
			starts(after, "PullBackOff") ||
			starts(after, "InspectError") ||
			starts(after, "Name") && has(before, "Invalid") ||
			starts(after, "Status from image service") || starts(after, `Status "`)
	}
	if !has(before, "i") {
		return false
	}
	before = before[:len(before)-1]
	return has(before, "ulling ") || has(before, "pull ") || has(before, "sandbox ") ||
		has(before, "ensure ") || has(before, "credentials for ") ||
		starts(after, " pull failed for ") || starts(after, " pull may not succeed") ||
		starts(after, " status") && has(before, "to get ") ||
		starts(after, "s/create returned error")
}

// pullImage reports whether "PullImage" begins a message and an image or the
// kubelet's "from image service" follows, whatever the quotes, or is the request
// that CRI-O names on each of its lines; other names and sentences hold it too.
func pullImage(before, after []byte) bool {
	n := len(before) - len("Pull")
	if n > 0 && before[n-1] == '/' {
		return bytes.Contains(before[max(0, n-len("name=/runtime.v1alpha2.ImageService/")):], []byte("name=/runtime."))
	}
	if n > 0 && before[n-1] != '"' && before[n-1] != ' ' {
		return false
	}
	return starts(after, " \\") || starts(after, ` "`) || starts(after, " from image")
}

// messageBehind looks behind the file name of a klog header, as in
// `.go:2408] "SyncLoop REMOVE"`, for messages that hold no other phrase. "SyncLoop
// DELETE" has come before and says the same of a pod that still ends.
func messageBehind(line []byte) bool {
	const digits = 6
	n := bytes.IndexByte(line[:min(len(line), digits)], ']')
	if n < 0 || !starts(line[n:], "] ") {
		return false
	}
	message := bytes.TrimPrefix(line[n+len("] "):], []byte(`\`)) // within the record of a supervisor
	return starts(message, `"SyncLoop REMOVE`) || starts(message, `"Kubelet version`)
}

func starts(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

func has(b []byte, suffix string) bool {
	return len(b) >= len(suffix) && string(b[len(b)-len(suffix):]) == suffix
}
