package main

import (
	"bufio"
	"context"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// settleAfter is how long the start and a usual backlog may take.
const settleAfter = 30 * time.Second

// giveBack hands back, once, the memory that only the start needed: garbage, and the
// pages of the program itself, which are more than all else. The kernel reads those
// again that are needed again. Where it does not know how (before Linux 5.4), or
// does not let us, they stay.
func giveBack(ctx context.Context) {
	timer := time.NewTimer(settleAfter)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	debug.FreeOSMemory()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if begin, size, ok := unwritten(lines.Text(), program); ok {
			if _, _, errno := unix.Syscall(unix.SYS_MADVISE, begin, size, unix.MADV_PAGEOUT); errno != 0 {
				return
			}
		}
	}
}

// unwritten reads a line of /proc/self/maps, as in
// "00400000-00cfb000 r-xp 00000000 fe:00 9994531   /usr/bin/pullcause", and reports
// whether it is of a part of the program that nobody writes to.
func unwritten(line, program string) (begin, size uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[5] != program || strings.Contains(fields[1], "w") {
		return 0, 0, false
	}
	from, to, _ := strings.Cut(fields[0], "-")
	first, err := strconv.ParseUint(from, 16, 64)
	if err != nil {
		return 0, 0, false
	}
	last, err := strconv.ParseUint(to, 16, 64)
	if err != nil || last < first {
		return 0, 0, false
	}
	return uintptr(first), uintptr(last - first), true
}
