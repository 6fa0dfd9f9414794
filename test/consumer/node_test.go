package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pullcause/agent"
	"pullcause/agent/demo"
	"pullcause/test/bench/nodelog"
)

// pull is one failed attempt as the log has it: what is to be found by queries,
// read out of the text that was written and not out of what the agent made of it.
type pull struct {
	node, cause    string
	image, tag     string // without and behind the colon
	server         string // of the URL in the error, if it has one
	namespace, pod string
	waiting        []string // all pods that were seen to wait for the image until then
	old            bool     // longer ago than five minutes
	attempt        int      // which attempt of an outage it is
	standsFor      int      // how many attempts its record stands for; 0 if it has none
}

// node is a machine with logs below root, the agent's host_root.
type node struct {
	name, root string
	files      []string // values of sources.files
	pulls      []pull
}

func newNode(t *testing.T, name string) *node {
	t.Helper()
	n := &node{name: name, root: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(n.root, "var", "log"), 0o755); err != nil {
		t.Fatal(err)
	}
	return n
}

// write makes a log, in UTC.
func (n *node) write(t *testing.T, program, name string, text []byte) {
	t.Helper()
	path := "/var/log/" + name
	if err := os.WriteFile(filepath.Join(n.root, path), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if program != "" {
		path = program + ":" + path
	}
	n.files = append(n.files, path)
}

func (n *node) add(p pull) {
	p.node = n.name
	n.pulls = append(n.pulls, p)
}

var (
	serverInError = regexp.MustCompile(`https?://([^/:"\\ ]+)`)
	podOfLine     = regexp.MustCompile(`pod="([^"/]+)/([^"]+)" podUID=`)
)

// failedLine is containerd's line about the failed pull of an image.
func failedLine(log []byte, image string) string {
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, " level=error ") && strings.Contains(line, `\"`+image+`\"`) {
			return line
		}
	}
	return ""
}

// splitImage is what container.image.name and pullcause.image.tag are to be.
func splitImage(image string) (name, tag string) {
	if name, _, digest := strings.Cut(image, "@"); digest {
		return name, ""
	}
	colon := strings.LastIndexByte(image, ':')
	name, tag = image[:colon], image[colon+1:]
	if first, _, _ := strings.Cut(name, "/"); !strings.ContainsAny(first, ".:") {
		name = "docker.io/" + name
	}
	return name, tag
}

func serverOf(line string) string {
	m := serverInError.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	return m[1]
}

// busy writes the log of a busy node with failing pulls in it, a millisecond
// between two records, which ends now.
func (n *node) busy(t *testing.T, seed uint64, records int) {
	t.Helper()
	log := nodelog.New(nodelog.Config{Seed: seed, Failing: 0.3, Zone: time.UTC})
	var text []byte
	var ended []*nodelog.Pull
	for at := time.Now().Add(-time.Duration(records) * time.Millisecond); records > 0 || log.Pending() > 0; at = at.Add(time.Millisecond) {
		if records--; records == 0 {
			log.Stop()
		}
		var p *nodelog.Pull
		var last bool
		if text, p, last = log.Next(text, at); last {
			ended = append(ended, p)
		}
	}
	n.write(t, "", "node.log", text)
	pods := make(map[string][]string) // by tag
	tag := regexp.MustCompile(`bench-\d+-[0-9a-f]{6}`)
	for line := range strings.Lines(string(text)) {
		if m := podOfLine.FindStringSubmatch(line); m != nil {
			pods[tag.FindString(line)] = m
		}
	}
	for _, p := range ended {
		m := pods[p.Tag]
		if m == nil {
			t.Fatalf("no line about %s names a pod", p.Image)
		}
		name, tag := splitImage(p.Image)
		n.add(pull{
			cause: p.Cause, image: name, tag: tag, server: serverOf(failedLine(text, p.Image)),
			namespace: m[1], pod: m[2], standsFor: 1,
		})
	}
}

// recorded writes the session that was recorded with a real containerd, as if it
// had been an hour ago.
func (n *node) recorded(t *testing.T) {
	t.Helper()
	const session = "../../agent/demo/session/"
	logs := make(map[string][]byte)
	var began time.Time
	for _, program := range []string{"containerd", "kubelet"} {
		text, err := os.ReadFile(session + program + ".log")
		if err != nil {
			t.Fatal(err)
		}
		if program == "containerd" {
			began = firstTime(t, text)
		}
		logs[program] = anHourAgo(text, began)
		n.write(t, program, program+".log", logs[program])
	}
	text, err := os.ReadFile(session + "expect.json")
	if err != nil {
		t.Fatal(err)
	}
	var scenarios []demo.Scenario
	if err := json.Unmarshal(text, &scenarios); err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		if s.Cause == "" {
			continue
		}
		p := pull{cause: s.Cause, namespace: "shop", pod: strings.ReplaceAll(strings.ToLower(s.Name), " ", "-") + "-0", old: true, standsFor: 1}
		if !bytes.Contains(logs["kubelet"], []byte(p.pod)) {
			t.Fatalf("the session has no pod %s", p.pod)
		}
		p.server = serverOf(failedLine(logs["containerd"], s.Image))
		if s.Cause != "invalid_reference" { // has no parts
			p.image, p.tag = splitImage(s.Image)
		}
		n.add(p)
	}
}

// How times are written, by containerd and by the kubelet.
const (
	logrus = "2006-01-02T15:04:05.000000000Z07:00"
	klog   = "0102 15:04:05.000000"
)

var times = regexp.MustCompile(`(?m)^(time=")([^"]+)|^([IWEF])(\d{4} \d\d:\d\d:\d\d\.\d{6})`)

func firstTime(t *testing.T, log []byte) time.Time {
	t.Helper()
	at, err := time.Parse(logrus, string(times.FindSubmatch(log)[2]))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// anHourAgo moves the times that the lines begin with, all by the same, so that
// what began then began an hour ago.
func anHourAgo(log []byte, began time.Time) []byte {
	shift := time.Since(began) - time.Hour
	return times.ReplaceAllFunc(log, func(match []byte) []byte {
		m := times.FindSubmatch(match)
		if at, err := time.Parse(logrus, string(m[2])); err == nil {
			return at.Add(shift).UTC().AppendFormat(m[1], logrus)
		}
		at, err := time.Parse("2006"+klog, began.Format("2006")+string(m[4]))
		if err != nil {
			panic(err) // the expression matches nothing else
		}
		return at.Add(shift).AppendFormat(m[3], klog)
	})
}

// The one image of an outage and what its pods say.
const (
	outageImage = "registry.corp.example/team/api:2.1"
	outageError = `failed to pull and unpack image \"` + outageImage + `\": failed to resolve image: unexpected status from HEAD ` +
		`request to https://registry.corp.example/v2/team/api/manifests/2.1: 429 Too Many Requests`
	outageLines = `time="%[1]s" level=info msg="PullImage \"` + outageImage + `\""
time="%[1]s" level=error msg="PullImage \"` + outageImage + `\" failed" error="` + outageError + `"
E%[2]s    2776 pod_workers.go:1338] "Error syncing pod, skipping" ` +
		`err="failed to \"StartContainer\" for \"app\" with ErrImagePull: \"%[3]s\"" ` +
		`pod="billing/%[4]s" podUID="00000000-0000-4000-8000-00000000000%[5]d"
`
)

// outage writes the log of an image that two pods ask for in turn, for so long
// that not every attempt is told: each of the first ten, then the 20th, the 40th and so on.
func (n *node) outage(t *testing.T, attempts int) {
	t.Helper()
	var text strings.Builder
	name, tag := splitImage(outageImage)
	p := pull{cause: "rate_limited", image: name, tag: tag, server: "registry.corp.example", namespace: "billing"}
	unsaid := 0
	for number := 1; number <= attempts; number++ {
		at := time.Now().Add(time.Duration(number-attempts) * 10 * time.Second).UTC()
		p.pod = fmt.Sprint("api-", number%2)
		if !slices.Contains(p.waiting, p.pod) {
			p.waiting = append(slices.Clone(p.waiting), p.pod)
		}
		fmt.Fprintf(&text, outageLines, at.Format(time.RFC3339Nano), at.Add(time.Millisecond).Format("0102 15:04:05.000000"),
			strings.ReplaceAll(outageError, `\`, `\\\`), p.pod, number%2)
		unsaid++
		p.attempt, p.standsFor = number, 0
		if number <= 10 || number%10 == 0 && number/10&(number/10-1) == 0 {
			p.standsFor, unsaid = unsaid, 0
		}
		n.add(p)
	}
	n.write(t, "", "outage.log", []byte(text.String()))
}

// run runs an agent on the node's logs, from their beginning unless the folder
// state holds positions, until it is stopped.
func (n *node) run(t *testing.T, state string, configure func(*agent.Config)) (stop func()) {
	t.Helper()
	cfg := agent.Default()
	cfg.HostRoot = n.root
	cfg.Sources.Auto = false
	cfg.Sources.Lookback = agent.Lookback{All: true}
	cfg.Delivery.StateDir = state
	cfg.Server.Listen, cfg.Server.Debug.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Pulls.JoinWindow = agent.Duration(3 * time.Second) // what else runs here may delay one of two files
	cfg.Resource.NodeName, cfg.Resource.ClusterName = n.name, "test"
	for _, f := range n.files {
		var file agent.SourceFile
		if err := file.UnmarshalText([]byte(f)); err != nil {
			t.Fatal(err)
		}
		cfg.Sources.Files = append(cfg.Sources.Files, file)
	}
	configure(&cfg)
	warnings := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := agent.New(t.Context(), cfg, agent.Deps{Logger: warnings, Version: "test", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("agent of %s: %v", n.name, err)
		}
	}
}
