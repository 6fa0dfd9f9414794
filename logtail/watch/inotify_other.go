//go:build !linux

package watch

import (
	"errors"
	"iter"
	"os"
)

// notifier is not to be had here: sources poll.
type notifier struct{}

type event struct {
	wd             int32
	name           string
	gone, overflow bool
}

func openNotifier() (*notifier, error) { return nil, errors.ErrUnsupported }

func (*notifier) close() error                         { return nil }
func (*notifier) addFile(*os.File) (int32, error)      { return 0, errors.ErrUnsupported }
func (*notifier) addDir(string) (int32, error)         { return 0, errors.ErrUnsupported }
func (*notifier) remove(int32)                         {}
func (*notifier) read([]byte) (iter.Seq[event], error) { return nil, errors.ErrUnsupported }
