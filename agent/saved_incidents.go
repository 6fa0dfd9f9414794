package agent

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"pullcause/agent/incident"
	"pullcause/logtail/checkpoint"
)

// saveAtOnce is how many incidents are encoded while the pipeline is locked for them, at most.
const saveAtOnce = 64

// unsavedIncidents are the incidents that a save writes. It implements [checkpoint.Changes].
type unsavedIncidents struct {
	pipe *pipeline
	left int // incidents that had changed when the save began
}

func (u *unsavedIncidents) Begin(all bool) {
	u.pipe.mu.Lock()
	defer u.pipe.mu.Unlock()
	if all {
		u.pipe.incidents.UnsaveAll()
	}
	u.left = u.pipe.incidents.Unsaved()
}

func (u *unsavedIncidents) Next() []checkpoint.Change {
	u.pipe.mu.Lock()
	saved, gone := u.pipe.incidents.TakeUnsaved(min(u.left, saveAtOnce))
	u.pipe.mu.Unlock()
	u.left -= len(saved)
	changes := make([]checkpoint.Change, 0, len(saved)+len(gone))
	for _, id := range gone {
		changes = append(changes, checkpoint.Change{ID: id})
	}
	for i := range saved {
		changes = append(changes, checkpoint.Change{ID: saved[i].Incident.ID, Value: encodeIncident(&saved[i])})
	}
	return changes
}

// encodeIncident makes the JSON of an incident. Errors are full of HTML, which would take six
// bytes for one if it were escaped.
func encodeIncident(i *incident.Saved) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(i); err != nil {
		return nil // only numbers that are none cannot be encoded
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// savedIncidents collects what an earlier run has saved. It implements [checkpoint.Entries].
type savedIncidents struct {
	most int // incidents
	over int // how many there were beyond
	byID map[string]*incident.Saved
}

func (s *savedIncidents) Reset() { s.byID, s.over = make(map[string]*incident.Saved), 0 }

func (s *savedIncidents) Set(value []byte) error {
	var i incident.Saved
	if err := json.Unmarshal(value, &i); err != nil {
		return err
	}
	if _, known := s.byID[i.Incident.ID]; !known && len(s.byID) >= s.most {
		s.over++
		return nil
	}
	s.byID[i.Incident.ID] = &i
	return nil
}

func (s *savedIncidents) Remove(id string) { delete(s.byID, id) }

// list takes out what was collected.
func (s *savedIncidents) list() []*incident.Saved {
	all := slices.Collect(maps.Values(s.byID))
	s.byID = nil
	return all
}
