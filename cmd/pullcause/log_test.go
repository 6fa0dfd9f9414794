package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pullcause/agent"
)

// Durations in the log are text with a unit: JSON would have 41738000000 for 41.7 s.
func TestLoggedDurations(t *testing.T) {
	var buf bytes.Buffer
	newLogger(agent.LogConfig{Level: "info", Format: "json"}, &buf).Warn("receiver is not available", "retry_in", 41738*time.Millisecond+12*time.Microsecond)
	var line struct {
		Retry any `json:"retry_in"`
	}
	if err := json.Unmarshal(buf.Bytes(), &line); err != nil || line.Retry != "41.738s" {
		t.Errorf("got %v, %v, want 41.738s", line.Retry, err)
	}
}
