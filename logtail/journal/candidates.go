package journal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pullcause/logtail"
)

// findings are what a turn has found of the roots and candidates.
type findings struct {
	any      bool      // there is a journal file
	none     string    // why there is none
	wrong    []string  // what cannot be read
	problems []problem // with folders and files
	tallies  []tally   // by candidate
}

// tally is what was found of a candidate.
type tally struct {
	found   bool // the journal has had an entry
	entries int64
}

// Candidates tells what was found of each folder in [Config.Roots] and of each
// candidate in [Config.Follow]; nothing before the first look.
func (s *Source) Candidates() []logtail.Candidate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.findings.tallies) == 0 {
		return nil
	}
	var all []logtail.Candidate
	for _, root := range s.cfg.Roots {
		all = append(all, s.findings.root(root))
	}
	for i, c := range s.cfg.Follow {
		all = append(all, s.findings.candidate(c, s.findings.tallies[i]))
	}
	return all
}

func (f *findings) root(root string) logtail.Candidate {
	c := logtail.Candidate{Kind: "folder", Name: root, Found: true, Detail: "looked into"}
	i := slices.IndexFunc(f.problems, func(p problem) bool { return p.path == root })
	if i >= 0 {
		c.Found, c.Detail = false, strings.TrimPrefix(f.problems[i].String(), root+": ")
	}
	return c
}

func (f *findings) candidate(c Candidate, t tally) logtail.Candidate {
	found := logtail.Candidate{
		Kind: "unit", Name: cmp.Or(c.Unit, c.Identifier), Program: c.Program, Distribution: c.Distribution,
		Found: t.found,
	}
	if c.Unit == "" {
		found.Kind = "identifier"
	}
	switch {
	case t.entries > 0:
		found.Detail = fmt.Sprintf("%d entries read", t.entries)
	case t.found:
		found.Detail = "in the journal, but no entry since reading began"
	case !f.any:
		found.Detail = f.none
	case len(f.wrong) > 0:
		found.Detail = "no entry in what can be read of the journal; " + strings.Join(f.wrong, "; ")
	default:
		found.Detail = "no entry in the journal"
	}
	return found
}
