package image

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

const root = "../.."

// testCommit is what the tests build, whatever is checked out.
var testCommit = Commit{
	Version: "v1.2.3", Revision: "0123456789abcdef0123456789abcdef01234567",
	Time: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), URL: "https://example.com/pullcause",
}

// shared is where the images that all tests look at are built, once.
var shared struct {
	folder string
	once   sync.Once
	built  *Built
	err    error
}

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "pullcause-image-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared.folder = folder
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// built returns the images of the agent as it is.
func built(t *testing.T) *Built {
	t.Helper()
	shared.once.Do(func() {
		shared.built, shared.err = Build(t.Context(), root, filepath.Join(shared.folder, "bin"), testCommit)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.built
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
