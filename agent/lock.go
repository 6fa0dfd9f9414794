package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"pullcause/logtail/checkpoint"
)

const (
	// lockPatience is how long the state folder is waited for. An agent that is told to
	// end, as in an upgrade, has left it after [export.DrainTime] and little more.
	lockPatience = 30 * time.Second
	lockRetry    = 250 * time.Millisecond
)

// claim makes the state folder this agent's own: of two in it each would send what the
// other has stored, and overwrite how far that has read. It is an error if the
// other one stays. Nothing is lost by it: what is to be read waits in the log.
func (a *Agent) claim(ctx context.Context) (err error) {
	dir := a.cfg.Delivery.StateDir
	if dir == "" {
		return nil
	}
	a.lock, err = checkpoint.Lock(dir)
	if errors.Is(err, checkpoint.ErrInUse) {
		a.log.Info("waiting until another process leaves the state folder", "folder", dir, "at_most", lockPatience.String())
		a.lock, err = lockSoon(ctx, dir)
	}
	switch {
	case errors.Is(err, checkpoint.ErrInUse):
		return fmt.Errorf("delivery.state_dir %q: %w, for %s now: another pullcause runs on this node, a pod of another release or a service; "+
			"remove one of them or give it another folder with this key (\"fuser -v %s\" on the node shows which process it is)",
			dir, err, lockPatience, filepath.Join(dir, checkpoint.LockFile))
	case ctx.Err() != nil:
		return err
	case err != nil:
		a.log.Warn("the state folder cannot be locked; make sure that no other pullcause uses it", "folder", dir, "error", err)
	}
	return nil
}

// lockSoon locks a folder as soon as whoever has it leaves.
func lockSoon(ctx context.Context, dir string) (lock io.Closer, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockPatience, checkpoint.ErrInUse)
	defer cancel()
	retry := time.NewTicker(lockRetry)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-retry.C:
		}
		if lock, err = checkpoint.Lock(dir); !errors.Is(err, checkpoint.ErrInUse) {
			return lock, err
		}
	}
}
