//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pullcause/agent/export/otlp/otlptest"
	"pullcause/logtail/checkpoint"
	"pullcause/test/lab"
)

// repository is where the agent's module begins, bin where the lab builds to.
const (
	repository = "../.."
	bin        = repository + "/bin"
)

// stopTimeout is how long the agent may take to stop: it drains for up to 5 s.
const stopTimeout = 10 * time.Second

// process is an agent that runs.
type process struct {
	cmd   *exec.Cmd
	state string // its delivery.state_dir
	ended chan error
	log   bytes.Buffer // complete when it has ended
	once  sync.Once
}

const config = `
%s
delivery: {state_dir: %q}
otlp: {logs: {endpoint: %q}}
server: {listen: "127.0.0.1:0", debug: {listen: "127.0.0.1:0"}}
`

// logs says where a node's logs are: the part of a configuration, and the names of
// the sources that the agent makes of it.
type logs struct {
	config  string
	sources []string
}

// logsOf returns the logs of a node: the journal, to be found below its root, or
// the files of containerd and the kubelet.
func logsOf(n *lab.Node) logs {
	if n.HostRoot != "" {
		return logs{fmt.Sprintf("host_root: %q\nsources: {auto: true, lookback: all}", n.HostRoot), []string{"journal"}}
	}
	files := []string{"containerd:" + n.LogFile}
	if n.KubeletLog != "" {
		files = append(files, "kubelet:"+n.KubeletLog)
	}
	return filesOf(files...)
}

// filesOf are some log files, as sources.files names them.
func filesOf(files ...string) logs {
	l := logs{config: fmt.Sprintf("sources: {auto: false, files: [%s], lookback: all}", strings.Join(quoted(files), ", "))}
	for _, f := range files {
		_, path, _ := strings.Cut(f, ":")
		l.sources = append(l.sources, "file:"+path)
	}
	return l
}

func quoted(words []string) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = strconv.Quote(w)
	}
	return all
}

// program is the agent's program, built once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(bin)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "pullcause")
	build := exec.Command("go", "build", "-o", path, "./cmd/pullcause")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the agent: %w\n%s", err, out)
	}
	return path, nil
})

// startAgent runs the agent on a node's logs; it knows nothing yet.
func startAgent(t *testing.T, l logs, r *otlptest.Receiver) *process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	state := filepath.Join(dir, "state")
	text := fmt.Sprintf(config, l.config, state, r.URL())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return runAgent(t, exec.Command(path, "run", "--config", file), state)
}

// again starts an agent with the same configuration and state.
func (p *process) again(t *testing.T) *process {
	t.Helper()
	return runAgent(t, exec.Command(p.cmd.Path, p.cmd.Args[1:]...), p.state)
}

func runAgent(t *testing.T, cmd *exec.Cmd, state string) *process {
	t.Helper()
	p := &process{cmd: cmd, state: state, ended: make(chan error, 1)}
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "NODE_NAME=node-a"}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop asks the agent to end, waits for it and expects that all is well.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which shows below
		select {
		case err := <-p.ended:
			if err != nil {
				t.Errorf("the agent ended with %v:\n%s", err, p.log.Bytes())
			}
		case <-time.After(stopTimeout):
			_ = p.cmd.Process.Kill()
			<-p.ended
			t.Errorf("the agent did not stop within %s:\n%s", stopTimeout, p.log.Bytes())
		}
	})
}

// sources returns the names of all sources that the agent, which has ended, has
// read anything of: it stores how far it came in each.
func (p *process) sources(t *testing.T) []string {
	t.Helper()
	st, err := checkpoint.Open(p.state).Load()
	if err != nil {
		t.Error(err)
	}
	return slices.Sorted(maps.Keys(st.Positions))
}

// cannot skips a test that cannot run here, which on CI is a failure.
func cannot(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot run, and on CI it must: %s", why)
	}
	t.Skip(why)
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "needs root for containerd and its namespaces")
	}
}
