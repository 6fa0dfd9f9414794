package journal

import (
	"bytes"
	"encoding/binary"

	"pullcause/logtail"
)

// field is one of those that are wanted of an entry.
type field uint8

const (
	unwanted field = iota
	message
	pid
	uid
	transport
	unit
	identifier
	aboutUnit // systemd's own lines name the unit that they are about
	objectUnit
	messageID
	dropped
	lineBreak
	containerID // dockerd's journald driver says whose output an entry is
	nFields
)

// fieldNames are the wanted fields as they are stored, man 7
// systemd.journal-fields.
var fieldNames = map[string]field{
	"MESSAGE":             message,
	"_PID":                pid,
	"_UID":                uid,
	"_TRANSPORT":          transport,
	"_SYSTEMD_UNIT":       unit,
	"SYSLOG_IDENTIFIER":   identifier,
	"UNIT":                aboutUnit,
	"OBJECT_SYSTEMD_UNIT": objectUnit,
	"MESSAGE_ID":          messageID,
	"N_DROPPED":           dropped,
	"_LINE_BREAK":         lineBreak,
	"CONTAINER_ID":        containerID,
}

const (
	// maxName bounds a field's name; journald's limit is 64.
	maxName = 64
	// maxValue bounds the values of all fields but MESSAGE.
	maxValue = 256
)

// fieldCache knows the fields that are the same in many entries, by place.
type fieldCache map[uint64]cachedField

type cachedField struct {
	field field
	value string
}

// maxCached bounds the cache of one file.
const maxCached = 1024

// values are the wanted fields of one entry.
type values struct {
	text [nFields]string
	has  [nFields]bool
	// message is valid until the next call. more is how many bytes of it were left
	// out, as far as known; cut is set when there were any.
	message []byte
	more    int64
	cut     bool
}

// readValues reads the wanted fields of the pending entry. Of a field that is there
// several times the first one counts.
func (f *file) readValues(v *values) error {
	*v = values{message: v.message[:0]}
	for _, at := range f.next.items {
		known, ok := f.fields[at]
		if !ok {
			var err error
			if known, err = f.readField(at, v); err != nil {
				return err
			}
		}
		if known.field != unwanted && !v.has[known.field] {
			v.has[known.field], v.text[known.field] = true, known.value
		}
	}
	return nil
}

// readField reads a DATA object. The text goes to v, all else is remembered if
// it is likely to come again: what is new stands beside the entry.
func (f *file) readField(at uint64, v *values) (cachedField, error) {
	head, size, err := f.data.object(at, typeData, dataHeader)
	if err != nil {
		return cachedField{}, err
	}
	codec, hash := head[1], binary.LittleEndian.Uint64(head[dataHash:])
	fresh := f.data.inWindow(at)
	start, _, err := f.payload(at, size, codec, maxName+1)
	if err != nil {
		return cachedField{}, err
	}
	if len(start) == 0 || start[0] == 0 {
		return cachedField{}, corrupt(at, "the payload %.20q does not begin with the name of a field", start)
	}
	n := max(bytes.IndexByte(start, '='), 0)
	name := fieldNames[string(start[:n])]
	found := cachedField{field: name}
	switch name {
	case unwanted:
	case message:
		if v.has[message] {
			return cachedField{}, nil
		}
		return found, f.readMessage(at, size, codec, hash, v)
	default:
		if found.value, err = f.readValue(at, size, codec, hash, n+1); err != nil {
			return cachedField{}, err
		}
	}
	if !fresh {
		if len(f.fields) >= maxCached || f.fields == nil {
			f.fields = make(fieldCache)
		}
		f.fields[at] = found
	}
	return found, nil
}

// readMessage reads up to [logtail.MaxLine] of a text.
func (f *file) readMessage(at, size uint64, codec uint8, hash uint64, v *values) error {
	const limit = len("MESSAGE=") + logtail.MaxLine
	b, more, err := f.payload(at, size, codec, limit+1)
	if err != nil {
		return err
	}
	if len(b) <= limit {
		if err := f.check(at, b, hash); err != nil {
			return err
		}
	} else {
		v.cut, v.more = true, int64(more)+1
		b = b[:limit]
	}
	v.message = append(v.message, b[len("MESSAGE="):]...)
	return nil
}

func (f *file) readValue(at, size uint64, codec uint8, hash uint64, n int) (string, error) {
	b, _, err := f.payload(at, size, codec, maxValue+1)
	if err != nil {
		return "", err
	}
	if len(b) > maxValue {
		return "", nil // none that we know is so long
	}
	if err := f.check(at, b, hash); err != nil {
		return "", err
	}
	return string(b[n:]), nil
}

// check compares a whole payload with its hash. It notices, beside flipped bits,
// a file that is being overwritten with zeros as it is read.
func (f *file) check(at uint64, payload []byte, hash uint64) error {
	if got := f.head.hash(payload); got != hash {
		return corrupt(at, "the payload has the hash %#x, not %#x", got, hash)
	}
	return nil
}
