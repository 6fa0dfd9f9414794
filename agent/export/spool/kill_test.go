package spool_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pullcause/agent/export/spool"
)

// childDir makes a test binary the process that is killed.
const childDir = "SPOOL_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := appendAndAck(dir); err != nil {
			fmt.Fprintln(os.Stdout, "error", err)
		}
		return
	}
	os.Exit(m.Run())
}

// appendAndAck never ends. It says what it does on standard output: what is
// stored, and what it is about to acknowledge.
func appendAndAck(dir string) error {
	s, err := spool.Open(spool.Config{Dir: dir, SegmentBytes: 3000})
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(os.Getenv(childDir + "_FIRST"))
	if err != nil {
		return err
	}
	for n := first; ; {
		size := 1 + n%5
		if err := s.Append(recordsOf(n, size), 0); err != nil {
			return err
		}
		n += size
		fmt.Fprintln(os.Stdout, "stored", n)
		if n%2 == 0 {
			batch := s.Next(1+n%16, 1<<20, nil)
			for _, r := range batch {
				fmt.Fprintln(os.Stdout, "acked", r.UID)
			}
			s.Ack(len(batch))
		}
	}
}

// TestKill kills a process that appends and acknowledges, again and again.
func TestKill(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	dir := t.TempDir()
	next, stored, acked := 0, 0, 0
	must := map[int]bool{} // stored and not acknowledged
	for round := range rounds {
		at := next
		for line := range strings.Lines(killedAfter(t, dir, next, time.Duration(1+rand.IntN(60))*time.Millisecond)) {
			var n int
			switch {
			case says(line, "stored %d", &n):
				for ; at < n; at++ {
					must[at] = true
					stored++
				}
			case says(line, "acked u%d", &n):
				delete(must, n)
				acked++
			default:
				t.Fatal(line)
			}
		}
		next = at + 5 // one more Append may have been at work
		var lost lossLog
		s := open(t, spool.Config{Dir: dir, Lost: lost.add})
		got := numbers(t, s.Next(1<<20, 1<<40, nil))
		found(t, fmt.Sprint("round ", round), got, 0, 0, next)
		for n := range must {
			if _, ok := slices.BinarySearch(got, n); !ok {
				t.Fatalf("round %d: %d was stored and is neither there nor acknowledged", round, n)
			}
		}
		same(t, "losses", len(lost), 0)
		s.Close()
	}
	t.Logf("%d records stored and %d acknowledged in %d rounds", stored, acked, rounds)
}

func says(line, format string, n *int) bool {
	_, err := fmt.Sscanf(line, format, n)
	return err == nil
}

// killedAfter runs the child and returns the whole lines that it wrote.
func killedAfter(t *testing.T, dir string, first int, after time.Duration) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childDir+"_FIRST="+strconv.Itoa(first))
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	r := bufio.NewReader(pipe)
	for timer := (*time.Timer)(nil); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			break
		}
		out.WriteString(line)
		if timer == nil { // it is at work
			timer = time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
	}
	cmd.Wait()
	return out.String()
}
