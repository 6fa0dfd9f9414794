package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/incident"
	"pullcause/logtail"
)

// storedSize is how many bytes a record takes as JSON, as the spool stores it.
func storedSize(t *testing.T, r Record) int {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&r); err != nil {
		t.Fatal(err)
	}
	return buf.Len()
}

// hostile is a change all of whose texts are long and made of unit.
func hostile(kind incident.ChangeKind, unit string) incident.Change {
	text := func(n int) string { return strings.Repeat(unit, n/len(unit)+1) }
	c := rateLimited()
	c.Kind = kind
	long := text(100_000)
	a := c.Attempt
	a.Image, a.Ref, a.Registry, a.Reason, a.Lines, a.Program = long, "registry.example/"+long+":"+long, long, long, long, long
	a.Layer = attempt.Layer{Digest: long, Bytes: 1, Size: 2}
	*a.Failure = detect.Failure{
		Text: long, Leaf: long, Method: long, URL: "https://registry.example/" + long, Lookup: long, Peer: long, Status: 429, GRPCCode: "Unknown",
	}
	a.Hosts, a.Pods = nil, nil
	for i := range 200 {
		a.Hosts = append(a.Hosts, detect.Host{Host: text(300), URL: text(2000), Error: text(2000), Status: 404, Method: text(20)})
		a.Pods = append(a.Pods, attempt.Pod{
			Pod:       detect.Pod{Namespace: text(253), Name: fmt.Sprint(i, text(253)), UID: text(253)},
			Container: text(253), Reason: text(253),
		})
	}
	c.Incident.Image, c.Incident.Ref, c.Incident.Registry, c.Incident.Pods = a.Image, a.Ref, a.Registry, a.Pods
	c.WhatChanged = long
	d := &c.Diagnosis
	d.Remedy, d.Summary, d.Action, d.Detail, d.Cause = long, long, long, long, diagnose.Cause(long)
	d.Cache = &diagnose.Cache{OtherTags: []string{long, long, long, long}, Platforms: []string{long, long, long, long}}
	c.Previous = *d
	return c
}

// A record never takes more than MaxRecord bytes, whatever images, registries and pods are
// called and whatever they say, and stays one that can be read.
func TestRecordSizeIsBounded(t *testing.T) {
	units := map[string]string{
		"letters": "x", "quotes": `"`, "line feeds": "\n", "control characters": "\x01",
		"invalid UTF-8": "\xff", "wide letters": "漢", "line separators": "\u2028", "angle brackets": "<",
	}
	kinds := []incident.ChangeKind{incident.Failed, incident.CauseChanged, incident.Recovered, incident.Abandoned, incident.Stalled}
	for name, unit := range units {
		t.Run(name, func(t *testing.T) {
			for _, kind := range kinds {
				r := FromChange(hostile(kind, unit), "node-1")
				if n := storedSize(t, r); n > MaxRecord {
					t.Errorf("%s: got %d bytes, want at most %d", kind, n, MaxRecord)
				}
				for _, a := range r.Attributes {
					if text, ok := a.Value.(string); ok && (a.Key == HostsKey || a.Key == PodsKey) && !json.Valid([]byte(text)) {
						t.Errorf("%s: %s is no JSON: %.80q", kind, a.Key, text)
					}
				}
				if v := valueOf(r, TruncatedKey); kind == incident.Failed && v != true {
					t.Errorf("%s: not marked as truncated", kind)
				}
			}
			r := DataLoss(logtail.Loss{Source: strings.Repeat(unit, 5000), Reason: strings.Repeat(unit, 5000), Detail: strings.Repeat(unit, 100_000)}, "node-1", rateLimited().At)
			if n := storedSize(t, r); n > MaxRecord {
				t.Errorf("data loss: got %d bytes", n)
			}
			r = NodeCache(CacheState{Mountpoint: strings.Repeat(unit, 100_000), FilesystemSize: 1}, "node-1", rateLimited().At)
			if n := storedSize(t, r); n > MaxRecord {
				t.Errorf("image cache: got %d bytes", n)
			}
		})
	}
}

// What bounds a record leaves a usual one alone.
func TestUsualRecordIsWhole(t *testing.T) {
	c := rateLimited()
	for i := range 100 {
		c.Attempt.Pods = append(c.Attempt.Pods, attempt.Pod{
			Pod:       detect.Pod{Namespace: "shop", Name: fmt.Sprint("web-7d9c5b8f6d-", i), UID: "0b8f9d2c-1111-4222-8333-444455556666"},
			Container: "app", Kind: detect.KindContainer, Reason: "ErrImagePull",
		})
	}
	r := FromChange(c, "node-1")
	var pods []attempt.Pod
	if err := json.Unmarshal([]byte(valueOf(r, PodsKey).(string)), &pods); err != nil || len(pods) != 101 {
		t.Errorf("got %d pods, %v", len(pods), err)
	}
	if valueOf(r, TruncatedKey) != nil {
		t.Error("marked as truncated")
	}
}

func valueOf(r Record, key string) any {
	for _, a := range r.Attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

// Storing what a full queue holds encodes a bounded part of it at once.
func TestStoredInBoundedParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := healthy()
		var broken atomic.Bool
		broken.Store(true)
		store.fail = func() error {
			if broken.Load() {
				return errors.New("no space left on device")
			}
			return nil
		}
		largest := 0
		sink := &scripted{verdict: func([]string) Verdict { return Verdict{Outcome: Retry} }}
		e := New(sink, Config{Store: measured{store, &largest}}).Start()
		const records = 200
		for i := range records {
			e.Enqueue(Record{UID: fmt.Sprint(i), Body: strings.Repeat("x", 30_000)}, nil)
		}
		time.Sleep(time.Second)
		broken.Store(false)
		time.Sleep(time.Minute)
		if n := store.left(); n != records {
			t.Errorf("%d records are stored, want %d", n, records)
		}
		if largest > maxStoreBytes+MaxRecord {
			t.Errorf("one write of %d bytes", largest)
		}
		e.Shutdown(context.Background())
	})
}

// measured is a store that notes the size of its largest write.
type measured struct {
	Store
	largest *int
}

func (m measured) Append(records []Record, given int) error {
	n := 0
	for i := range records {
		n += records[i].size()
	}
	*m.largest = max(*m.largest, n)
	return m.Store.Append(records, given)
}
