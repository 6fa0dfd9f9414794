package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"pullcause/agent/detect"
	"pullcause/logtail"
	"pullcause/logtail/journal"
)

// explainJournal reads a copied journal, oldest entry first: the entries of all
// known runtimes and kubelets. Lines are numbered in that order.
func (x *explainer) explainJournal(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("read journal: got %s, want a folder that holds the files of a journal, such as a copy of /var/log/journal", dir)
	}
	x.lines = 0
	h := &journalHandler{x: x, first: make(map[string]int)}
	err = journal.Read(ctx, journal.Config{Roots: []string{dir}, Follow: journal.Known()}, h)
	h.lines.Flush(h.assembled)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	return nil
}

// journalHandler explains the entries of a journal.
type journalHandler struct {
	x     *explainer
	lines detect.Assembler
	first map[string]int // number of the first line of what a writer has not finished
}

// Handle implements [logtail.Handler].
func (h *journalHandler) Handle(rec logtail.Record) (more bool) {
	h.x.lines++
	if _, ok := h.first[rec.Writer]; !ok {
		h.first[rec.Writer] = h.x.lines
	}
	more = h.lines.Add(rec, h.assembled)
	if !more {
		delete(h.first, rec.Writer)
	}
	return more
}

func (h *journalHandler) assembled(rec logtail.Record, _ bool) {
	h.x.first = h.first[rec.Writer]
	h.x.detect(rec)
}

// Progress implements [logtail.Handler].
func (*journalHandler) Progress(logtail.Progress) {}

// Lost implements [logtail.Handler].
func (h *journalHandler) Lost(l logtail.Loss) {
	h.x.note("%s", l.Detail)
}
