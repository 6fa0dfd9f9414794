//go:build !linux

package hostroot

import (
	"io/fs"
	"os"
)

func (r Root) open(rel, _ string) (*os.File, error) { return r.openWalked(rel) }

func (r Root) stat(rel string) (fs.FileInfo, error) { return r.statWalked(rel) }
