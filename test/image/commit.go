package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// Commit is what is built, and all that makes one build differ from another.
type Commit struct {
	Version  string
	Revision string
	Time     time.Time // every timestamp in what is made
	URL      string    // of the source, if it is published
}

// Tag is how the image of the commit is tagged, and what the chart asks for: 1.2.3 for v1.2.3.
func (c Commit) Tag() string {
	if semver.IsValid(c.Version) {
		return strings.TrimPrefix(c.Version, "v")
	}
	return c.Version
}

// ReadCommit asks git for what is not given yet.
func ReadCommit(ctx context.Context, source string, given Commit) (Commit, error) {
	var err error
	if given.Version == "" {
		// Without --abbrev the length follows the number of objects in this clone.
		if given.Version, err = git(ctx, source, "describe", "--tags", "--always", "--dirty", "--abbrev=12"); err != nil {
			return given, err
		}
	}
	if given.Revision == "" {
		if given.Revision, err = git(ctx, source, "rev-parse", "HEAD"); err != nil {
			return given, err
		}
	}
	if given.Time.IsZero() {
		text, err := git(ctx, source, "log", "-1", "--format=%ct")
		if err != nil {
			return given, err
		}
		if given.Time, err = ParseEpoch(text); err != nil {
			return given, err
		}
	}
	return given, nil
}

// ParseEpoch reads a time as SOURCE_DATE_EPOCH has it.
func ParseEpoch(text string) (time.Time, error) {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("time of the commit %q: want seconds since 1970: %w", text, err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

func git(ctx context.Context, folder string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = folder
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s in %s: %w%s; outside of a clone give --version, --revision and SOURCE_DATE_EPOCH",
			args[0], folder, err, said(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// said is what a program printed before it failed.
func said(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return ": " + strings.TrimSpace(string(exit.Stderr))
	}
	return ""
}

// compile makes the agent for one architecture, as a static program. Whatever
// of the environment or of the folder could change its bytes is overruled.
func compile(ctx context.Context, source, out, arch string, c Commit) error {
	args := append([]string{"build"}, buildFlags(c)...)
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", out, "./cmd/pullcause")...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=-mod=readonly", "GOEXPERIMENT=", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the agent for %s: %w\n%s", arch, err, text)
	}
	return nil
}

// buildFlags are those of the Dockerfile too. VCS stamps are off: a folder that
// is no clone, such as a container's, has none to give.
func buildFlags(c Commit) []string {
	return []string{
		"-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -X main.version=" + c.Version + " -X main.commit=" + c.Revision,
	}
}
