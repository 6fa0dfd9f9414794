package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// fileLayer makes a layer of one file of root's and the folders above it.
func fileLayer(name string, mode int64, body []byte, at time.Time) (v1.Layer, error) {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	name = strings.TrimPrefix(name, "/")
	for i, c := range name {
		if c == '/' {
			if err := w.WriteHeader(header(name[:i+1], tar.TypeDir, 0o755, 0, at)); err != nil {
				return nil, fmt.Errorf("write the folder %s: %w", name[:i], err)
			}
		}
	}
	if err := addFile(w, name, mode, body, at); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("end the layer: %w", err)
	}
	return tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(plain.Bytes())), nil },
		tarball.WithCompressionLevel(gzip.BestCompression),
		tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressedCaching)
}

// header leaves out all that differs between machines: owners' names, times of
// access, the umask.
func header(name string, kind byte, mode, size int64, at time.Time) *tar.Header {
	return &tar.Header{Name: name, Typeflag: kind, Mode: mode, Size: size, ModTime: at, Format: tar.FormatUSTAR}
}

func addFile(w *tar.Writer, name string, mode int64, body []byte, at time.Time) error {
	if err := w.WriteHeader(header(name, tar.TypeReg, mode, int64(len(body)), at)); err != nil {
		return fmt.Errorf("write %s: %w", path.Base(name), err)
	}
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write %s: %w", path.Base(name), err)
	}
	return nil
}

func unpackedSize(layer v1.Layer) (int64, error) {
	r, err := layer.Uncompressed()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.Copy(io.Discard, r)
}
