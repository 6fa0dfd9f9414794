package redact

import "strings"

// looksSecret reports whether a word of prose can be a password or a token: it
// holds both letters and digits, or is random, and is neither a path, a URL, a
// digest, a version nor the name of a host or an object.
func looksSecret(v string) bool {
	if len(v) < 6 || isPublic(v) {
		return false
	}
	var letters, digits, upper, lower, dots, dashes int
	for _, c := range []byte(v) {
		switch {
		case isDigit(c):
			digits++
		case isUpper(c):
			upper++
		case isLower(c):
			lower++
		case c == '.':
			dots++
		case c == '-':
			dashes++
		case c == ' ':
			return false
		}
	}
	letters = upper + lower
	if letters == 0 || digits == 0 {
		return letters == len(v) && looksRandom(v)
	}
	return upper > 0 || dots+dashes == 0 && strings.IndexByte(v, '/') < 0
}

// isPublic reports whether v is something else that stands behind the names of
// credentials: a path, a URL, a digest, an address, a version, Go's 0xc000….
func isPublic(v string) bool {
	switch {
	case strings.HasPrefix(v, "0x"), strings.HasPrefix(v, "map["), strings.HasPrefix(v, "&"), strings.HasPrefix(v, "{"), strings.HasPrefix(v, "…"):
		return true
	case strings.Contains(v, "://"), startsDigest(v), isPath(v), isVersion(v):
		return true
	}
	return false
}

// isPath reports whether v is an absolute path of names that people give.
func isPath(v string) bool {
	if len(v) < 2 || v[0] != '/' && !strings.HasPrefix(v, "./") && !strings.HasPrefix(v, "~/") && !(v[1] == ':' && v[0] != ' ' && len(v) > 2 && v[2] == '\\') {
		return false
	}
	return !looksRandom(v)
}

// isVersion reports whether v is a version, v1.2.3 or 1.25-alpine, or an IP address and port.
func isVersion(v string) bool {
	v = strings.TrimPrefix(v, "v")
	digits, rest := 0, v
	for rest != "" && (isDigit(rest[0]) || rest[0] == '.' || rest[0] == ':') {
		rest = rest[1:]
		digits++
	}
	if digits == 0 || !strings.Contains(v[:digits], ".") && rest != "" {
		return false
	}
	return rest == "" && strings.Contains(v, ".") || rest != "" && rest[0] == '-' && len(rest) < 20 && !looksRandom(rest)
}

// isStatus reports whether v begins an HTTP status: "token: 401 Unauthorized".
func isStatus(v string) bool {
	return len(v) == 3 && v[0] >= '1' && v[0] <= '5' && isDigit(v[1]) && isDigit(v[2])
}

// isCount reports whether value counts what the name says: tokens=5.
func isCount(name, value string) bool {
	end := strings.IndexAny(name, "= ")
	if end <= 0 || name[end-1]|0x20 != 's' || hasSuffixFold(name[:end], "pass") || len(value) > 6 {
		return false
	}
	return strings.Trim(value, "0123456789") == ""
}

// isTag reports whether v has the form of most tags: no letter in upper case.
func isTag(v string) bool {
	for _, c := range []byte(v) {
		if isUpper(c) || !isKeyByte(c) {
			return false
		}
	}
	return true
}

// isBuild reports whether v can be the tag of an image that a build made: a
// commit, a version, or something short.
func isBuild(v string) bool {
	return isTag(v) && (len(v) < 12 || strings.ContainsAny(v, ".-_") || strings.Trim(v, "0123456789abcdef") == "")
}

// isObjectName reports whether v is the name of a Kubernetes object, perhaps
// with its namespace: lower-case words joined by dashes or dots.
func isObjectName(v string) bool {
	joined := false
	for _, c := range []byte(v) {
		if c == '-' || c == '.' || c == '/' {
			joined = true
		} else if !isLower(c) && !isDigit(c) {
			return false
		}
	}
	return v != "" && (joined || strings.Trim(v, "abcdefghijklmnopqrstuvwxyz") == "")
}

// isSnapshotKey reports whether v is the key of a snapshot that containerd
// extracts a layer to (containerd 2.0 core/unpack/unpacker.go).
func isSnapshotKey(v string) bool { return strings.HasPrefix(v, "extract-") }
