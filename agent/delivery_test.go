package agent_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pullcause/agent"
	"pullcause/agent/export"
	"pullcause/agent/export/spool"
)

// Without a folder nothing is stored; what the receiver had not taken is read again by
// the next run.
func TestWithoutStateFolder(t *testing.T) {
	n := newNode(t)
	n.cfg.Delivery.StateDir = ""
	n.cfg.Pulls.JoinWindow = agent.Duration(20 * time.Millisecond)
	good := n.cfg.OTLP.Logs.Endpoint
	n.cfg.OTLP.Logs.Endpoint = "http://127.0.0.1:1/v1/logs"
	a, end := n.start()
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v1"))
	waitFor(t, "the record to wait", func() bool {
		return strings.Contains(get(t, "http://"+a.DebugAddr()+"/debug/delivery"), `"queued": 1`)
	})
	if err := end(); err == nil || !strings.Contains(err.Error(), "1 were not delivered") {
		t.Errorf("got %v, want an error that tells of it", err)
	}
	n.cfg.OTLP.Logs.Endpoint = good
	_, stop := n.run()
	defer stop()
	if got := n.waitImage("registry.example.com/team/app:v1"); got.Name == "" {
		t.Error("it did not come")
	}
}

// What waits on disk is delivered by the next run, in the order in which it happened and
// once, though the lines are not read again.
func TestSpoolOutlivesTheAgent(t *testing.T) {
	n := newNode(t)
	n.cfg.Pulls.JoinWindow = agent.Duration(20 * time.Millisecond)
	good := n.cfg.OTLP.Logs.Endpoint
	n.cfg.OTLP.Logs.Endpoint = "http://127.0.0.1:1/v1/logs"
	a, stop := n.run()
	for _, tag := range []string{"v1", "v2", "v3"} {
		n.write(n.containerd, fmt.Sprintf(containerdLines, tag))
	}
	waitFor(t, "the records to be stored", func() bool {
		return strings.Contains(get(t, "http://"+a.DebugAddr()+"/debug/delivery"), `"records": 3`)
	})
	stop() // it lost nothing, so it ends well
	if err := os.Remove(n.containerd); err != nil {
		t.Fatal(err)
	}
	n.cfg.OTLP.Logs.Endpoint = good
	_, stop = n.run()
	defer stop()
	var got []string
	for _, r := range n.wait(3) {
		image, _ := r.Attributes["pullcause.image.tag"].(string)
		got = append(got, image)
	}
	if strings.Join(got, " ") != "v1 v2 v3" {
		t.Errorf("got %v", got)
	}
	waitFor(t, "the spool to be empty", func() bool {
		left, err := filepath.Glob(filepath.Join(n.cfg.Delivery.StateDir, "spool", "*"))
		return err == nil && len(left) == 0
	})
}

// What the disk has lost of the records of an earlier run is told, wherever it is found
// out: at the start, or when they are sent.
func TestSpoolLossesAreTold(t *testing.T) {
	n := newNode(t)
	dir := filepath.Join(n.cfg.Delivery.StateDir, "spool")
	left, err := spool.Open(spool.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	newer := export.Attribute{Key: "k", Value: map[string]int{"a": 1}} // of a kind that is not known
	err = left.Append([]export.Record{{Version: 1, UID: "1"}, {Version: 1, UID: "2", Attributes: []export.Attribute{newer}}}, 0)
	if err := errors.Join(err, left.Close()); err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(dir, "00000000000000000001.jsonl")
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	text[20] = '?'
	if err := os.WriteFile(segment, text, 0o600); err != nil {
		t.Fatal(err)
	}
	a, stop := n.run()
	defer stop()
	for address, want := range map[string]string{
		a.DebugAddr() + "/debug/delivery": `"spool_corrupt": 2`,
		a.PublicAddr() + "/metrics":       `pullcause_lost_total{reason="spool_corrupt"} 2`,
	} {
		waitFor(t, want, func() bool { return strings.Contains(get(t, "http://"+address), want) })
	}
	if r := n.wait(1)[0]; r.Name != export.EventDataLoss || r.Attributes[export.LossReasonKey] != "spool_corrupt" {
		t.Errorf("got %+v", r)
	}
}

// waitFor waits until it is so.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// An agent that starts while its receiver's name does not resolve sends to where an
// earlier run has reached it.
func TestStartWithoutDNS(t *testing.T) {
	n := newNode(t)
	receiver := n.cfg.OTLP.Logs.Endpoint
	byName := func(name string) string { return strings.Replace(receiver, "127.0.0.1", name, 1) }
	n.cfg.OTLP.Logs.Endpoint = byName("localhost")
	_, stop := n.run()
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v1"))
	n.wait(1)
	const away = "receiver.invalid" // RFC 6761: never resolves
	file := filepath.Join(n.cfg.Delivery.StateDir, "receivers.json")
	var text []byte
	waitFor(t, file, func() (ok bool) {
		var err error
		text, err = os.ReadFile(file)
		return err == nil
	})
	stop()
	if err := os.WriteFile(file, bytes.Replace(text, []byte("localhost:"), []byte(away+":"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	n.cfg.OTLP.Logs.Endpoint = byName(away)
	_, stop = n.run()
	defer stop()
	n.write(n.containerd, fmt.Sprintf(containerdLines, "v2"))
	n.waitImage("registry.example.com/team/app:v2")
}

// A file of addresses that cannot be used costs no start.
func TestAddressesThatCannotBeUsed(t *testing.T) {
	for _, text := range []string{"", "{", `{"version":2}`, `{"version":1,"addresses":{"a:1":"nowhere"}}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "receivers.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n := newNode(t)
		n.cfg.Delivery.StateDir = dir
		_, stop := n.run()
		n.write(n.containerd, fmt.Sprintf(containerdLines, "v1"))
		n.wait(1)
		stop()
	}
}
