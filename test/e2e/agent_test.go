//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"net"
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
	cmd    *exec.Cmd
	state  string // its delivery.state_dir
	debug  string // the address of its debug endpoint
	public string // that of its metrics
	ended  chan error
	log    bytes.Buffer // complete when it has ended
	once   sync.Once
}

const config = `
%s
delivery: {state_dir: %q}
otlp: {logs: {endpoint: %q}}
server: {listen: %q, debug: {listen: %q}}
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
	if n.LogFile == "" {
		return logs{fmt.Sprintf("host_root: %q\nsources: {auto: true, lookback: all}", n.HostRoot), []string{"journal"}}
	}
	files := []string{"containerd:" + n.LogFile}
	if n.KubeletLog != "" {
		files = append(files, "kubelet:"+n.KubeletLog)
	}
	return filesOf(n, files...)
}

// filesOf are some log files of a node, as sources.files names them.
func filesOf(n *lab.Node, files ...string) logs {
	var l logs
	for i, f := range files {
		program, path, _ := strings.Cut(f, ":")
		l.sources = append(l.sources, "file:"+path)
		files[i] = program + ":" + strings.TrimPrefix(path, n.HostRoot)
	}
	l.config = fmt.Sprintf("host_root: %q\nsources: {auto: false, files: [%s], lookback: all}", n.HostRoot, strings.Join(quoted(files), ", "))
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
	p := process{state: state, public: freeAddress(t), debug: freeAddress(t)}
	text := fmt.Sprintf(config, l.config, state, r.URL(), p.public, p.debug)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p.run(t, exec.Command(path, "run", "--config", file))
}

// again starts an agent with the same configuration and state.
func (p *process) again(t *testing.T) *process {
	t.Helper()
	return p.run(t, exec.Command(p.cmd.Path, p.cmd.Args[1:]...))
}

// freeAddress is one on loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run runs the agent with the state and addresses of p.
func (p *process) run(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p = &process{cmd: cmd, state: p.state, debug: p.debug, public: p.public, ended: make(chan error, 1)}
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
	positions, err := checkpoint.Open(p.state).Load(noIncidents{})
	if err != nil {
		t.Error(err)
	}
	return slices.Sorted(maps.Keys(positions))
}

// noIncidents leaves out the incidents of a stored state.
type noIncidents struct{}

func (noIncidents) Reset()           {}
func (noIncidents) Set([]byte) error { return nil }
func (noIncidents) Remove(string)    {}

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
