package enrich

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"pullcause/cri"
	"pullcause/logtail/checkpoint"
	"pullcause/logtail/hostroot"
)

// How often something is looked at, and how long it is waited for.
const (
	// socketAgain: a runtime that is installed later has its socket later.
	socketAgain = 30 * time.Second
	// listSoon is after a change of an image, of which one pull makes several;
	// listSettled after the last one, since CRI learns of it a moment later.
	listSoon    = 100 * time.Millisecond
	listSettled = time.Second
	// listBusy times the cost of a list pass between two of them.
	listBusy = 20
	// listPolled is how often images are listed where nothing tells of changes.
	listPolled = time.Minute
	// askAgain is when something is asked again that was not answered: containerd takes
	// calls before it is ready to answer them.
	askAgain = 5 * time.Second
	// floodPause is how long events are not followed after there were too many.
	floodPause = time.Minute
	// goneAfter is how long the runtime may be away before its pulls are given up. A
	// restart is told by its log.
	goneAfter = 3 * time.Second
	// reportEvery is how often the state of the image cache is told.
	reportEvery = time.Hour
)

// knownSockets are those of runtimes, in the order in which they are looked for
// (kubeadm and most others; k3s and RKE2,
// docs.k3s.io/advanced; k0s, docs.k0sproject.io/stable/runtime; microk8s,
// canonical/microk8s microk8s-resources/default-args/containerd; CRI-O,
// cri-o/cri-o docs/crio.8.md; cri-dockerd, Mirantis/cri-dockerd packaging/systemd).
func knownSockets() []string {
	return []string{
		"/run/containerd/containerd.sock",
		"/run/k3s/containerd/containerd.sock",
		"/run/k0s/containerd.sock",
		"/var/snap/microk8s/common/run/containerd.sock",
		"/run/crio/crio.sock",
		"/var/run/crio/crio.sock",
		"/run/cri-dockerd.sock",
		"/var/run/cri-dockerd.sock",
	}
}

// find returns the path of the runtime's socket.
func (e *Enricher) find() (path string, ok bool) {
	if e.cfg.Socket != Auto {
		return e.onNode(e.cfg.Socket), true
	}
	for _, name := range knownSockets() {
		path := e.onNode(name)
		if info, err := os.Stat(path); err == nil && info.Mode().Type() == os.ModeSocket {
			return path, true
		}
	}
	return "", false
}

// onNode is where a path of the node is seen from here. Below a mounted root its symlinks
// are followed already: the kernel would follow absolute ones in the agent's container.
func (e *Enricher) onNode(name string) string {
	root := hostroot.New(e.cfg.HostRoot)
	path := root.Path(name)
	if root == (hostroot.Root{}) {
		return path
	}
	if real, err := root.Resolve(path); err == nil {
		return real
	}
	return path // not there yet
}

// follow finds the runtime and stays connected to it.
func (e *Enricher) follow(ctx context.Context) error {
	if e.cfg.Socket == Off {
		e.ready()
		<-ctx.Done()
		return nil
	}
	path, ok := e.find()
	for ; !ok; path, ok = e.find() {
		e.ready()
		if !sleep(ctx, socketAgain) {
			return nil
		}
	}
	client, err := cri.Dial(cri.Config{Socket: path, Timeout: e.cfg.Timeout})
	if err != nil {
		return err // a path that no socket can have
	}
	e.mu.Lock()
	e.client, e.runtime.Socket = client, path
	e.runtime.State, e.runtime.Since = RuntimeUnavailable, time.Now()
	e.mu.Unlock()
	var s session
	client.Watch(ctx, func() { s.begin(ctx, e, client) }, func() { s.end(ctx, e) })
	s.stopTimer()
	return client.Close()
}

// session is the time between connecting and losing the connection.
type session struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	gone    *time.Timer
}

func (s *session) begin(ctx context.Context, e *Enricher, client *cri.Client) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.stopTimer()
	e.setState(RuntimeConnected)
	s.running.Go(func() { e.attend(ctx, client) })
}

func (s *session) end(ctx context.Context, e *Enricher) {
	s.cancel()
	s.running.Wait()
	if ctx.Err() != nil {
		return // we leave, not the runtime
	}
	since := time.Now()
	e.setState(RuntimeUnavailable)
	s.gone = time.AfterFunc(goneAfter, func() { e.cfg.RuntimeGone(since) })
}

func (s *session) stopTimer() {
	if s.gone != nil {
		s.gone.Stop()
	}
}

func (e *Enricher) setState(state string) {
	e.mu.Lock()
	unnamed := e.runtime.Name == "" // it has never answered
	e.runtime.State, e.runtime.Since = state, time.Now()
	if state == RuntimeConnected {
		e.runtime.Connections++
	}
	e.mu.Unlock()
	if state == RuntimeConnected || !unnamed {
		e.cfg.Log.Info("connection to the runtime", slog.String("state", state), slog.String("socket", e.Runtime().Socket))
	}
}

// attend keeps what is known of the runtime current until the session ends.
func (e *Enricher) attend(ctx context.Context, client *cri.Client) {
	known := e.introduce(ctx, client)
	var events sync.WaitGroup
	polled := make(chan struct{}) // closed when nothing tells of changes
	poll := sync.OnceFunc(func() { close(polled) })
	events.Go(func() {
		defer poll()
		for ; !known; known = e.introduce(ctx, client) {
			poll()
			if !sleep(ctx, askAgain) {
				return
			}
		}
		if e.isContainerd() {
			e.followEvents(ctx, client, poll)
		}
	})
	defer events.Wait()
	e.keepListed(ctx, client, polled)
}

// followEvents lists images when the runtime says that one has changed. Where it does not
// say so, or too often, poll has them listed each minute.
func (e *Enricher) followEvents(ctx context.Context, client *cri.Client, poll func()) {
	for {
		err := client.WatchImages(ctx, func() { poke(e.changed) })
		if ctx.Err() != nil {
			return
		}
		poll()
		if !errors.Is(err, cri.ErrFlood) {
			e.cfg.Log.Warn("cannot follow changes of images; listing them each minute", slog.String("error", redactError(err)))
			return
		}
		e.floods.Do(func() { e.cfg.Log.Warn("listing images each minute", slog.String("error", err.Error())) })
		if !sleep(ctx, floodPause) {
			return
		}
	}
}

// introduce asks who the runtime is; it reports whether that is known.
func (e *Enricher) introduce(ctx context.Context, client *cri.Client) (known bool) {
	version, err := client.Version(ctx)
	if err != nil {
		return false
	}
	e.mu.Lock()
	e.runtime.Name, e.runtime.Version = version.Name, version.Version
	e.mu.Unlock()
	if !e.isContainerd() {
		return true
	}
	if server, err := client.Server(ctx); err == nil || server.PID != 0 {
		e.mu.Lock()
		e.runtime.PID, e.runtime.FailedPlugins = server.PID, redacted(server.FailedPlugins)
		e.snapshotters = server.Snapshotters
		e.mu.Unlock()
	}
	return true
}

// isContainerd reports whether containerd's own services are there and may be used.
func (e *Enricher) isContainerd() bool {
	return e.cfg.Containerd != Off && e.Runtime().Name == "containerd"
}

// keepListed lists the images at first and after each change; where nothing tells of
// changes, each minute.
func (e *Enricher) keepListed(ctx context.Context, client *cri.Client, polled <-chan struct{}) {
	report := time.NewTimer(e.reportDue())
	defer report.Stop()
	next := newNextList()
	defer next.timer.Stop()
	again := true // once more when it has settled
	for {
		select {
		case <-ctx.Done():
			return
		case <-polled:
			polled = nil
			next.in(listSettled)
		case <-report.C:
			report.Reset(reportEvery)
			e.tellCached(ctx)
		case <-e.changed:
			again = true
			next.in(listSoon)
		case <-next.timer.C:
			began := time.Now()
			ok := e.list(ctx, client)
			next.done(time.Since(began))
			switch {
			case again:
				again = false
				next.in(listSettled)
			case !ok:
				next.in(askAgain)
			case polled == nil:
				next.in(listPolled)
			}
		}
	}
}

// nextList is when images are listed next. What is planned is not put off, or a node on
// which they change all the time would never list them.
type nextList struct {
	timer *time.Timer
	at    time.Time // zero if nothing is planned
	rest  time.Time // not before, since listing them costs much
}

func newNextList() *nextList { return &nextList{timer: time.NewTimer(0), at: time.Now()} }

// in plans a list after a while, unless one comes sooner.
func (n *nextList) in(d time.Duration) {
	at := time.Now().Add(d)
	if at.Before(n.rest) {
		at = n.rest
	}
	if n.at.IsZero() || at.Before(n.at) {
		n.at = at
		n.timer.Reset(time.Until(at))
	}
}

// done notes that they were listed, and what that took.
func (n *nextList) done(cost time.Duration) {
	n.at, n.rest = time.Time{}, time.Now().Add(listBusy*cost)
}

// list takes the images that are there now; ok is false if the runtime does not say.
func (e *Enricher) list(ctx context.Context, client *cri.Client) (ok bool) {
	defer e.ready()
	list, cut, err := client.Images(ctx)
	if err != nil {
		return false // Features tells of it
	}
	e.cuts.note("images", cut)
	e.askFilesystem(ctx)
	first := !e.images.known()
	if e.images.set(list, cut > 0, time.Now()) {
		e.store()
	}
	if first {
		e.tellCached(ctx)
	}
	return true
}

// store keeps the names of images for the next run. Only one session at a time calls
// it.
func (e *Enricher) store() {
	e.images.mu.Lock()
	text := e.images.removed.encode()
	e.images.mu.Unlock() // a disk may be slow, and lookup must not be
	if text == nil {
		return
	}
	if err := checkpoint.ReplaceFile(e.images.removed.path, text); err != nil {
		e.complain(fmt.Errorf("write remembered images: %w", err))
		return
	}
	e.images.mu.Lock()
	defer e.images.mu.Unlock()
	e.images.removed.saved = text
}
