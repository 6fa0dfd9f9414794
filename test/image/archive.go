package image

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// archive is a tar file that depends on names and contents only.
type archive struct {
	w  *tar.Writer
	at time.Time
}

// writeArchive writes a tar file, compressed or not, filled by fill.
func writeArchive(file string, at time.Time, compressed bool, fill func(*archive) error) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write an archive: %w", err)
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			err = fmt.Errorf("write %s: %w", filepath.Base(file), err)
		}
	}()
	var to io.WriteCloser = out
	if compressed {
		if to, err = gzip.NewWriterLevel(out, gzip.BestCompression); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, to.Close()) }()
	}
	a := &archive{w: tar.NewWriter(to), at: at}
	if err := fill(a); err != nil {
		return err
	}
	return a.w.Close()
}

func (a *archive) add(name string, mode int64, body []byte) error {
	return addFile(a.w, name, mode, body, a.at)
}

// addPath adds a file as it is on disk.
func (a *archive) addPath(name string, mode int64, file string) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read what goes into an archive: %w", err)
	}
	return a.add(name, mode, body)
}

// addTree adds the files below folder, in the order of their names, but those that skip names.
func (a *archive) addTree(prefix, folder string, skip func(name string, dir bool) bool) error {
	return filepath.WalkDir(folder, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, file)
		if err != nil || relative == "." {
			return err
		}
		name := filepath.ToSlash(relative)
		switch {
		case skip != nil && skip(name, e.IsDir()):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir():
			return nil
		case !e.Type().IsRegular():
			return fmt.Errorf("%s is neither file nor folder: leave it out of what is released", file)
		}
		return a.addPath(path.Join(prefix, name), 0o644, file)
	})
}
