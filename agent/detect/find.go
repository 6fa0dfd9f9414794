package detect

import "bytes"

// Find returns the index of a byte of the next line in the block that [Detect]
// may have something to say about, or -1. It is the [logtail.Filter] of the
// agent: nearly every line of a node's log is noise, and this is all that is
// done for it.
//
// All the phrases looked for have a "g" in common, which is rare in logs that
// are mostly hexadecimal digits. One pass over its occurrences with a look at
// the neighbours is several times faster than one pass for each phrase.
//
// It leaves out lines that say again what another one says: "Pulled image"
// beside "PullImage … returns image reference". Events of kubectl are not
// searched for either; explain hands every line to Detect.
func Find(block []byte) int {
	for from := 0; ; {
		n := bytes.IndexByte(block[from:], 'g')
		if n < 0 {
			return -1
		}
		i := from + n
		if tells(block[:i], block[i+1:]) {
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
		// initializing source docker://… (CRI-O's pause image)
		return starts(after, " next host") || starts(after, " next endpoint for pull") ||
			starts(after, " with pull after") || starts(after, " credential from ") ||
			starts(after, " source docker://")
	case '=':
		return starts(after, `="fetch failed`)
	case '"':
		return starts(after, `":"fetch failed`) || starts(after, `":"SyncLoop REMOVE`)
	case 'o':
		return starts(after, "o:") && podGoneBehind(after[2:])
	}
	return false
}

// imagePhrase reports whether the text around "mage" makes it a phrase about
// pulling one.
func imagePhrase(before, after []byte) bool {
	if has(before, "I") {
		before = before[:len(before)-1]
		return has(before, "Pull") || // PullImage: every runtime and the kubelet
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

// podGoneBehind looks behind the file name of a klog header, as in
// `.go:2408] "SyncLoop REMOVE"`. "SyncLoop DELETE" has come before and says the
// same of a pod that still ends.
func podGoneBehind(line []byte) bool {
	const digits = 6
	n := bytes.IndexByte(line[:min(len(line), digits)], ']')
	return n >= 0 && starts(line[n:], `] "SyncLoop REMOVE`)
}

func starts(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

func has(b []byte, suffix string) bool {
	return len(b) >= len(suffix) && string(b[len(b)-len(suffix):]) == suffix
}
