//go:build linux

package journaltest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// varlink calls a method of journald and waits until it is done. It is what
// journalctl does for --sync, --rotate and --flush, but works from outside of the
// daemon's mount namespace. run is the descriptor of the daemon's /run.
func varlink(ctx context.Context, run uintptr, method string) error {
	conn, err := dial(ctx, run, "io.systemd.journal")
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // what counts is the answer
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // a closed one needs none
	})
	defer stop()
	if _, err := fmt.Fprintf(conn, "{\"method\":\"io.systemd.Journal.%s\",\"parameters\":{}}\x00", method); err != nil {
		return fmt.Errorf("call %s of journald: %w", method, err)
	}
	answer, err := bufio.NewReader(conn).ReadBytes(0)
	if err != nil {
		return fmt.Errorf("call %s of journald: %w", method, errors.Join(ctx.Err(), err))
	}
	var reply struct{ Error string }
	if err := json.Unmarshal(bytes.TrimRight(answer, "\x00"), &reply); err != nil {
		return fmt.Errorf("call %s of journald: %w", method, err)
	}
	if reply.Error != "" {
		return fmt.Errorf("call %s of journald: %s", method, reply.Error)
	}
	return nil
}
