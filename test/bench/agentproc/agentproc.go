// Package agentproc runs the agent as a process and measures what it costs.
// Linux only. Start at [Start].
package agentproc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Config says how the agent runs.
type Config struct {
	// Binary is the agent, Dir a folder for its state, configuration and log. A
	// second agent with the same Dir goes on where the first one stopped.
	Binary, Dir string
	// File is the log to follow, Files are several, in the form of sources.files. If both
	// are empty, the agent finds the logs of the node whose file system HostRoot is.
	// Endpoint is where records go.
	File, HostRoot, Endpoint string
	Files                    []string
	// JoinWindow is pulls.join_window; 0 is the default.
	JoinWindow time.Duration
	// Env is added to the environment.
	Env []string
}

// Process is a running agent.
type Process struct {
	cmd     *exec.Cmd
	log     *os.File
	listen  string
	debug   string
	started time.Time
	ended   chan struct{}
	err     error // of Wait, once ended is closed
}

// Start starts an agent that reads its log from the beginning unless Dir holds a
// position. The caller ends it with Stop or Kill.
func Start(cfg Config) (*Process, error) {
	p := &Process{ended: make(chan struct{})}
	var err error
	if p.listen, err = freeAddress(); err != nil {
		return nil, err
	}
	if p.debug, err = freeAddress(); err != nil {
		return nil, err
	}
	file := filepath.Join(cfg.Dir, "config.yaml")
	if err := os.WriteFile(file, p.configuration(cfg), 0o600); err != nil {
		return nil, err
	}
	p.log, err = os.OpenFile(filepath.Join(cfg.Dir, "agent.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(cfg.Binary, "run", "--config", file)
	p.cmd.Env = append(environment(), cfg.Env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start agent: %w (is it built?)", err), p.log.Close())
	}
	go func() {
		p.err = errors.Join(p.cmd.Wait(), p.log.Close())
		close(p.ended)
	}()
	return p, nil
}

// environment is ours without what would configure the agent.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PULLCAUSE_") && !strings.HasPrefix(v, "OTEL_") {
			env = append(env, v)
		}
	}
	return env
}

// configuration is what the agent is started with.
func (p *Process) configuration(cfg Config) []byte {
	var b bytes.Buffer
	files := slices.Clone(cfg.Files)
	if cfg.File != "" {
		files = append(files, cfg.File)
	}
	if len(files) > 0 {
		b.WriteString("sources:\n  auto: false\n  lookback: all\n  files:\n")
		for _, file := range files {
			fmt.Fprintf(&b, "    - %q\n", file)
		}
		b.WriteString("cri: {socket: \"off\"}\n")
	} else {
		fmt.Fprintf(&b, "host_root: %q\nsources: {lookback: all}\n", cfg.HostRoot)
	}
	fmt.Fprintf(&b, "otlp: {logs: {endpoint: %q}}\n", cfg.Endpoint)
	fmt.Fprintf(&b, "delivery: {state_dir: %q}\n", filepath.Join(cfg.Dir, "state"))
	fmt.Fprintf(&b, "server: {listen: %q, debug: {listen: %q, pprof: true}}\n", p.listen, p.debug)
	if cfg.JoinWindow > 0 {
		fmt.Fprintf(&b, "pulls: {join_window: %s}\n", cfg.JoinWindow)
	}
	return b.Bytes()
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Started is when it was started.
func (p *Process) Started() time.Time { return p.started }

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Public is the address of its metrics.
func (p *Process) Public() string { return p.listen }

// Debug is the address of its debug endpoint.
func (p *Process) Debug() string { return p.debug }

// Ready waits until the agent reads its log.
func (p *Process) Ready(ctx context.Context) error {
	client := http.Client{Timeout: time.Second}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := client.Get("http://" + p.listen + "/readyz")
		if err == nil {
			_ = resp.Body.Close() // not looked at
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("the agent has ended: %w; see %s", p.err, p.log.Name())
		case <-ctx.Done():
			return fmt.Errorf("wait for the agent to be ready: %w; see %s", context.Cause(ctx), p.log.Name())
		}
	}
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Kill ends the agent at once, at whatever instruction it is.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() //nolint:errcheck // it may have ended by itself, which Stop tells
	<-p.ended
}

// Stop asks the agent to end and waits for that, at most 10 s. One that has only just been
// started is given the time to hear it.
func (p *Process) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = p.Ready(ctx) //nolint:errcheck // then it is stopped as it is
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		<-p.ended
		return fmt.Errorf("the agent ended before it was stopped: %w; see %s", p.err, p.log.Name())
	}
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		p.Kill()
		return fmt.Errorf("stop agent: it did not end within 10 s; see %s", p.log.Name())
	}
	if p.err != nil {
		return fmt.Errorf("stop agent: %w; see %s", p.err, p.log.Name())
	}
	return nil
}

// CPU is the processor time that the process has used, in user and kernel mode,
// to the nanosecond.
func (p *Process) CPU() (time.Duration, error) {
	// Linux: the clock of a process is its inverted id above three bits, of which
	// 2 means the scheduler's count (include/linux/posix-timers_types.h).
	clock := int32(^p.cmd.Process.Pid<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("read the CPU time of the agent: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}

// Memory is the resident memory in bytes, now and at its peak.
func (p *Process) Memory() (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch {
		case err != nil:
		case key == "VmRSS":
			now = kib << 10
		case key == "VmHWM":
			peak = kib << 10
		}
	}
	if peak == 0 {
		return 0, 0, errors.New("read the memory of the agent: /proc tells none")
	}
	return now, peak, nil
}
