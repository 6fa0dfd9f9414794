package incident

// unsavedNow notes that an incident differs from what was saved of it.
func (s *Store) unsavedNow(e *entry) {
	if e.unsaved == nil {
		e.unsaved = s.unsaved.PushBack(e)
	}
}

// forgetSaved is for an incident that is gone: it has to go from what was saved as well.
func (s *Store) forgetSaved(e *entry) {
	if e.unsaved != nil {
		s.unsaved.Remove(e.unsaved)
		e.unsaved = nil
	}
	if e.saved {
		s.removed = append(s.removed, e.ID)
	}
}

// Unsaved is how many incidents have changed since they were taken by [Store.TakeUnsaved].
func (s *Store) Unsaved() int { return s.unsaved.Len() }

// UnsaveAll has TakeUnsaved return every incident, those that ended not long ago first and
// then the open ones, the one heard of last first.
func (s *Store) UnsaveAll() {
	s.unsaved.Init()
	s.removed = nil
	for _, e := range s.ended {
		e.unsaved = s.unsaved.PushBack(e)
	}
	for place := s.quiet.Back(); place != nil; place = place.Prev() {
		e := place.Value.(*entry) //nolint:errcheck // the list holds nothing else
		e.unsaved = s.unsaved.PushBack(e)
	}
}

// TakeUnsaved returns at most limit incidents that have changed, the one that changed first
// is first, and the ids of those that are gone, which come before the others.
func (s *Store) TakeUnsaved(limit int) (changed []Saved, gone []string) {
	gone, s.removed = s.removed, nil
	for front := s.unsaved.Front(); front != nil && len(changed) < limit; front = s.unsaved.Front() {
		e := s.unsaved.Remove(front).(*entry) //nolint:errcheck // the list holds nothing else
		e.unsaved, e.saved = nil, true
		changed = append(changed, e.save())
	}
	return changed, gone
}
