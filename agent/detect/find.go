package detect

import "bytes"

// Find returns the index of a byte of the next line in the block that [Detect]
// may have something to say about, or -1. It is the [logtail.Filter] of the
// agent: nearly every line of a node's log is noise, and this is all that is
// done for it.
//
// The two formats that make up a node's log are told by the beginning of a line,
// and nearly all of their lines are noise by the first letter of the message. What
// is left, and every other format, is searched for phrases.
//
// It leaves out lines that say again what another one says: "Pulled image"
// beside "PullImage … returns image reference". Events of kubectl are not
// searched for either; explain hands every line to Detect.
func Find(block []byte) int {
	for from := 0; from < len(block); {
		line := block[from:]
		if n := bytes.IndexByte(line, '\n'); n >= 0 {
			line = line[:n]
		}
		if maySpeak(line) {
			if n := phraseIn(line); n >= 0 {
				return from + n
			}
			if klogBlock(line) {
				return from
			}
		}
		from += len(line) + 1
	}
	return -1
}

// klogBlock reports whether a line of klog ends before its error does, in which the
// phrase may be: "Unhandled Error" err=<.
func klogBlock(line []byte) bool {
	return opensBlock(line) && klogHeader(line) > 0
}

// maySpeak reports whether a line of logrus or klog has a message that begins
// like one that Detect knows; it knows nothing against lines of other formats.
func maySpeak(line []byte) bool {
	if len(line) == 0 {
		return false
	}
	switch line[0] {
	case 't':
		return logfmtSpeaks(line)
	case 'I', 'W', 'E', 'F':
		return klogSpeaks(line)
	}
	return true
}

// logfmtSpeaks reports whether the message of a logrus line begins as those do that
// containerd.go, crio.go, dockerd.go and client.go read.
func logfmtSpeaks(line []byte) bool {
	level, rest, ok := logfmtMessage(line)
	if !ok || len(rest) == 0 {
		return !ok
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

// klogSpeaks looks behind `I1123 22:48:47.626250   21023 kubelet.go:2493] "`.
func klogSpeaks(line []byte) bool {
	const shortest, longest = len("E0000 00:00:00.000000 "), 100
	if len(line) <= shortest || line[1] < '0' || line[1] > '1' || line[shortest-1] != ' ' {
		return true
	}
	n := bytes.IndexByte(line[shortest:min(len(line), longest)], ']')
	if n < 0 || !starts(line[shortest+n:], `] "`) {
		return true
	}
	rest := line[shortest+n+len(`] "`):]
	if len(rest) == 0 {
		return false
	}
	// As kubelet.go reads them.
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
