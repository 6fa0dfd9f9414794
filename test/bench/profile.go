package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// profiled takes a CPU profile of an agent from now on, if that was asked for.
// The function that it returns takes one of the heap and waits for both; the
// figures of a run that is profiled are a little worse.
func (b *bench) profiled(s *scene, name string) (wait func() error) {
	if b.profile == "" {
		return func() error { return nil }
	}
	const seconds = 5
	done := make(chan error, 1)
	go func() {
		done <- b.saveProfile(s, fmt.Sprintf("profile?seconds=%d", seconds), name+".cpu.pprof")
	}()
	return func() error {
		return errors.Join(b.saveProfile(s, "heap", name+".heap.pprof"), b.saveProfile(s, "allocs", name+".allocs.pprof"), <-done)
	}
}

func (b *bench) saveProfile(s *scene, what, file string) (err error) {
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Get("http://" + s.agent.Debug() + "/debug/pprof/" + what)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for tries := 1; err != nil && tries < 100; tries++ { // the agent may still be starting
		<-again.C
		resp, err = client.Get("http://" + s.agent.Debug() + "/debug/pprof/" + what)
	}
	if err != nil {
		return fmt.Errorf("take a profile of the agent: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("take a profile of the agent: got %s", resp.Status)
	}
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(b.profile, file))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close())
}
