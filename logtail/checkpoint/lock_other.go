//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package checkpoint

import (
	"errors"
	"os"
)

// flock is not to be had here: nodes run Linux.
func flock(*os.File) error { return errors.ErrUnsupported }
