package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"path/filepath"

	"pullcause/agent/export/otlp/endpoint"
	"pullcause/logtail/checkpoint"
)

// addresses keeps in the state folder where receivers were last reached: an agent that
// starts while the node's DNS fails, and has to tell of it, knows no other way to them.
type addresses struct {
	dialer *endpoint.Dialer
	path   string
	log    *slog.Logger
	learnt chan struct{} // cap 1: an address is new; nil without a state folder
	failed bool          // to write, which was told
}

// addressesFile holds what [addressesForm] says.
const addressesFile = "receivers.json"

// maxAddresses bounds what is read, in bytes; there are two receivers.
const maxAddresses = 64 << 10

type addressesForm struct {
	Version int `json:"version"`
	// Addresses is ip:port by host:port.
	Addresses map[string]string `json:"addresses"`
}

// openAddresses gives a dialer what an earlier run has learnt. What cannot be read or
// written costs no more than that.
func openAddresses(d *endpoint.Dialer, dir string, log *slog.Logger) *addresses {
	a := &addresses{dialer: d, path: filepath.Join(dir, addressesFile), log: log}
	if dir == "" {
		return a
	}
	known, err := a.load()
	if err != nil {
		log.Warn("the last addresses of receivers cannot be used; they are learnt again", "error", err)
	}
	a.learnt = make(chan struct{}, 1)
	d.Know(known)
	d.Learnt = func() {
		select {
		case a.learnt <- struct{}{}:
		default:
		}
	}
	return a
}

// run stores what the dialer learns.
func (a *addresses) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.learnt:
			a.save()
		}
	}
}

func (a *addresses) load() (map[string]string, error) {
	text, err := checkpoint.ReadFile(a.path, maxAddresses)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read addresses of receivers: %w", err)
	}
	var form addressesForm
	if err := json.Unmarshal(text, &form); err != nil {
		return nil, fmt.Errorf("read addresses of receivers %s: %w", a.path, err)
	}
	if form.Version != 1 {
		return nil, fmt.Errorf("read addresses of receivers %s: got version %d, want 1", a.path, form.Version)
	}
	for host, address := range form.Addresses {
		if _, err := netip.ParseAddrPort(address); err != nil {
			return nil, fmt.Errorf("read addresses of receivers %s: got %q for %s, want ip:port", a.path, address, host)
		}
	}
	return form.Addresses, nil
}

func (a *addresses) save() {
	text, err := json.Marshal(addressesForm{Version: 1, Addresses: a.dialer.Known()})
	if err == nil {
		err = checkpoint.ReplaceFile(a.path, append(text, '\n'))
	}
	if err != nil && !a.failed {
		a.log.Warn("the addresses of receivers cannot be stored; after a restart they are learnt again", "error", err)
	}
	a.failed = err != nil
}
