package incident

// Size is how much the incidents take, as it is counted.
func (s *Store) Size() int { return s.size }

// ForgetClosed forgets the closed incidents that are shown.
func (s *Store) ForgetClosed() {
	for len(s.closed) > 0 {
		s.forgetClosed()
	}
}
