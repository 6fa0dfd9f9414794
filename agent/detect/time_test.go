package detect

import (
	"testing"
	"time"

	"pullcause/logtail"
)

func TestLineTime(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	ref := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, line, want string
		loc              *time.Location
	}{
		{"logrus", `time="2026-02-23T22:48:47.623221596Z" level=info msg=x`, "2026-02-23T22:48:47.623221596Z", nil},
		{"logrus with an offset", `time="2026-02-23T22:48:47.6+08:00" level=info msg=x`, "2026-02-23T14:48:47.6Z", nil},
		{"CRI-O with a space", `time="2026-02-23 22:48:47.623221596Z" level=info msg=x`, "2026-02-23T22:48:47.623221596Z", nil},
		{"slog", `time=2026-02-23T22:48:47.623Z level=INFO msg=x`, "2026-02-23T22:48:47.623Z", nil},
		{"logrus JSON", `{"level":"info","msg":"x","time":"2026-02-23T22:48:47Z"}`, "2026-02-23T22:48:47Z", nil},
		{"klog JSON", `{"ts":1771886927626.25,"caller":"a.go:1","msg":"x"}`, "2026-02-23T22:48:47.62625Z", nil},
		{"seconds", `{"ts":1771886927.5,"msg":"x"}`, "2026-02-23T22:48:47.5Z", nil},
		{"klog", `E0223 22:48:47.626362   21023 a.go:1] x`, "2026-02-23T22:48:47.626362Z", nil},
		{"klog in the node's zone", `E0223 22:48:47.626362   21023 a.go:1] x`, "2026-02-23T21:48:47.626362Z", berlin},
		{"klog of last year", `E1231 23:59:59.000000   21023 a.go:1] x`, "2025-12-31T23:59:59Z", nil},
		{"klog a little ahead", `E0302 01:00:00.000000   21023 a.go:1] x`, "2026-03-02T01:00:00Z", nil},
		{"klog on a leap day", `E0229 01:00:00.000000   21023 a.go:1] x`, "2024-02-29T01:00:00Z", nil},
		{"klog behind journal short", `Feb 23 22:48:48 n kubelet[1]: E0223 22:48:47.626362   21023 a.go:1] x`, "2026-02-23T22:48:47.626362Z", nil},
		{"journal short alone", `Feb 23 22:48:48 n kubelet[1]: level=info msg=x`, "2026-02-23T22:48:48Z", nil},
		{"journal short, one digit", `Feb  3 22:48:48 n systemd[1]: Started`, "2026-02-03T22:48:48Z", nil},
		{"journal short-precise", `Feb 23 22:48:48.123456 n systemd[1]: Started`, "2026-02-23T22:48:48.123456Z", nil},
		{"journal short, Chinese", `2月 23 22:48:48 n systemd[1]: Started`, "2026-02-23T22:48:48Z", nil},
		{"journal short-iso", `2026-02-23T22:48:48+0100 n systemd[1]: Started`, "2026-02-23T21:48:48Z", nil},
		{"CRI", `2026-02-23T22:48:48.1Z stderr F hello`, "2026-02-23T22:48:48.1Z", nil},
		{"date and time", `2026-02-23 22:48:48 hello`, "2026-02-23T21:48:48Z", berlin},
		{"none", `  Warning  Failed  9m  kubelet  Error: ErrImagePull`, "", nil},
		{"no date", `E9999 22:48:47.626362   21023 a.go:1] x`, "", nil},
		{"empty", ``, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := LineTime([]byte(c.line), ref, c.loc)
			if s := got.UTC().Format(time.RFC3339Nano); ok != (c.want != "") || ok && s != c.want {
				t.Errorf("%s, %v; want %s", s, ok, c.want)
			}
		})
	}
}

func TestLineTimeWithoutRef(t *testing.T) {
	if at, ok := LineTime([]byte(`E0223 22:48:47.626362   21023 a.go:1] x`), time.Time{}, nil); ok {
		t.Errorf("a year out of nothing: %s", at)
	}
}

// A record whose time cannot be read has that of its reading: no record begins in the
// year 1, or in 1970 as on a node whose clock was never set.
func TestUnreadableTime(t *testing.T) {
	observed := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct{ name, line string }{
		{"no date", `time="yesterday" level=error msg="PullImage \"r/x:1\" failed" error="EOF"`},
		{"none at all", `level=error msg="PullImage \"r/x:1\" failed" error="EOF"`},
		{"zero", `time="0001-01-01T00:00:00Z" level=error msg="PullImage \"r/x:1\" failed" error="EOF"`},
		{"clock not set", `time="1970-01-01T00:00:12Z" level=error msg="PullImage \"r/x:1\" failed" error="EOF"`},
		{"far away", `time="9999-12-31T23:59:59Z" level=error msg="PullImage \"r/x:1\" failed" error="EOF"`},
		{"month 13", `time="2026-13-23T22:48:47Z" level=error msg="PullImage \"r/x:1\" failed" error="EOF"`},
		{"klog, month 99", `E9999 22:48:47.626362   21023 remote_image.go:334] "PullImage from image service failed" err="EOF" image="r/x:1"`},
		{"klog, hour 25", `E1123 25:48:47.626362   21023 remote_image.go:334] "PullImage from image service failed" err="EOF" image="r/x:1"`},
		{"JSON, negative", `{"ts":-5,"caller":"remote/remote_image.go:334","msg":"PullImage from image service failed","image":"r/x:1","err":"EOF"}`},
		{"JSON, word", `{"error":"EOF","level":"error","msg":"PullImage \"r/x:1\" failed","time":"now"}`},
		{"event", `  Warning  Failed  9m  kubelet  Failed to pull image "r/x:1": EOF`},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			Detect(logtail.Record{Body: []byte(c.line), Observed: observed}, nil, func(s Signal) {
				if n++; !s.Time.Equal(observed) || !s.Undated {
					t.Errorf("got %s, undated %v; want the time of reading, undated", s.Time, s.Undated)
				}
			})
			if n != 1 {
				t.Errorf("got %d signals", n)
			}
		})
	}
	stamped := time.Date(2026, 11, 24, 7, 59, 59, 0, time.UTC)
	rec := logtail.Record{Body: []byte(`time="yesterday" level=error msg="PullImage \"r/x:1\" failed" error="EOF"`), Time: stamped, Observed: observed}
	Detect(rec, nil, func(s Signal) {
		if !s.Time.Equal(stamped) || s.Undated {
			t.Errorf("got %s, undated %v; want the time of the journal", s.Time, s.Undated)
		}
	})
}

// A log system that writes the year knows it better than klog, which does not.
func TestYearOfTheLogSystem(t *testing.T) {
	const record = `E0507 11:59:37.123456   21023 remote_image.go:334] "PullImage from image service failed" err="EOF" image="r/x:1"`
	quotedRecord := `E0507 11:59:37.123456   21023 remote_image.go:334] \"PullImage from image service failed\" err=\"EOF\" image=\"r/x:1\"`
	for _, line := range []string{
		"2024-05-07T11:59:37.2Z stderr F " + record,
		`{"MESSAGE":"` + quotedRecord + `","SYSLOG_IDENTIFIER":"kubelet","__REALTIME_TIMESTAMP":"1715083177000000"}`,
		`{"log":"` + quotedRecord + `\n","stream":"stderr","time":"2024-05-07T11:59:37.2Z"}`,
	} {
		n := 0
		Detect(logtail.Record{Body: []byte(line), Observed: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)}, nil, func(s Signal) {
			if n++; s.Time.Year() != 2024 {
				t.Errorf("got %s: %s", s.Time, line)
			}
		})
		if n != 1 {
			t.Errorf("got %d signals: %s", n, line)
		}
	}
}
