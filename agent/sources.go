package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"pullcause/agent/debug"
	"pullcause/agent/detect"
	"pullcause/logtail"
	"pullcause/logtail/file"
	"pullcause/logtail/hostroot"
	"pullcause/logtail/journal"
	"pullcause/logtail/watch"
)

// lookAgain is how often known places are looked at for logs that were not
// there when the agent started.
const lookAgain = time.Minute

// firstLook is how long sources may take until it is said that none can be read.
const firstLook = 5 * time.Second

// journalName is the name of the source that reads the journal. Its position is
// stored under it.
const journalName = "journal"

// sources are the logs that are being followed. More may be found while the
// agent runs: a runtime that is installed later writes its log later.
type sources struct {
	cfg     Config
	node    Node
	host    hostroot.Root
	log     *slog.Logger
	watcher *watch.Watcher
	folders *file.Folders
	start   map[string]logtail.Position
	handle  func(logtail.Source) logtail.Handler

	// names are those of all sources that the configuration allows.
	names map[string]bool
	// absent are the known files that were not there when they were looked for last.
	absent map[string]bool

	mu       sync.Mutex
	running  []logtail.Source
	handlers map[string]*handler // by the name of their source
	started  map[string]bool     // names of running
	kubelets []logtail.Source    // those of running that read a kubelet's log alone
	journal  *journal.Source     // one of running; nil if the journal is not read
	wg       sync.WaitGroup

	complaint string // why nothing can be read, as logged last
}

func newSources(cfg Config, node Node, watcher *watch.Watcher, log *slog.Logger) *sources {
	s := &sources{
		cfg: cfg, node: node, host: hostroot.New(cfg.HostRoot), watcher: watcher, folders: new(file.Folders), log: log,
		absent: make(map[string]bool), names: make(map[string]bool), started: make(map[string]bool),
		handlers: make(map[string]*handler),
	}
	s.names[journalName] = len(s.journalUnits()) > 0
	for _, p := range s.places() {
		s.names[sourceName(p.Path)] = true
	}
	return s
}

// run follows the configured files and units and, unless sources.auto is off, the
// journal and the known files that exist, until ctx ends.
func (s *sources) run(ctx context.Context) error {
	defer s.wg.Wait()
	for _, f := range s.cfg.Sources.Files {
		if err := s.follow(ctx, s.host.Path(f.Path), f.Program); err != nil {
			return err
		}
	}
	timer := time.NewTimer(firstLook)
	defer timer.Stop()
	for {
		if err := s.discover(ctx); err != nil {
			return err
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
		timer.Reset(lookAgain)
		s.complain()
	}
}

// discover follows what has come to be.
func (s *sources) discover(ctx context.Context) error {
	if err := s.discoverJournal(ctx); err != nil || !s.cfg.Sources.Auto {
		return err
	}
	var followed []fs.FileInfo
	for _, known := range file.Known(s.cfg.HostRoot) {
		if s.follows(sourceName(known.Path)) {
			continue
		}
		fi, err := s.host.Stat(known.Path)
		if err != nil {
			s.absent[known.Path] = errors.Is(err, fs.ErrNotExist)
			continue
		}
		if followed == nil {
			followed = s.followedFiles()
		}
		// It may be followed by another name.
		if slices.ContainsFunc(followed, func(other fs.FileInfo) bool { return os.SameFile(fi, other) }) {
			continue
		}
		followed = append(followed, fi)
		s.log.Info("found a log", "path", known.Path, "program", known.Program)
		if err := s.follow(ctx, known.Path, known.Program); err != nil {
			return err
		}
	}
	return nil
}

// complain logs why nothing at all can be read, once for each reason.
func (s *sources) complain() {
	ok, why := readable(s.status(), s.cfg.Sources.Auto)
	if !ok && why != s.complaint {
		s.log.Error("nothing can be read", "reason", why)
	}
	s.complaint = why
}

// follows reports whether there is a source of this name.
func (s *sources) follows(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started[name]
}

// followedFiles are the files that the sources' paths name now.
func (s *sources) followedFiles() []fs.FileInfo {
	var all []fs.FileInfo
	for _, st := range s.status() {
		if st.Kind != "file" {
			continue
		}
		if info, err := s.host.Stat(st.Path); err == nil {
			all = append(all, info)
		}
	}
	return all
}

func (s *sources) follow(ctx context.Context, path, program string) error {
	name := sourceName(path)
	cfg := file.Config{
		Path: path, Root: s.host, Program: program, Name: name,
		Poll:     time.Duration(s.cfg.Sources.Poll),
		Lookback: s.lookback(),
		LineTime: func(line []byte) (time.Time, bool) { return detect.LineTime(line, time.Now(), s.node.zone) },
		Filter:   detect.Find,
		Start:    s.position(name),
		Watcher:  s.watcher,
		Scratch:  s.cfg.Delivery.StateDir,
		Block:    blockFor(len(s.cfg.Sources.Files)),
		Folders:  s.folders,
		Logger:   s.log,
	}
	if s.absent[path] {
		cfg.Lookback = -1 // it has come to be since
	}
	source, err := file.New(cfg)
	if err != nil {
		return err
	}
	if program == detect.Kubelet {
		s.mu.Lock()
		s.kubelets = append(s.kubelets, source)
		s.mu.Unlock()
	}
	s.launch(ctx, source)
	return nil
}

// blockFor is how many bytes a source reads at once, such that all together take at most
// 16 MiB while they wait for the receiver.
func blockFor(files int) int {
	const all, most, least = 16 << 20, 512 << 10, 4 << 10
	return min(max(all/max(files, 1), least), most)
}

// lookback is how far to go back at the first start; less than 0 is all.
func (s *sources) lookback() time.Duration {
	if s.cfg.Sources.Lookback.All {
		return -1
	}
	return s.cfg.Sources.Lookback.For
}

// mayRead reports whether the configuration has a source of this name, be it that
// there is nothing for it to read yet.
func (s *sources) mayRead(name string) bool { return s.names[name] }

// places are the files that are read as soon as they exist: the known ones, unless
// sources.auto is off, and the configured ones.
func (s *sources) places() []file.Candidate {
	var all []file.Candidate
	if s.cfg.Sources.Auto {
		all = file.Known(s.cfg.HostRoot)
	}
	for _, f := range s.cfg.Sources.Files {
		all = append(all, file.Candidate{Path: s.host.Path(f.Path), Program: f.Program, Distribution: configured})
	}
	return all
}

// position is where a source goes on; nil at its first start.
func (s *sources) position(name string) *logtail.Position {
	if at, ok := s.start[name]; ok {
		return &at
	}
	return nil
}

// discoverJournal follows the journal once there is one, or at once if a unit of it
// was configured.
func (s *sources) discoverJournal(ctx context.Context) error {
	roots, follow := journal.Roots(s.cfg.HostRoot), s.journalUnits()
	named := len(s.cfg.Sources.Journal.Units)+len(s.cfg.Sources.Journal.Identifiers) > 0
	if s.journalSource() != nil || len(follow) == 0 || !named && !journal.Present(s.host, roots) {
		return nil
	}
	source, err := journal.New(journal.Config{
		Roots: roots, Host: s.host, Machine: s.node.HostID, Follow: follow, Name: journalName,
		Poll: time.Duration(s.cfg.Sources.Poll), Lookback: s.lookback(),
		Filter: detect.Find, Start: s.position(journalName), Watcher: s.watcher, Logger: s.log,
	})
	if err != nil {
		return err
	}
	s.log.Info("reading the journal", "folders", roots)
	s.mu.Lock()
	s.journal = source
	s.mu.Unlock()
	s.launch(ctx, source)
	return nil
}

func (s *sources) journalSource() *journal.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal
}

// journalUnits are the known units and identifiers, unless sources.auto is off, and
// the configured ones.
func (s *sources) journalUnits() []journal.Candidate {
	var all []journal.Candidate
	if s.cfg.Sources.Auto {
		all = journal.Known()
	}
	for _, unit := range s.cfg.Sources.Journal.Units {
		all = append(all, journal.Candidate{Unit: string(unit), Distribution: configured})
	}
	for _, name := range s.cfg.Sources.Journal.Identifiers {
		all = append(all, journal.Candidate{Identifier: string(name), Distribution: configured})
	}
	return all
}

// launch runs a source until ctx ends.
func (s *sources) launch(ctx context.Context, source logtail.Source) {
	out := s.handle(source)
	s.mu.Lock()
	s.running = append(s.running, source)
	if h, ok := out.(*handler); ok {
		s.handlers[source.Name()] = h
	}
	s.started[source.Name()] = true
	s.mu.Unlock()
	s.wg.Go(func() {
		if err := source.Run(ctx, out); err != nil {
			s.log.Error("source ended", "source", source.Name(), "error", err)
		}
	})
}

// status is what each source tells about itself.
func (s *sources) status() []logtail.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := make([]logtail.Status, len(s.running))
	for i, source := range s.running {
		status[i] = source.Status()
	}
	return status
}

// loops are the loops of all sources.
func (s *sources) loops(now time.Time) []debug.Loop {
	var loops []debug.Loop
	for _, st := range s.status() {
		l := sourceLoop(st, time.Duration(s.cfg.Sources.Poll))
		s.mu.Lock()
		h := s.handlers[st.Name]
		s.mu.Unlock()
		if h != nil {
			if at := h.activity.progressed(now); at.After(l.LastTurn) {
				l.LastTurn = at
			}
		}
		loops = append(loops, l)
	}
	return loops
}

// readsKubelet reports whether the kubelet's log is among those that are read.
func (s *sources) readsKubelet() bool {
	s.mu.Lock()
	kubelets, j := s.kubelets, s.journal
	s.mu.Unlock()
	for _, source := range kubelets {
		if source.Status().State == logtail.StateReading {
			return true
		}
	}
	return j != nil && slices.ContainsFunc(j.Candidates(), func(c logtail.Candidate) bool { return c.Program == detect.Kubelet && c.Found })
}

// sourceName is the name of the source that follows a file. Positions are
// stored under it.
func sourceName(path string) string { return "file:" + path }
