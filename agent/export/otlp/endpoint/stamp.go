package endpoint

import "os"

// stamp tells one state of a file from another, also behind the symbolic links
// by which Kubernetes swaps the files of a Secret.
type stamp struct{ info os.FileInfo }

// changed reports whether the file is not, or may not be, as it was.
func (s stamp) changed(file string) bool {
	info, err := os.Stat(file)
	return err != nil || s.info == nil || !os.SameFile(info, s.info) ||
		!info.ModTime().Equal(s.info.ModTime()) || info.Size() != s.info.Size()
}
