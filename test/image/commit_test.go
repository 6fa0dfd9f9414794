package image

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestReadCommit(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	t.Setenv("GIT_COMMITTER_DATE", "2026-11-25T12:00:00Z")
	for _, args := range [][]string{
		{"init", "-q"},
		{"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m", "first"},
		{"tag", "v1.2.3"},
	} {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	got, err := ReadCommit(t.Context(), folder, Commit{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != "v1.2.3" || got.Tag() != "1.2.3" || len(got.Revision) != 40 || !got.Time.Equal(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", got)
	}
	if given, err := ReadCommit(t.Context(), folder, testCommit); err != nil || given != testCommit {
		t.Errorf("what was given became %+v, %v", given, err)
	}
}

func TestReadCommitOutsideOfAClone(t *testing.T) {
	t.Setenv("GIT_CEILING_DIRECTORIES", "/")
	_, err := ReadCommit(t.Context(), t.TempDir(), Commit{})
	if err == nil || !strings.Contains(err.Error(), "outside of a clone give --version") {
		t.Errorf("got %v", err)
	}
}

func TestParseEpoch(t *testing.T) {
	if got, err := ParseEpoch("1764072000"); err != nil || got.Location() != time.UTC || got.Unix() != 1764072000 {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := ParseEpoch("yesterday"); err == nil {
		t.Error("yesterday is taken for a time")
	}
}
