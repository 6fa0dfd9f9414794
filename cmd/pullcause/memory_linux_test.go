package main

import "testing"

// A page of data that is given to the kernel may be lost, and one of another file is
// not ours.
func TestUnwritten(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"00400000-00cfb000 r-xp 00000000 fe:00 9994531                            /usr/bin/pullcause": true,
		"00cfb000-0171d000 r--p 008fb000 fe:00 9994531                            /usr/bin/pullcause": true,
		"0171d000-017a5000 rw-p 0131d000 fe:00 9994531                            /usr/bin/pullcause": false,
		"7f0000000000-7f0000100000 r-xp 00000000 fe:00 5                          /usr/lib/libc.so.6": false,
		"017a5000-037f5000 rw-p 00000000 00:00 0 ":                                                    false,
		"33d01000-33d22000 rw-p 00000000 00:00 0                                  [heap]":             false,
		"": false,
	} {
		begin, size, ok := unwritten(line, "/usr/bin/pullcause")
		if ok != want || ok && (begin == 0 || size == 0) {
			t.Errorf("%q: got %#x, %#x, %v, want %v", line, begin, size, ok, want)
		}
	}
}
