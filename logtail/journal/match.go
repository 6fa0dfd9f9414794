package journal

import "strconv"

// match selects the entries that have one field with one value.
type match struct{ payload []byte }

func newMatch(field, value string) match {
	return match{[]byte(field + "=" + value)}
}

// droppedID marks what journald writes when it has dropped lines of a unit that
// wrote too many (systemd v257, SD_MESSAGE_JOURNAL_DROPPED).
const droppedID = "a596d6fe7bfa4994828e72309e95d61e"

// systemd is the program of the lines that systemd itself writes about a unit.
const systemd = "systemd"

// interest knows whose entries are wanted.
type interest struct {
	candidates  []Candidate
	units       map[string]int // to candidates
	identifiers map[string]int
}

func newInterest(candidates []Candidate) *interest {
	in := &interest{candidates: candidates, units: make(map[string]int), identifiers: make(map[string]int)}
	for i, c := range candidates {
		if c.Unit != "" {
			in.units[c.Unit] = i
		} else {
			in.identifiers[c.Identifier] = i
		}
	}
	return in
}

// matches are those of the candidates, in their order, and further ones.
func (in *interest) matches() []match {
	var all []match
	for _, c := range in.candidates {
		if c.Unit != "" {
			all = append(all, newMatch("_SYSTEMD_UNIT", c.Unit))
		} else {
			all = append(all, newMatch("SYSLOG_IDENTIFIER", c.Identifier))
		}
	}
	for _, c := range in.candidates {
		if c.Unit != "" {
			all = append(all, newMatch("UNIT", c.Unit))
		}
	}
	return append(all, newMatch("MESSAGE_ID", droppedID))
}

// judge tells whose line an entry is: the candidate, and the program that wrote it.
// ok is false for an entry that only looks as if it was one's: all fields but those
// with an underscore are written by the client, and a pod may have journald's
// sockets mounted. What containers print, dockerd writes as its own unit (moby
// v28 daemon/logger/journald).
func (in *interest) judge(v *values) (candidate int, program string, ok bool) {
	if v.has[containerID] {
		return 0, "", false
	}
	if i, ok := in.units[v.text[unit]]; ok {
		return i, in.candidates[i].Program, true
	}
	if i, ok := in.identifiers[v.text[identifier]]; ok && v.text[uid] == "0" && v.text[transport] == "stdout" {
		return i, in.candidates[i].Program, true
	}
	if i, ok := in.units[v.text[aboutUnit]]; ok && v.text[pid] == "1" {
		return i, systemd, true
	}
	return 0, "", false
}

// suppressed tells how many lines of a followed unit journald says to have dropped.
func (in *interest) suppressed(v *values) (unit string, n int64, ok bool) {
	if v.text[messageID] != droppedID || v.text[transport] != "driver" {
		return "", 0, false
	}
	unit = v.text[objectUnit]
	if _, ok := in.units[unit]; !ok {
		return "", 0, false
	}
	n, err := strconv.ParseInt(v.text[dropped], 10, 64)
	return unit, max(n, 1), err == nil
}
