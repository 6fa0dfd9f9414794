package consumer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// stopTimeout is how long a program may take to stop before it is killed,
// readyTimeout how long to begin.
const (
	stopTimeout  = 10 * time.Second
	readyTimeout = 30 * time.Second
)

// process is a running program with its log in a file.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   *os.File
	ended chan struct{}
	err   error // of Wait, once ended is closed
	told  bool  // that it ended too early
}

// startProcess runs a program, whose log goes into the folder dir. The caller
// stops it.
func startProcess(program, dir string, args ...string) (*process, error) {
	p := &process{name: filepath.Base(program), ended: make(chan struct{})}
	var err error
	if p.log, err = os.Create(filepath.Join(dir, p.name+".log")); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = endWithUs()
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", p.name, err), p.log.Close())
	}
	go func() {
		p.err = errors.Join(p.cmd.Wait(), p.log.Close())
		close(p.ended)
	}()
	return p, nil
}

// kill ends the program at once.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	<-p.ended
	return err
}

// ready waits until the program answers at a URL, whatever it says.
func (p *process) ready(ctx context.Context, url string) error {
	return p.wait(ctx, func(ctx context.Context) error {
		_, err := fetch(ctx, http.MethodGet, url, nil)
		if _, answered := errors.AsType[statusError](err); answered {
			return nil
		}
		return err
	})
}

// listening waits until the program listens on an address.
func (p *process) listening(ctx context.Context, address string) error {
	return p.wait(ctx, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// wait tries until it works or the program has ended.
func (p *process) wait(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			p.told = true
			return p.failure("start", p.err)
		case <-ctx.Done():
			return p.failure("wait for", err)
		}
	}
}

// stop asks the program to end and waits for that.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return p.failure("stop", err)
	}
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		err := p.cmd.Process.Kill()
		<-p.ended
		return p.failure("stop", errors.Join(fmt.Errorf("it did not end within %s", stopTimeout), err))
	}
	if p.err != nil && !p.told {
		return p.failure("stop", p.err)
	}
	return nil
}

// failure is an error with the end of the program's log.
func (p *process) failure(doing string, err error) error {
	text, readErr := os.ReadFile(p.log.Name())
	if readErr != nil {
		text = []byte(readErr.Error())
	}
	return fmt.Errorf("%s %s: %w\n%s", doing, p.name, err, lastOf(text, 2000))
}

// freeAddress is one of the loopback interface that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free address: %w", err)
	}
	return l.Addr().String(), l.Close()
}
