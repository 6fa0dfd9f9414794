package agent

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"pullcause/logtail"
	"pullcause/logtail/file"
	"pullcause/logtail/journal"
)

// configured stands for the distribution of what the configuration names.
const configured = "the configuration"

// candidates are the places where runtimes and kubelets log, and what is there.
func (s *sources) candidates() []logtail.Candidate {
	all := s.journalCandidates()
	status := make(map[string]logtail.Status)
	for _, st := range s.status() {
		status[st.Name] = st
	}
	for _, p := range s.places() {
		st, followed := status[sourceName(p.Path)]
		all = append(all, s.candidate(p, st, followed))
	}
	return all
}

func (s *sources) journalCandidates() []logtail.Candidate {
	if j := s.journalSource(); j != nil {
		return j.Candidates()
	}
	detail := "no journal there"
	if !s.names[journalName] {
		detail = "not looked for: sources.auto is false, and sources.journal names no unit or identifier"
	}
	var all []logtail.Candidate
	for _, root := range journal.Roots(s.cfg.HostRoot) {
		all = append(all, logtail.Candidate{Kind: "folder", Name: root, Detail: detail})
	}
	return all
}

// candidate describes one file and, if it is followed, its source.
func (s *sources) candidate(p file.Candidate, st logtail.Status, followed bool) logtail.Candidate {
	c := logtail.Candidate{Kind: "file", Name: p.Path, Program: p.Program, Distribution: p.Distribution, Detail: "no such file"}
	if followed {
		c.Found, c.Detail = st.State == logtail.StateReading, cmp.Or(st.Error, fmt.Sprintf("%d lines read", st.Lines))
		return c
	}
	if _, err := s.host.Stat(p.Path); err == nil {
		c.Detail = "just found; it will be read within a minute"
	} else if !errors.Is(err, fs.ErrNotExist) {
		c.Detail = err.Error()
	}
	return c
}

// readable says in one sentence why nothing at all can be read. looked is sources.auto.
func readable(sources []logtail.Status, looked bool) (ok bool, why string) {
	if len(sources) == 0 && !looked {
		return false, "no log is named: sources.auto is false, so none was looked for; name one with sources.files, or leave sources.auto true"
	}
	if len(sources) == 0 {
		return false, "no log of a runtime or kubelet was found: neither a systemd journal nor one of the known files is there below host_root; mount the node's /var/log and /run/log, or name a file with sources.files"
	}
	reasons := []string{"no log can be read"}
	for _, s := range sources {
		if s.State == logtail.StateReading {
			return true, ""
		}
		if len(reasons) <= maxReasons {
			reasons = append(reasons, s.Path+": "+s.Error)
		}
	}
	if n := len(sources) - maxReasons; n > 0 {
		reasons = append(reasons, fmt.Sprintf("and %d more", n))
	}
	return false, strings.Join(reasons, "; ")
}

// maxReasons bounds the logs in the message that names why each cannot be read.
const maxReasons = 10
