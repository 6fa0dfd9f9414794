//go:build linux

package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Cluster is the control plane of the cluster that a node is. All of it is on the
// node's network: see [Node.Dial] and [Node.Command].
type Cluster struct {
	// Kubeconfig is a file that makes who reads it the cluster's administrator.
	Kubeconfig string

	dir      string
	node     *Node
	programs []*process
}

// clusterStart is how long the API server may take until it is ready.
const clusterStart = time.Minute

// startCluster runs the control plane, and returns when the API server is ready.
func (n *Node) startCluster(ctx context.Context, c ControlPlane) error {
	began := time.Now()
	n.Cluster = &Cluster{dir: filepath.Join(n.Dir, "cluster"), node: n}
	n.Cluster.Kubeconfig = filepath.Join(n.Cluster.dir, "kubeconfig")
	if err := errors.Join(n.forwardBetweenPods(), n.Cluster.start(ctx, c)); err != nil {
		return fmt.Errorf("start cluster: %w", err)
	}
	n.logf("the API server %s is ready after %s", c.Version, time.Since(began).Round(time.Millisecond))
	return nil
}

func (c *Cluster) start(ctx context.Context, programs ControlPlane) error {
	if err := writeClusterFiles(c.dir); err != nil {
		return err
	}
	all := c.commands()
	for _, program := range []string{etcd, apiserver} {
		if err := c.run(programs.dir, program, all[program]); err != nil {
			return err
		}
	}
	if err := c.waitReady(ctx); err != nil {
		return err
	}
	certificate, err := os.ReadFile(filepath.Join(c.dir, certificateFile))
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Kubeconfig, kubeconfig(certificate), 0o600); err != nil {
		return err
	}
	for _, program := range []string{controllerManager, scheduler} {
		if err := c.run(programs.dir, program, all[program]); err != nil {
			return err
		}
	}
	return nil
}

// run starts a program, which writes to NAME.log.
func (c *Cluster) run(dir, name string, args []string) error {
	log, err := os.Create(c.logFile(name))
	if err != nil {
		return err
	}
	defer log.Close() // the program has its own
	cmd := exec.Command(filepath.Join(dir, name), args...)
	cmd.Dir = c.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{"TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p, err := startProcess(c.node.ns, cmd)
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	c.programs = append(c.programs, p)
	return nil
}

func (c *Cluster) logFile(program string) string { return filepath.Join(c.dir, program+".log") }

// waitReady asks the API server until it says that it is ready.
func (c *Cluster) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clusterStart)
	defer cancel()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		err := c.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
			continue
		case <-ctx.Done():
		case <-c.programs[0].done:
		case <-c.programs[1].done:
		}
		return fmt.Errorf("wait for the API server: %w; the last lines of%s", err, c.lastLines(etcd, apiserver))
	}
}

func (c *Cluster) lastLines(programs ...string) string {
	var text strings.Builder
	for _, program := range programs {
		log, err := os.ReadFile(c.logFile(program))
		fmt.Fprintf(&text, "\n%s (%v):\n%s", program, err, lastLines(log, 10))
	}
	return text.String()
}

// ready trusts the certificate that the API server has made for itself.
func (c *Cluster) ready(ctx context.Context) error {
	certificate, err := os.ReadFile(filepath.Join(c.dir, certificateFile))
	if err != nil {
		return err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(certificate)
	transport := &http.Transport{DialContext: c.node.Dial, TLSClientConfig: &tls.Config{RootCAs: trusted}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, apiserverURL+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// stop ends all programs, of which nothing is to be kept.
func (c *Cluster) stop() error {
	var errs []error
	for _, p := range c.programs {
		if err := p.cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
		<-p.done
	}
	return errors.Join(errs...)
}

// Dial connects to an address of the node's network.
func (n *Node) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = n.ns.do(func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Command runs a program on the node's network, with the files of this machine, and waits for its end.
func (n *Node) Command(cmd *exec.Cmd) error {
	if err := n.ns.do(cmd.Start); err != nil {
		return err
	}
	return cmd.Wait()
}

// ReceiverName is a host of the lab's internet where nobody listens but who asks for it by
// [Node.ListenAsReceiver].
const ReceiverName = "receiver.lab.test"

const receiverAddress = "198.51.100.80"

// ListenAsReceiver listens at a port of [ReceiverName].
func (n *Node) ListenAsReceiver(port int) (net.Listener, error) {
	l, err := n.internet.listen(fmt.Sprintf("%s:%d", receiverAddress, port))
	if err != nil {
		return nil, fmt.Errorf("listen as %s: %w", ReceiverName, err)
	}
	return l, nil
}
