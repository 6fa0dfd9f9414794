//go:build linux

package journaltest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// seals is how many seals a sealed file gets at least, if it spans as many seconds.
const seals = 16

// setUpKeys makes keys to seal a file of entries with, and returns the binds with
// which a program finds them. They are files in scratch.
//
// Keys hold from now on, but entries are from whenever the caller likes: so the
// beginning is moved to the first entry.
func (s Systemd) setUpKeys(ctx context.Context, scratch string, entries []Entry) ([]bind, error) {
	if err := needRoot(); err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errors.New("there is nothing to seal")
	}
	machine := filepath.Join(scratch, "machine-id")
	id, err := writeMachineID(machine)
	if err != nil {
		return nil, err
	}
	log := filepath.Join(scratch, "log")
	keys := filepath.Join(log, "journal", id)
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return nil, err
	}
	binds := []bind{{log, "/var/log"}, {machine, "/etc/machine-id"}}
	first, last := entries[0].Realtime, entries[len(entries)-1].Realtime
	interval := max((last-first)/seals, 1e6)
	_, err = s.output(ctx, nil, binds, journalctl, "--setup-keys", fmt.Sprintf("--interval=%dus", interval))
	if err != nil {
		return nil, err
	}
	return binds, moveKeys(filepath.Join(keys, "fss"), first)
}

// moveKeys makes a file of keys hold from a time on.
func moveKeys(path string, realtime uint64) error {
	const startOffset = 56 // start_usec of systemd's struct FSSHeader
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(binary.LittleEndian.AppendUint64(nil, realtime), startOffset)
	return errors.Join(err, file.Close())
}

// writeMachineID writes a new machine id to a file and returns it.
func writeMachineID(path string) (string, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", err
	}
	id[6] = id[6]&0x0f | 0x40 // systemd takes UUIDs of version 4 only
	id[8] = id[8]&0x3f | 0x80
	text := hex.EncodeToString(id[:])
	return text, os.WriteFile(path, []byte(text+"\n"), 0o644)
}
