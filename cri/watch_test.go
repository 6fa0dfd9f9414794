package cri_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"pullcause/cri"
	"pullcause/cri/critest"
)

// turns takes what Watch tells, in its order.
type turns chan string

func (w turns) watch(ctx context.Context, t *testing.T, c *cri.Client) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Watch(ctx, func() { w <- "connected" }, func() { w <- "lost" })
	}()
	return func() { cancel(); <-done }
}

// next checks what is told next, within a time.
func (w turns) next(t *testing.T, want string, within time.Duration) {
	t.Helper()
	select {
	case got := <-w:
		if got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	case <-time.After(within):
		t.Fatalf("%s was not told within %s", want, within)
	}
}

// backWithin is how soon a runtime that restarts is connected to again.
const backWithin = 5 * time.Second

func TestRestarts(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	before := descriptors(t)
	func() {
		c, err := cri.Dial(cri.Config{Socket: socket, Timeout: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		told := make(turns, 10)
		stop := told.watch(t.Context(), t, c)
		for i := range 20 {
			s, err := critest.Start(socket, critest.Config{Images: make([]cri.Image, i)})
			if err != nil {
				t.Fatal(err)
			}
			told.next(t, "connected", backWithin)
			if images, _, err := c.Images(t.Context()); err != nil || len(images) != i {
				t.Errorf("restart %d: got %d images, %v", i, len(images), err)
			}
			s.Close()
			told.next(t, "lost", backWithin)
		}
		stop()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if len(told) > 0 {
			t.Errorf("%s was told once too often", <-told)
		}
	}()
	until(t, func() bool { return descriptors(t) <= before })
}

// descriptors is the number of files that this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// Who stops watching is told that the connection is lost, so that what began with it
// ends with it.
func TestStopWatching(t *testing.T) {
	_, c := start(t, critest.Config{})
	told := make(turns, 10)
	stop := told.watch(t.Context(), t, c)
	told.next(t, "connected", backWithin)
	stop()
	told.next(t, "lost", time.Second)
}

// A socket that takes connections and says nothing is no runtime.
func TestNeverConnected(t *testing.T) {
	for name, cfg := range map[string]critest.Config{"mute": {Instead: critest.Mute}, "noise": {Instead: critest.Noise}} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			s, err := critest.Start(socket, cfg)
			if err != nil {
				t.Fatal(err)
			}
			told := make(turns, 10)
			stop := told.watch(t.Context(), t, dial(t, socket, 100*time.Millisecond))
			defer stop()
			time.Sleep(500 * time.Millisecond)
			if len(told) > 0 {
				t.Errorf("%s was told", <-told)
			}
			s.Close()
			good, err := critest.Start(socket, critest.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer good.Close()
			told.next(t, "connected", backWithin)
		})
	}
}

// What the runtime did not implement is asked for again when another process of it
// answers.
func TestMissingUntilRestart(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	missing, err := critest.Start(socket, critest.Config{Refuse: map[string]codes.Code{critest.Every: codes.Unimplemented}})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, socket, 20*time.Second)
	told := make(turns, 10)
	stop := told.watch(t.Context(), t, c)
	defer stop()
	told.next(t, "connected", backWithin)
	for range 5 {
		if _, _, err := c.Images(t.Context()); err == nil {
			t.Error("it was answered")
		}
	}
	const method = "/runtime.v1.ImageService/ListImages"
	if asked, made := missing.Calls()[method], c.Calls()[method]; asked != 1 || made != 1 {
		t.Errorf("asked %d times, counted %d calls, want 1", asked, made)
	}
	missing.Close()
	told.next(t, "lost", backWithin)
	s, err := critest.Start(socket, critest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	told.next(t, "connected", backWithin)
	if _, _, err := c.Images(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEvents(t *testing.T) {
	s, c := start(t, critest.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	changes, ended := make(chan struct{}, 10), make(chan error, 1)
	go func() { ended <- c.WatchImages(ctx, func() { changes <- struct{}{} }) }()
	until(t, func() bool { return s.Publish("/images/create") == 1 })
	<-changes
	if f := feature(t, c, "events"); f.State != cri.StateOK {
		t.Errorf("events are told, but shown as %s", f.State)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("a stream that was cut off ended well")
	}
	if f := feature(t, c, "events"); f.State != cri.StateOK {
		t.Errorf("who leaves by himself finds events %s", f.State)
	}
}
