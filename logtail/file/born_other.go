//go:build !linux

package file

import "os"

// born is not known here.
func born(*os.File) int64 { return 0 }
