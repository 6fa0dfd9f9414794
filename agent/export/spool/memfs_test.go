package spool_test

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing/fstest"

	"pullcause/agent/export/spool"
)

// memFS is a disk in memory that can lose its power and fail. All paths are of
// one folder.
type memFS struct {
	mu sync.Mutex
	// files is what a process sees, durable what is found after power loss.
	files, durable map[string]*inode
	// fail is asked before each action; what it returns is the action's error.
	fail func(action, path string) error
	// cut says how much of a write that fails is done.
	cut func(size int) int
	// after is called with the lock held, after each action that changed something.
	after func()
}

// inode is a file's content. Where a sync failed the kernel forgets that pages
// are not on the disk.
type inode struct {
	data, synced []byte
	forgotten    []hole
}

type hole struct{ from, to int }

func newMemFS() *memFS {
	return &memFS{files: map[string]*inode{}, durable: map[string]*inode{}}
}

func (m *memFS) begin(action, path string) error {
	if m.fail == nil {
		return nil
	}
	if err := m.fail(action, path); err != nil {
		return &fs.PathError{Op: action, Path: path, Err: err}
	}
	return nil
}

func (m *memFS) done() {
	if m.after != nil {
		m.after()
	}
}

func (m *memFS) MakeDir(dir string) error { return m.begin("mkdir", dir) }

func (m *memFS) ReadDir(dir string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin("readdir", dir); err != nil {
		return nil, err
	}
	stand := fstest.MapFS{}
	for path, node := range m.files {
		stand[filepath.Base(path)] = &fstest.MapFile{Data: node.data}
	}
	return stand.ReadDir(".")
}

func (m *memFS) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin("syncdir", dir); err != nil {
		return err
	}
	m.durable = maps.Clone(m.files)
	m.done()
	return nil
}

func (m *memFS) Create(path string) (spool.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin("create", path); err != nil {
		return nil, err
	}
	if m.files[path] != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	node := &inode{}
	m.files[path] = node
	m.done()
	return &memFile{m: m, path: path, node: node}, nil
}

func (m *memFS) Open(path string) (spool.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin("open", path); err != nil {
		return nil, err
	}
	node := m.files[path]
	if node == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return &memFile{m: m, path: path, node: node}, nil
}

func (m *memFS) Remove(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin("remove", path); err != nil {
		return err
	}
	if m.files[path] == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	delete(m.files, path)
	m.done()
	return nil
}

// memFile is an open file.
type memFile struct {
	m    *memFS
	path string
	node *inode
	off  int
}

func (f *memFile) Write(p []byte) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	err := f.m.begin("write", f.path)
	if err != nil {
		p = p[:f.m.cut(len(p))]
	}
	if short, ok := errorAs[shortWrite](err); ok {
		err = short.err
	}
	f.node.data = append(f.node.data[:f.off:f.off], p...)
	f.off += len(p)
	f.m.done()
	return len(p), err
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.begin("read", f.path); err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.begin("sync", f.path); err != nil {
		f.node.forgotten = append(f.node.forgotten, hole{len(f.node.synced), len(f.node.data)})
		return err
	}
	f.node.synced = slices.Clone(f.node.data)
	for _, h := range f.node.forgotten {
		clear(f.node.synced[min(h.from, len(f.node.synced)):min(h.to, len(f.node.synced))])
	}
	f.m.done()
	return nil
}

func (f *memFile) Truncate(size int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.begin("truncate", f.path); err != nil {
		return err
	}
	f.node.data = f.node.data[:min(int(size), len(f.node.data))]
	f.m.done()
	return nil
}

func (f *memFile) Close() error { return nil }

// killed is the disk after kill -9.
func (m *memFS) killed() *memFS {
	out := newMemFS()
	for path, node := range m.files {
		out.files[path] = &inode{data: slices.Clone(node.data), synced: node.synced, forgotten: slices.Clone(node.forgotten)}
	}
	for path, node := range m.durable {
		if out.durable[path] = node; m.files[path] == node {
			out.durable[path] = out.files[path]
		}
	}
	return out
}

// unplugged is the disk after power loss. What was not synced may be there, in
// part, or not.
func (m *memFS) unplugged(rng *rand.Rand) *memFS {
	out := newMemFS()
	entries := maps.Clone(m.durable)
	if rng.IntN(2) == 0 {
		entries = maps.Clone(m.files)
	}
	for path, node := range entries {
		data := slices.Clone(node.synced)
		if more := len(node.data) - len(data); more > 0 {
			switch rng.IntN(3) {
			case 0: // the size is there, the data not
				data = append(data, make([]byte, more)...)
			case 1:
				data = append(data, node.data[len(data):len(data)+rng.IntN(more+1)]...)
			}
		}
		out.files[path] = &inode{data: data, synced: data}
	}
	out.durable = maps.Clone(out.files)
	return out
}

// cutting is the disk after a kill -9 that hits the write that is done last.
func (m *memFS) cutting(before *memFS, rng *rand.Rand) *memFS {
	out := m.killed()
	for path, node := range out.files {
		was := before.files[path]
		if was != nil && len(node.data) > len(was.data) && bytes.HasPrefix(node.data, was.data) {
			node.data = node.data[:len(was.data)+rng.IntN(len(node.data)-len(was.data)+1)]
		}
	}
	return out
}

// shortWrite makes a write do part of its work and return err, which may be nil.
type shortWrite struct{ err error }

func (shortWrite) Error() string { return "short write" }

var diskErrors = []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS}
