package agent

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/logtail/checkpoint"
)

// A new agent waits for the one before it, and not for ever for one that stays.
func TestStateFolderInUse(t *testing.T) {
	for name, c := range map[string]struct {
		leaves time.Duration // the other agent does, after that time
		told   time.Duration // when we are told to end
		want   error
		took   time.Duration
	}{
		"it drains":     {leaves: 5 * time.Second, told: time.Hour, took: 5 * time.Second},
		"it stays":      {leaves: time.Hour, told: time.Hour, want: checkpoint.ErrInUse, took: 30 * time.Second},
		"we are to end": {leaves: time.Hour, told: 3 * time.Second, want: context.Canceled, took: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				other, err := checkpoint.Lock(dir)
				if err != nil {
					t.Skipf("no lock to be had here: %v", err)
				}
				defer time.AfterFunc(c.leaves, func() { other.Close() }).Stop()
				ctx, end := context.WithCancel(t.Context())
				defer time.AfterFunc(c.told, end).Stop()
				a := &Agent{log: slog.New(slog.DiscardHandler)}
				a.cfg.Delivery.StateDir = dir
				begun := time.Now()
				err = a.claim(ctx)
				if took := time.Since(begun); !errors.Is(err, c.want) || took < c.took || took > c.took+lockRetry {
					t.Errorf("after %s got %v, want %v after %s", took, err, c.want, c.took)
				}
				if errors.Is(err, checkpoint.ErrInUse) && !strings.Contains(err.Error(), `delivery.state_dir "`+dir+`"`) {
					t.Errorf("got %q, want the key and the folder in it", err)
				}
				if (a.lock != nil) != (c.want == nil) {
					t.Errorf("got the lock %v, want one only without an error", a.lock)
				}
				if err := errors.Join(a.close(), other.Close()); err != nil && !errors.Is(err, os.ErrClosed) {
					t.Error(err)
				}
			})
		})
	}
}

// A folder that cannot be locked is used all the same.
func TestStateFolderWithoutLock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	a := &Agent{log: slog.New(slog.NewTextHandler(&log, nil))}
	a.cfg.Delivery.StateDir = filepath.Join(file, "state")
	if err := a.claim(t.Context()); err != nil || a.lock != nil || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("got %v, the lock %v and the log %q, want only a warning", err, a.lock, &log)
	}
}
