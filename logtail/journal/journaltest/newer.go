//go:build linux

package journaltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	newerVersion = 257
	newerSuite   = "trixie" // Debian 13
)

// newerPackages are those that hold the journal's programs, and the libraries that
// these load while they run.
func newerPackages() []string {
	return []string{
		"systemd", "systemd-journal-remote", "base-files", "coreutils",
		"liblz4-1", "libzstd1", "liblzma5", "libgcrypt20",
	}
}

// Newer returns systemd 257 as Debian 13 has it, unpacked into dir/systemd-257. dir
// is a cache: it is done once, in some seconds, by whoever comes first, and only where
// CI=true: nobody who runs the tests on a machine of theirs has asked for apt-get. It needs
// root, Debian and its mirror, which it takes from apt's configuration; apt's own
// lists and caches are left alone.
func Newer(ctx context.Context, dir string) (Systemd, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Systemd{}, fmt.Errorf("get a newer systemd: %w", err)
	}
	root := filepath.Join(dir, fmt.Sprintf("systemd-%d", newerVersion))
	_, missing := os.Stat(root)
	if missing != nil && os.Getenv("CI") != "true" {
		return Systemd{}, fmt.Errorf("no systemd %d in %s: apt-get fetches it where CI=true, as .ci/run sets it", newerVersion, root)
	}
	if err := needRoot(); err != nil {
		return Systemd{}, fmt.Errorf("get a newer systemd: %w", err)
	}
	if missing != nil {
		if err := fetchNewer(ctx, dir, root); err != nil {
			return Systemd{}, fmt.Errorf("get a newer systemd: %w", err)
		}
	}
	return installed(ctx, root)
}

// fetchNewer makes root in a folder of its own below dir and renames it when it is
// complete, so others never see half of it. If two do so at once one of them wins.
func fetchNewer(ctx context.Context, dir, root string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(dir, filepath.Base(root)+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // it is a cache's folder
	a, err := newApt(ctx, scratch)
	if err != nil {
		return err
	}
	debs, err := a.download(ctx, newerPackages())
	if err != nil {
		return err
	}
	made := filepath.Join(scratch, "root")
	if err := unpack(ctx, made, debs); err != nil {
		return err
	}
	if err := os.Rename(made, root); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// unpack unpacks Debian packages into a root that systemd's programs can run in.
func unpack(ctx context.Context, root string, debs []string) error {
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.MkdirAll(filepath.Join(root, "usr", dir), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join("usr", dir), filepath.Join(root, dir)); err != nil {
			return err
		}
	}
	for _, deb := range debs {
		if _, err := run(ctx, nil, "dpkg", "--extract", deb, root); err != nil {
			return err
		}
	}
	for _, dir := range []string{"dev", "proc", "sys", "run", "mnt", "etc", "var/log/journal"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for _, dir := range []string{"doc", "locale", "man"} {
		if err := os.RemoveAll(filepath.Join(root, "usr", "share", dir)); err != nil {
			return err
		}
	}
	_, err := writeMachineID(filepath.Join(root, "etc", "machine-id"))
	return err
}

// apt is apt with a configuration, lists and a cache of its own.
type apt struct{ dir, config string }

// newApt returns an apt for the newer suite that lives in dir. From the machine it
// takes where the mirror is, whom to trust and how to connect.
func newApt(ctx context.Context, dir string) (apt, error) {
	source, err := newerSource(ctx)
	if err != nil {
		return apt{}, err
	}
	host, err := run(ctx, nil, "apt-config", "dump")
	if err != nil {
		return apt{}, err
	}
	var config bytes.Buffer
	for line := range strings.Lines(string(host)) {
		// Proxies and such. Not hooks, which clean the host's cache, or more lists.
		if strings.HasPrefix(line, "Acquire::") && !strings.Contains(line, "IndexTargets") {
			config.WriteString(line)
		}
	}
	fmt.Fprintf(&config, `Acquire::Languages "none";
APT::Sandbox::User "root";
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::SourceList "%[1]s/sources.list";
Dir::State "%[1]s/state";
Dir::State::Status "%[1]s/status";
Dir::Cache "%[1]s/cache";
`, dir)
	a := apt{dir: dir, config: filepath.Join(dir, "apt.conf")}
	for path, text := range map[string]string{"sources.list": source, "status": "", "apt.conf": config.String()} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil {
			return apt{}, err
		}
	}
	for _, sub := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return apt{}, err
		}
	}
	return a, nil
}

// download fetches packages with all that they depend on.
func (a apt) download(ctx context.Context, packages []string) ([]string, error) {
	env := []string{"APT_CONFIG=" + a.config, "LC_ALL=C"}
	if _, err := run(ctx, env, "apt-get", "update"); err != nil {
		return nil, err
	}
	args := append([]string{"--yes", "--no-install-recommends", "--download-only", "install"}, packages...)
	if _, err := run(ctx, env, "apt-get", args...); err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(a.dir, "cache", "archives", "*.deb"))
}

// newerSource returns the line of a sources.list for the newer suite.
func newerSource(ctx context.Context) (string, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	vars := map[string]string{}
	for line := range strings.Lines(string(release)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		vars[name] = strings.Trim(value, `"`)
	}
	if vars["ID"] != "debian" {
		return "", fmt.Errorf("apt of %q does not know a mirror of Debian", vars["ID"])
	}
	out, err := run(ctx, nil, "apt-get", "indextargets", "--format",
		"$(RELEASE) $(CODENAME) $(COMPONENT) $(REPO_URI) $(SOURCESENTRY)", "Created-By: Packages")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		w := strings.Fields(line)
		if len(w) != 5 || w[2] != "main" || (w[0] != vars["VERSION_CODENAME"] && w[1] != vars["VERSION_CODENAME"]) {
			continue
		}
		return fmt.Sprintf("deb %s %s %s main\n", signedBy(w[4]), w[3], newerSuite), nil
	}
	return "", errors.New("apt has no source of Debian's main packages")
}

// signedBy returns the option with the keyring that an entry of apt's sources names,
// or nothing: then apt takes those that it trusts in general.
func signedBy(entry string) string {
	path, _, _ := strings.Cut(entry, ":")
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	found := regexp.MustCompile(`(?im)signed-by\s*[:=]\s*(/[^\s\]]+)`).FindSubmatch(text)
	if found == nil {
		return ""
	}
	return fmt.Sprintf("[signed-by=%s]", found[1])
}

// run runs a program of the machine and returns what it prints.
func run(ctx context.Context, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // G204: apt and dpkg with our own arguments
	cmd.Env = append(os.Environ(), env...)
	return output(cmd)
}
