package enrich

import "sync"

// cuts reports what was left out of answers of the runtime because they were too long.
// A list that stays too long is reported once.
type cuts struct {
	report func(what string, n int)

	mu   sync.Mutex
	last map[string]int
}

// note takes how much of one kind was left out of an answer.
func (c *cuts) note(what string, n int) {
	c.mu.Lock()
	changed := n > 0 && n != c.last[what]
	if c.last == nil {
		c.last = make(map[string]int)
	}
	c.last[what] = n
	c.mu.Unlock()
	if changed {
		c.report(what, n)
	}
}
