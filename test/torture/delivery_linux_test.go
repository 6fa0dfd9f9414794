package torture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp/otlptest"
	"pullcause/test/bench/agentproc"
)

// roundsEnv is how often TestDelivery kills the agent.
const roundsEnv = "PULLCAUSE_TORTURE_ROUNDS"

const (
	shortRounds = 15
	pullsEvery  = 300 * time.Millisecond // 200 in a minute
)

// TestDelivery kills the agent with -9, at random moments and while it writes to its
// spool and its state, as 200 pulls fail each minute and the receiver comes and goes.
// In the end each has arrived; what came twice has the same uid.
func TestDelivery(t *testing.T) {
	_, seed := settings(t)
	rounds := killRounds(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	if err := os.MkdirAll(filepath.Join(state, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	fate := newFate()
	receiver, err := otlptest.ListenHTTP(otlptest.Config{OnRecord: fate.add})
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	front := newFront(t, receiver.URL(), rand.New(rand.NewPCG(seed, 5)))
	log := filepath.Join(dir, "node.log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group errgroup.Group
	var written atomic.Int64
	group.Go(func() error { return writeFailures(ctx, log, &written) })
	group.Go(func() error { return front.comeAndGo(ctx) })
	k := &reaper{
		rng: rand.New(rand.NewPCG(seed, 6)), state: state,
		cfg: agentproc.Config{
			Binary: binary(t, dir), Dir: dir, File: log, Endpoint: front.url, JoinWindow: 50 * time.Millisecond,
			// Lines are held for less long, or no life would be long enough to be done with any.
			Env: []string{"PULLCAUSE_SOURCES_POLL=50ms"},
		},
	}
	for range rounds {
		if err := k.round(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	front.mode.Store(modeWell)
	agent, err := agentproc.Start(k.cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := int(written.Load())
	waitFor(func() bool { return fate.arrived() == n })
	if err := errors.Join(agent.Stop(), receiver.Problems()); err != nil {
		t.Error(err)
	}
	t.Logf("%d rounds, %d at an operation on files; %d failed pulls, %d arrived, %d of them more than once, %d under several uids; %d duplicates",
		rounds, k.atFiles, n, fate.arrived(), fate.twice(), fate.split(), fate.duplicates())
	if fate.arrived() != n || fate.split() > 0 {
		t.Errorf("%d of %d arrived, %d under several uids", fate.arrived(), n, fate.split())
	}
	if left, err := os.ReadDir(filepath.Join(state, "spool")); err != nil || len(left) > 0 {
		t.Errorf("the spool holds %v, %v", left, err)
	}
	if t.Failed() {
		keepLog(t, dir)
	}
}

// waitFor waits until it is so, but not forever.
func waitFor(done func() bool) {
	for deadline := time.Now().Add(90 * time.Second); !done() && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
}

// writeFailures writes failed pulls, each of an image of its own.
func writeFailures(ctx context.Context, path string, written *atomic.Int64) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	tick := time.NewTicker(pullsEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := writeFailure(f, n); err != nil {
			return err
		}
		written.Store(int64(n + 1))
	}
}

// writeFailure writes the lines of a failed pull as containerd 2.4 does.
func writeFailure(w io.Writer, n int) error {
	_, err := writeFailureOf(w, fmt.Sprint("v", n))
	return err
}

// writeFailureOf does so for the image of a tag, which it returns.
func writeFailureOf(w io.Writer, tag string) (image string, err error) {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	image = "registry.example.com/team/app:" + tag
	_, err = fmt.Fprintf(w, `time="%[1]s" level=info msg="PullImage \"%[2]s\""
time="%[1]s" level=error msg="PullImage \"%[2]s\" failed" error="failed to pull and unpack image \"%[2]s\": failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/%[3]s: 403 Forbidden"
`, now, image, tag)
	return image, err
}

// fate is what has become of each image: its uids, and how often each came. It is used by
// the receiver's goroutines and read at the end.
type fate struct {
	mu   sync.Mutex
	uids map[string]map[string]int
}

func newFate() *fate { return &fate{uids: map[string]map[string]int{}} }

func (f *fate) add(r otlptest.Record) {
	if r.Name != export.EventFailed {
		return
	}
	image, _ := r.Attributes[export.ImageRefKey].(string)   // absent is empty
	uid, _ := r.Attributes[export.LogRecordUIDKey].(string) // likewise
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.uids[image] == nil {
		f.uids[image] = map[string]int{}
	}
	f.uids[image][uid]++
}

func (f *fate) count(is func(uids map[string]int) bool) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, uids := range f.uids {
		if is(uids) {
			n++
		}
	}
	return n
}

func (f *fate) arrived() int { return f.count(func(map[string]int) bool { return true }) }
func (f *fate) split() int   { return f.count(func(uids map[string]int) bool { return len(uids) > 1 }) }

func (f *fate) twice() int { return f.count(func(uids map[string]int) bool { return sum(uids) > 1 }) }

// duplicates is how many records came beyond one of each image.
func (f *fate) duplicates() (n int) {
	f.count(func(uids map[string]int) bool {
		n += sum(uids) - 1
		return false
	})
	return n
}

// images is how many records came of each image.
func (f *fate) images() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	images := map[string]int{}
	for image, uids := range f.uids {
		images[image] = sum(uids)
	}
	return images
}

func sum(uids map[string]int) (n int) {
	for _, count := range uids {
		n += count
	}
	return n
}

// The moods of a front.
const (
	modeWell = iota
	modeUnavailable
	modeReset  // the connection is closed without an answer
	modeTaken  // the receiver has it, the answer is lost
	modeSilent // no answer until the sender gives up
	modes
)

// front stands before the receiver and has moods.
type front struct {
	url  string
	mode atomic.Int32
	rng  *rand.Rand
}

func newFront(t *testing.T, receiver string, rng *rand.Rand) *front {
	t.Helper()
	target, err := url.Parse(receiver)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{rng: rng}
	path := target.Path
	target.Path = ""
	proxy := httputil.NewSingleHostReverseProxy(target)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch f.mode.Load() {
		case modeUnavailable:
			http.Error(w, "try later", http.StatusServiceUnavailable)
		case modeReset:
			panic(http.ErrAbortHandler)
		case modeTaken:
			proxy.ServeHTTP(discard{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		case modeSilent:
			<-r.Context().Done()
		default:
			proxy.ServeHTTP(w, r)
		}
	})}
	go server.Serve(l)
	t.Cleanup(func() { _ = server.Close() })
	f.url = "http://" + l.Addr().String() + path
	return f
}

// discard is an answer that nobody gets.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// comeAndGo changes the mood until ctx ends.
func (f *front) comeAndGo(ctx context.Context) error {
	for {
		mode := int32(f.rng.IntN(2 * modes)) // well half of the time
		if mode >= modes {
			mode = modeWell
		}
		f.mode.Store(mode)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(200+f.rng.IntN(2500)) * time.Millisecond):
		}
	}
}

// reaper starts agents and kills them.
type reaper struct {
	cfg     agentproc.Config
	rng     *rand.Rand
	state   string
	within  int // of so many operations on files one is the last; 0 is 40
	atFiles int
}

// round runs one agent and kills it: at a random moment, or at one of its operations
// on the files of its state, whichever is first.
func (k *reaper) round() error {
	operations, closeWatch, err := watchFolders(k.state, filepath.Join(k.state, "spool"))
	if err != nil {
		return err
	}
	defer closeWatch()
	agent, err := agentproc.Start(k.cfg)
	if err != nil {
		return err
	}
	timer := time.NewTimer(time.Duration(k.rng.ExpFloat64() * float64(1500*time.Millisecond)))
	defer timer.Stop()
	at := k.rng.IntN(cmp.Or(k.within, 40)) // the operation that is its last; many live on
	for n := 0; ; n++ {
		select {
		case <-agent.Ended():
			return fmt.Errorf("the agent ended by itself, see %s/agent.log", k.cfg.Dir)
		case <-timer.C:
			agent.Kill()
			return nil
		case <-operations:
			if n == at {
				agent.Kill()
				k.atFiles++
				return nil
			}
		}
	}
}

// watchFolders tells of each operation on the files of some folders.
func watchFolders(folders ...string) (operations <-chan struct{}, closeWatch func(), err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(fd), "inotify")
	for _, folder := range folders {
		const all = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE | unix.IN_CLOSE_WRITE
		if _, err := unix.InotifyAddWatch(fd, folder, all); err != nil {
			return nil, nil, errors.Join(err, file.Close())
		}
	}
	told := make(chan struct{})
	done := make(chan struct{})
	go func() {
		buf := make([]byte, unix.SizeofInotifyEvent+unix.NAME_MAX+1) // one at a time
		for {
			if _, err := file.Read(buf); err != nil {
				return
			}
			select {
			case told <- struct{}{}:
			case <-done:
				return
			}
		}
	}()
	return told, func() { close(done); _ = file.Close() }, nil
}
