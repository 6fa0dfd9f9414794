package demo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"pullcause/agent/detect"
)

// line is one recorded line and where it belongs.
type line struct {
	file int // index into the session's logs
	at   time.Time
	text []byte
}

// record of several physical lines (the kubelet's multi-line values) stays
// together: the further lines carry no time of their own.
func readLines(file int, log []byte) ([]line, error) {
	var lines []line
	scanner := bufio.NewScanner(bytes.NewReader(log))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		text := append(slices.Clone(scanner.Bytes()), '\n')
		at, ok := detect.LineTime(text, recorded, time.UTC)
		switch {
		case ok:
			lines = append(lines, line{file: file, at: at, text: text})
		case len(lines) > 0:
			last := &lines[len(lines)-1]
			last.text = append(last.text, text...)
		default:
			return nil, fmt.Errorf("read recorded session: line %q has no time", text)
		}
	}
	return lines, scanner.Err()
}

// recorded is a day near the recording: the kubelet's lines carry no year.
var recorded = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// play writes the lines into the files in the order and with the pauses in
// which they were written, faster by the factor speed and never pausing for
// longer than most. Each line gets the time at which it is written, so that
// what is shown is now.
func play(ctx context.Context, files []*os.File, lines []line, speed float64, most time.Duration) error {
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	for i, l := range lines {
		if i > 0 {
			pause := time.Duration(float64(l.at.Sub(lines[i-1].at)) / speed)
			if err := sleep(ctx, min(pause, most)); err != nil {
				return err
			}
		}
		if _, err := io.Copy(files[l.file], bytes.NewReader(restamp(l, time.Now()))); err != nil {
			return fmt.Errorf("play recorded session: %w", err)
		}
	}
	return nil
}

// restamp replaces the time that a recorded line begins with. The kubelet writes its own in
// the node's zone, which is UTC where there is no /etc/localtime.
func restamp(l line, now time.Time) []byte {
	now = now.UTC()
	const (
		logrus = "2006-01-02T15:04:05.000000000Z07:00"
		klog   = "0102 15:04:05.000000"
	)
	if rest, found := bytes.CutPrefix(l.text, []byte(`time="`)); found {
		if _, after, found := bytes.Cut(rest, []byte(`"`)); found {
			return slices.Concat([]byte(`time="`+now.Format(logrus)+`"`), after)
		}
	}
	if len(l.text) > 1+len(klog) && strings.IndexByte("IWEF", l.text[0]) >= 0 {
		return slices.Concat(l.text[:1], []byte(now.Format(klog)), l.text[1+len(klog):])
	}
	return l.text
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
