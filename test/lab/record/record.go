//go:build linux

// Package record writes down what happens in the lab: containerd's log of all
// scenarios, what a kubelet writes about the same errors, and what is to be said
// about each. "pullcause demo" plays such a session; the logs of other versions
// are in testdata. Start at [Session].
package record

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pullcause/test/lab"
)

// expectation is an entry of expect.json.
type expectation struct {
	Name   string `json:"name"`
	Image  string `json:"image"`
	Cause  string `json:"cause,omitempty"` // none: the pull succeeds, nothing is to be reported
	Detail string `json:"detail,omitempty"`
	Status int    `json:"status,omitempty"`
}

// backOffAfter is when a kubelet looks at a pod again whose pull has failed;
// the back-off itself is 10 s.
const backOffAfter = 12 * time.Second

// Session plays the scenarios on a node and writes containerd.log, kubelet.log
// and expect.json into dir.
func Session(ctx context.Context, n *lab.Node, scenarios []lab.Scenario, dir string) error {
	return record(ctx, n, scenarios, dir, func() error {
		return playWithKubelet(ctx, n, scenarios, filepath.Join(dir, "kubelet.log"))
	})
}

// Runtime plays the scenarios on a node and writes containerd.log and
// expect.json into dir.
func Runtime(ctx context.Context, n *lab.Node, scenarios []lab.Scenario, dir string) error {
	return record(ctx, n, scenarios, dir, func() error {
		return n.Run(ctx, scenarios, func(lab.Scenario, lab.Result) {})
	})
}

// record keeps what containerd writes from its first pull on: what it says when
// it starts is about the machine, not about pulls.
func record(ctx context.Context, n *lab.Node, scenarios []lab.Scenario, dir string, play func() error) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := play(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	log, err := n.Log(ctx)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "containerd.log"), pulls(log), 0o644); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return writeExpectations(filepath.Join(dir, "expect.json"), n.Containerd, scenarios)
}

type failure struct {
	lab.Scenario
	err error
	end time.Time
}

// playWithKubelet plays the scenarios while a kubelet takes notes.
func playWithKubelet(ctx context.Context, n *lab.Node, scenarios []lab.Scenario, path string) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	notes := bufio.NewWriter(out)
	defer func() { err = errors.Join(err, notes.Flush(), out.Close()) }()
	k := &kubelet{out: notes}
	var (
		handed   []lab.Scenario
		failures []failure
	)
	for _, s := range scenarios {
		if s.KubeletOnly {
			k.failed(s, nil)
			continue
		}
		handed = append(handed, s)
	}
	err = n.Run(ctx, handed, func(s lab.Scenario, r lab.Result) {
		if r.Err == nil {
			return
		}
		k.failed(s, r.Err)
		if !s.Sandbox {
			failures = append(failures, failure{Scenario: s, err: r.Err, end: r.End})
		}
	})
	if err != nil {
		return err
	}
	return backOff(ctx, k, failures)
}

// backOff writes about each failed pull once more when its time has come.
func backOff(ctx context.Context, k *kubelet, failures []failure) error {
	slices.SortFunc(failures, func(a, b failure) int { return a.end.Compare(b.end) })
	for _, f := range failures {
		select {
		case <-time.After(time.Until(f.end.Add(backOffAfter))):
			k.backOff(f.Scenario, f.err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// pulls cuts off what containerd wrote before the first pull.
func pulls(log []byte) []byte {
	for rest := log; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if bytes.Contains(line, []byte(`"PullImage `)) {
			return rest
		}
		rest = after
	}
	return nil
}

func writeExpectations(path string, c lab.Containerd, scenarios []lab.Scenario) error {
	var all []expectation
	for _, s := range scenarios {
		want := s.Expect(c)
		all = append(all, expectation{Name: s.Name, Image: s.Image, Cause: want.Cause, Detail: want.Detail, Status: want.Status})
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}
