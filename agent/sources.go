package agent

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"pullcause/agent/detect"
	"pullcause/logtail"
	"pullcause/logtail/file"
	"pullcause/logtail/watch"
)

// lookAgain is how often known places are looked at for logs that were not
// there when the agent started.
const lookAgain = time.Minute

// sources are the logs that are being followed. More may be found while the
// agent runs: a runtime that is installed later writes its log later.
type sources struct {
	cfg     Config
	node    Node
	log     *slog.Logger
	watcher *watch.Watcher
	start   map[string]logtail.Position
	handle  func(logtail.Source) logtail.Handler

	mu      sync.Mutex
	running []logtail.Source
	wg      sync.WaitGroup
}

// run follows the configured files and, unless sources.auto is off, the known
// ones that exist, until ctx ends.
func (s *sources) run(ctx context.Context) error {
	defer s.wg.Wait()
	for _, f := range s.cfg.Sources.Files {
		if err := s.follow(ctx, filepath.Join(s.cfg.HostRoot, f.Path), f.Program); err != nil {
			return err
		}
	}
	if !s.cfg.Sources.Auto {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		if err := s.discover(ctx); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// discover follows the known files that have come to be.
func (s *sources) discover(ctx context.Context) error {
	for _, known := range file.Known(s.cfg.HostRoot) {
		if _, err := os.Stat(known.Path); err != nil || s.followed(known.Path) {
			continue
		}
		s.log.Info("found a log", "path", known.Path, "program", known.Program)
		if err := s.follow(ctx, known.Path, known.Program); err != nil {
			return err
		}
	}
	return nil
}

func (s *sources) followed(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, source := range s.running {
		if source.Name() == sourceName(path) {
			return true
		}
	}
	return false
}

func (s *sources) follow(ctx context.Context, path, program string) error {
	name := sourceName(path)
	cfg := file.Config{
		Path: path, Program: program, Name: name,
		Poll:     time.Duration(s.cfg.Sources.Poll),
		Lookback: s.cfg.Sources.Lookback.For,
		LineTime: func(line []byte) (time.Time, bool) { return detect.LineTime(line, time.Now(), s.node.zone) },
		Filter:   detect.Find,
		Watcher:  s.watcher,
		Logger:   s.log,
	}
	if s.cfg.Sources.Lookback.All {
		cfg.Lookback = -1
	}
	if at, ok := s.start[name]; ok {
		cfg.Start = &at
	}
	source, err := file.New(cfg)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.running = append(s.running, source)
	s.mu.Unlock()
	s.wg.Go(func() {
		if err := source.Run(ctx, s.handle(source)); err != nil {
			s.log.Error("source ended", "source", name, "error", err)
		}
	})
	return nil
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

// sourceName is the name of the source that follows a file. Positions are
// stored under it.
func sourceName(path string) string { return "file:" + path }
