//go:build linux

package journaltest

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Random makes n entries such as a node has, and worse: of two units that a reader
// may follow (containerd.service and kubelet.service, by several identifiers, and
// what systemd says of them) and of others; values from one byte to a few KiB, some
// of which compress, rarely of 1 to 3 MiB; binary ones with zeros, newlines and bytes
// that are no UTF-8; fields that occur many times, the unit and the message among
// them; entries without a message and with an empty one; times that rise or stay
// the same; now and then another boot.
func Random(r *rand.Rand, n int) []Entry {
	g := generator{r: r, realtime: 1_700_000_000_000_000 + r.Uint64N(1e15)}
	g.boot()
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = g.entry()
	}
	return entries
}

// generator is the node that entries are made of.
type generator struct {
	r                   *rand.Rand
	bootID              string
	realtime, monotonic uint64
}

// boot starts the node anew.
func (g *generator) boot() {
	id := binary.LittleEndian.AppendUint64(nil, g.r.Uint64())
	g.bootID = hex.EncodeToString(binary.LittleEndian.AppendUint64(id, g.r.Uint64()|1))
	g.realtime += 1e6 + g.r.Uint64N(60e6)
	g.monotonic = 1 + g.r.Uint64N(1e6)
}

// once reports true in one of n cases.
func (g *generator) once(n int) bool { return g.r.IntN(n) == 0 }

// entry makes the next entry.
func (g *generator) entry() Entry {
	switch {
	case g.once(100):
		g.boot()
	case !g.once(5): // else it is at the same time as the last one
		step := 1 + g.r.Uint64N(300_000)
		g.realtime += step
		g.monotonic += step
	}
	e := Entry{Realtime: g.realtime, Monotonic: g.monotonic, BootID: g.bootID}
	e.Fields = append(g.origin(), g.messages()...)
	for range g.r.IntN(4) {
		e.Fields = append(e.Fields, g.extra()...)
	}
	g.r.Shuffle(len(e.Fields), func(i, j int) { e.Fields[i], e.Fields[j] = e.Fields[j], e.Fields[i] })
	return e
}

// origin makes the fields that say who wrote an entry.
func (g *generator) origin() []Field {
	origins := [][]Field{
		writer("containerd.service", "containerd"),
		writer("containerd.service", "containerd-shim"),
		writer("containerd.service", "(ntainerd)"),
		writer("kubelet.service", "kubelet"),
		writer("system.slice", "kubelet"), // a kubelet that left its group
		append(writer("init.scope", "systemd"), text("UNIT", "kubelet.service")),
		append(writer("init.scope", "systemd"), text("UNIT", "cron.service")),
		append(writer("containerd.service", "containerd"), text("_SYSTEMD_UNIT", "kubelet.service")),
		writer("ssh.service", "sshd"),
		writer("cron.service", "CRON"),
		writer("dbus.service", "dbus-daemon"),
		{text("_TRANSPORT", "kernel"), text("SYSLOG_IDENTIFIER", "kernel")},
		{text("_TRANSPORT", "journal")},
	}
	return slices.Concat(origins[g.r.IntN(len(origins))],
		[]Field{text("_PID", strconv.Itoa(1+g.r.IntN(50))), text("PRIORITY", strconv.Itoa(g.r.IntN(8)))})
}

func writer(unit, identifier string) []Field {
	return []Field{
		text("_SYSTEMD_UNIT", unit), text("SYSLOG_IDENTIFIER", identifier),
		text("_TRANSPORT", "stdout"), text("_UID", "0"),
	}
}

func text(name, value string) Field { return Field{Name: name, Value: []byte(value)} }

// messages makes the MESSAGE of an entry: mostly one.
func (g *generator) messages() []Field {
	switch g.r.IntN(50) {
	case 0, 1:
		return nil
	case 2, 3:
		return []Field{{Name: "MESSAGE"}}
	case 4:
		return []Field{{Name: "MESSAGE", Value: g.value()}, {Name: "MESSAGE", Value: g.value()}}
	}
	return []Field{{Name: "MESSAGE", Value: g.value()}}
}

// extra makes other fields: one, or one that occurs many times.
func (g *generator) extra() []Field {
	name := "EXTRA_" + strconv.Itoa(g.r.IntN(6))
	fields := []Field{{Name: name, Value: g.value()}}
	if g.once(10) {
		for range 1 + g.r.IntN(40) {
			fields = append(fields, text(name, strconv.Itoa(g.r.IntN(60))))
		}
	}
	return fields
}

// value makes a value of any size.
func (g *generator) value() []byte {
	size := 1 + g.r.IntN(120)
	switch c := g.r.IntN(1000); {
	case c < 1:
		size = 1<<20 + g.r.IntN(2<<20)
	case c < 120:
		size = 400 + g.r.IntN(300) // around the size from which on values are compressed
	case c < 240:
		size = 512 + g.r.IntN(6<<10)
	}
	if g.once(8) {
		return g.bytes(size)
	}
	return g.words(size)
}

// words makes a line that compresses.
func (g *generator) words(size int) []byte {
	words := strings.Fields("failed to pull image from registry: unexpected status 429 Too Many Requests " +
		"E0102 level=error msg=\"PullImage\" error= pod=\"default/web-1\" größer 画像 = == \t")
	var b []byte
	for len(b) < size {
		b = append(append(b, words[g.r.IntN(len(words))]...), ' ')
	}
	return b[:size] // maybe in the midst of a character, which makes it binary
}

// bytes makes a value of any bytes, or of few.
func (g *generator) bytes(size int) []byte {
	b := make([]byte, size)
	few := []byte{0, '\n', '=', 0xff, 'x'}
	simple := g.once(2)
	for i := range b {
		b[i] = byte(g.r.Uint32())
		if simple {
			b[i] = few[int(b[i])%len(few)]
		}
	}
	return b
}
