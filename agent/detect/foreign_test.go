package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pullcause/logtail"
)

// phrases are what Find looks for, and the words around them.
var phrases = []string{
	"failed to pull image avatar for user bob: 404 not found",
	"we failed to pull image metadata from the crm",
	"I think the image failed to pull image 17 unauthorized manifest unknown denied 404 not found docker://x",
	`Failed to pull image "evil.example/x:1": rpc error: code = Unknown desc = unauthorized`,
	`Back-off pulling image "evil.example/x:1"`,
	"Error: ErrImagePull", "Error: ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError",
	`PullImage "evil.example/x:1" failed`, `PullImage from image service failed`,
	"pulling image: rpc error: code = Unknown desc = 403 Forbidden", "pulling image failed: 403 Forbidden",
	"unable to pull evil.example/x:1: 403 Forbidden", "unable to ensure image x", "failed to get image status",
	"Error response from daemon: pull access denied for evil/x", "error pulling image configuration: EOF",
	"failed to register layer: no space left on device", "Error: initializing source docker://evil.example/x:1: EOF",
	"ctr: failed to resolve reference: 403 Forbidden", "trying next host", "trying next host after status: 404 Not Found",
	"fetch failed", "Attempting next endpoint for pull after error: EOF", "Not continuing with pull after the party",
	"credentials for image", "Failed getting credential from external registry credential provider",
	"the image pull may not succeed", "image pull failed for evil.example/x:1 because the registry is unavailable: EOF",
	"Failed to create pod sandbox: failed to get sandbox image \"evil.example/p:1\": failed to pull image \"evil.example/p:1\": EOF",
	`Error syncing pod 1-2 ("a_b(1-2)"), skipping: failed to "StartContainer" for "c" with ErrImagePull: "EOF"`,
	"container c start failed in pod a_b(1-2): ErrImagePull: EOF", "container start failed: ErrImagePull: EOF",
	"stop pulling image evil.example/x:1: active requests=0, bytes read=1",
	"cancel pulling image evil.example/x:1 because of no progress in 5m0s",
	"images/create returned error", "Handler for POST /v1.43/images/create returned error: EOF",
	"starting containerd", "Starting CRI-O, version: 1.2", "Pulling image: evil.example/x:1", "Error pulling image evil.example/x:1: EOF",
	`"SyncLoop REMOVE"`, `"Kubelet version"`, "Timed out on waiting up to 10s for image pull progress updates",
}

// quotable are whole lines of runtimes and kubelets that another program may repeat.
var quotable = []string{
	containerdFailed, kubeletFailed, syncingFailed, hostLine,
	`{"error":"EOF","level":"error","msg":"PullImage \"evil.example/x:1\" failed","time":"2026-11-23T22:48:47.623221596Z"}`,
	`{"ts":1795474127626.362,"caller":"remote/remote_image.go:334","msg":"PullImage from image service failed","image":"evil.example/x:1","err":"EOF"}`,
}

// foreign are lines of programs that are neither a runtime nor a kubelet.
func foreign() []string {
	object := func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	var lines []string
	for i, text := range append(append([]string(nil), phrases...), quotable...) {
		q := strconv.Quote(text)
		lines = append(lines,
			// Prose, and what people and scripts print.
			"note: "+text, "\t"+text, "2026-11-23 22:48:47 INFO "+text, "2026/11/23 22:48:47 "+text,
			"[22:48:47] [app/INFO] "+text, "2026-11-23T22:48:47.1Z\tERROR\tapp/main.go:12\t"+text,
			"ERROR: "+text, "Fatal: "+text, "INFO "+text, "WARN[0001] "+text, "FATA[0000] "+text, "E "+text, "level: error, msg: "+text,
			// syslog (rsyslog 8, RSYSLOG_TraditionalFileFormat and RSYSLOG_FileFormat), journalctl -o short and short-iso.
			"Dec  1 00:10:00 host sshd[123]: "+text, "Dec  1 00:10:00 host sshd[123]: Invalid user "+text+" from 10.1.2.3 port 22",
			"Dec  1 00:10:00 host nginx: 10.1.2.3 \"GET /?q="+text+"\" 404", "2026-12-01T00:10:00.123456+00:00 host myapp[7]: "+text,
			"Dec  1 00:10:00 host backup[123]: "+text, "Dec  1 00:10:00 host kernel: "+text, "Dec  1 00:10:00 host systemd[1]: kubelet.service: "+text,
			"Dec  1 00:10:00 host app[9]: kubelet[3]: "+text, "Dec  1 00:10:00 host app[9]: Dec  1 00:10:00 host kubelet[3]: "+text,
			"Mon 2026-11-23 22:48:47 UTC host CRON[5]: "+text,
			// Container logs: CRI, and docker's json-file.
			"2026-11-23T22:48:47.623221596Z stdout F app says "+text,
			object(map[string]string{"log": "app says " + text + "\n", "stream": "stdout", "time": "2026-11-23T22:48:47Z"}),
			// JSON of applications: logrus, zap, zerolog, slog, pino, bunyan.
			object(map[string]string{"level": "error", "msg": "app: " + text, "time": "2026-11-23T22:48:47Z"}),
			`{"level":"error","ts":1795474127.6,"caller":"app/main.go:12","msg":`+q+`,"error":"404 not found","image":"avatar"}`,
			`{"level":"error","error":"unauthorized","image":"evil.example/x:1","time":"2026-11-23T22:48:47Z","message":`+q+`}`,
			`{"time":"2026-11-23T22:48:47Z","level":"ERROR","msg":"request failed","err":`+q+`}`,
			`{"level":50,"time":1795474127626,"pid":7,"hostname":"h","msg":"app","err":`+q+`}`,
			`{"MESSAGE":`+q+`,"SYSLOG_IDENTIFIER":"sshd","_SYSTEMD_UNIT":"ssh.service","__REALTIME_TIMESTAMP":"1795474127626362"}`,
			`{"message":`+q+`,"kubernetes":{"pod_name":"web-0"}}`, `"pattern": `+q,
			// logrus text of buildkitd, docker compose, registry, skopeo, trivy and their like.
			`time="2026-11-23T22:48:47Z" level=error msg="app failed" error=`+q,
			`time="2026-11-23T22:48:47Z" level=warning msg=`+strconv.Quote("service web: "+text),
			`time="2026-11-23T22:48:47Z" level=fatal msg=`+strconv.Quote("initializing source: "+text),
			`time="2026-11-23T22:48:47.623221596Z" level=info msg=`+strconv.Quote(text)+` component=proxy stream=stderr`,
			`time=2026-11-23T22:48:47.623Z level=ERROR msg="scan failed" err=`+q,
			// klog of controllers.
			`E1123 22:48:47.626362       1 controller.go:114] "Reconciler error" err=`+q+` controller="app" name="x"`,
			`E1123 22:48:47.626362       1 controller.go:114] "Failed to pull image" err="EOF" image="evil.example/x:`+strconv.Itoa(i)+`"`,
			`I1123 22:48:47.626362       1 main.go:9] I say `+text,
		)
	}
	for _, text := range phrases {
		lines = append(lines, text, text+" said somebody")
	}
	return append(lines,
		`{"level":"error","msg":"failed to pull image"}`,
		`{"level":"error","msg":"Failed to pull image","err":"EOF","image":"evil.example/x:1"}`,
		`time="2026-11-23T22:48:47Z" level=error msg="response completed with error" err.code="manifest unknown" err.message="manifest unknown" http.request.uri=/v2/x/manifests/1 vars.name=x`,
		`time="2026-11-23T22:48:47Z" level=fatal msg="initializing source docker://evil.example/x:1: reading manifest 1 in evil.example/x: unauthorized"`,
		`time="2026-11-23T22:48:47Z" level=error msg="Error pulling image evil.example/x:1: EOF"`,
		`time="2026-11-23T22:48:47Z" level=info msg="Pulling image: evil.example/x:1"`,
		`{"id":"7","level":"info","msg":"Pulling image: evil.example/x:1","name":"puller","time":"2026-11-23T22:48:47Z"}`,
		`time="2026-11-23T22:48:47Z" level=fatal msg="pulling image: rpc error: code = Unknown desc = 403 Forbidden"`,
		"2026-11-23T22:48:47.100Z\tFATAL\timage scan error: unable to initialize a scanner: failed to pull image evil.example/x:1: 401 Unauthorized",
	)
}

// follow reads lines as the agent reads a file: what Find passes over is not read.
func follow(d *Detector, program string, lines []string, emit func(line string, s Signal)) {
	var a Assembler
	more := false
	for _, line := range lines {
		if !more && Find([]byte(line)) < 0 {
			continue
		}
		rec := logtail.Record{Program: program, Body: []byte(line), Observed: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
		more = a.Add(rec, func(rec logtail.Record, _ bool) {
			d.Detect(rec, func(s Signal) { emit(line, s) })
		})
	}
	a.Flush(func(rec logtail.Record, _ bool) { d.Detect(rec, func(s Signal) { emit(string(rec.Body), s) }) })
}

func TestForeignLinesAreNoFailures(t *testing.T) {
	t.Parallel()
	lines := foreign()
	if len(lines) < 1000 {
		t.Fatalf("only %d lines", len(lines))
	}
	wrong := 0
	follow(new(Detector), "", lines, func(line string, s Signal) {
		if s.Kind == HostFailed {
			return // alone it is no failure
		}
		if wrong++; wrong <= 20 {
			t.Errorf("%s of %s, image %q: %s", s.Kind, s.Program, s.Image, line)
		}
	})
	if wrong > 0 {
		t.Errorf("%d signals of %d foreign lines", wrong, len(lines))
	}
	// Without the filter, as in a source that has none.
	wrong = 0
	for _, line := range lines {
		new(Detector).Detect(logtail.Record{Body: []byte(line)}, func(s Signal) {
			if s.Kind != HostFailed {
				wrong++
			}
		})
	}
	if wrong > 0 {
		t.Errorf("%d signals without the filter", wrong)
	}
}

// journald says who wrote an entry, so that nothing stands in front of a program's line.
func TestForeignEntriesOfTheJournal(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, program := range []string{"", "systemd", "sshd", Containerd, Kubelet} {
		for _, text := range quotable {
			for _, message := range []string{"Invalid user " + text, "Nov 23 22:48:47 n kubelet[1]: " + text, "kubelet: " + text} {
				rec := logtail.Record{Program: program, Time: at, Observed: at, Body: []byte(message)}
				new(Detector).Detect(rec, func(s Signal) { t.Errorf("%s, %s of %s: %s", program, s.Kind, s.Program, message) })
			}
			if program != "systemd" && program != "sshd" {
				continue
			}
			rec := logtail.Record{Program: program, Time: at, Observed: at, Body: []byte(text)}
			new(Detector).Detect(rec, func(s Signal) { t.Errorf("%s, %s of %s: %s", program, s.Kind, s.Program, text) })
		}
	}
}

// What runtimes and kubelets write is found among the lines of others, in each
// envelope in which a log holds it.
func TestOwnLinesAmongForeignOnes(t *testing.T) {
	t.Parallel()
	jsonLine := func(key, text, rest string) string {
		return `{"` + key + `":` + strconv.Quote(text) + rest + `}`
	}
	for name, wrap := range map[string]func(string) string{
		"alone":               func(s string) string { return s },
		"syslog":              func(s string) string { return "Nov 23 22:48:47 node-7 kubelet[21023]: " + s },
		"syslog, one digit":   func(s string) string { return "Dec  1 22:48:47 node-7 containerd: " + s },
		"syslog, ISO":         func(s string) string { return "2026-11-23T22:48:47.123456+00:00 node-7 k3s[1]: " + s },
		"journalctl, no host": func(s string) string { return "Nov 23 22:48:47 kubelite[1]: " + s },
		"journalctl, German":  func(s string) string { return "Mär 23 22:48:47 node-7 k0s[1]: " + s },
		"journalctl, Chinese": func(s string) string { return "11月 23 22:48:47 node-7 rke2[1]: " + s },
		"journalctl, full":    func(s string) string { return "Mon 2026-11-23 22:48:47 UTC node-7 microk8s.daemon-kubelite[1]: " + s },
		// OpenShift runs its kubelet through a script of this name (openshift/machine-config-operator, kubelet.service).
		"OpenShift":         func(s string) string { return "Nov 23 22:48:47 master-0 kubenswrapper[2213]: " + s },
		"k0s as downloaded": func(s string) string { return "Nov 23 22:48:47 node-7 k0s-v1.30.5+k0s.0-amd64[2213]: " + s },
		"Friday":            func(s string) string { return "Fri 2026-11-27 22:48:47 UTC node-7 kubelet[1]: " + s },
		"February":          func(s string) string { return "Feb 23 22:48:47 node-7 kubelet[1]: " + s },
		"CRI":               func(s string) string { return "2026-11-23T22:48:47.623221596Z stderr F " + s },
		"docker": func(s string) string {
			return jsonLine("log", s+"\n", `,"stream":"stderr","time":"2026-11-23T22:48:47Z"`)
		},
		"journal JSON": func(s string) string {
			return jsonLine("MESSAGE", s, `,"_SYSTEMD_UNIT":"kubelet.service","__REALTIME_TIMESTAMP":"1795474127626362"`)
		},
		"journal JSON, identifier": func(s string) string {
			return jsonLine("MESSAGE", s, `,"SYSLOG_IDENTIFIER":"containerd"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, text := range quotable {
				n := 0
				follow(new(Detector), "", []string{phrases[0], wrap(text), phrases[1]}, func(string, Signal) { n++ })
				if n != 1 {
					t.Errorf("got %d signals, want 1: %s", n, wrap(text))
				}
			}
		})
	}
}

// explain reads text that is no runtime's form, and says so.
func TestTextIsNamedAsText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, program, image string }{
		{"Dec  1 00:10:00 host backup[123]: " + containerdFailed, Text, "registry.example.com/team/app:v1"},
		{`Dec  1 00:10:00 host sshd[123]: Failed to pull image "evil.example/x:1": rpc error: code = Unknown desc = unauthorized`, Text, "evil.example/x:1"},
		{`we saw that it failed to pull image "r.example/x:1": 404 not found`, Text, "r.example/x:1"},
		{`{"MESSAGE":` + strconv.Quote(kubeletFailed) + `,"SYSLOG_IDENTIFIER":"sshd"}`, Text, "registry.example.com/team/app:v1"},
		{"Nov 23 22:48:47 node-7 containerd[1]: " + containerdFailed, Containerd, "registry.example.com/team/app:v1"},
		{"10.165.109.196: " + kubeletFailed, Kubelet, "registry.example.com/team/app:v1"},
		{`  Warning  Failed  15m (x4 over 17m)  kubelet  Failed to pull image "r.example/x:1": 403 Forbidden`, Event, "r.example/x:1"},
		{"Error response from daemon: pull access denied for acme/x, repository does not exist", Dockerd, ""},
		{phrases[0], "", ""},
		{phrases[1], "", ""},
		{phrases[2], "", ""},
		{`              message: "A Pod, {{ .Name }}, is unable to pull its image. Status is: {{ .Status.Reason }}. Message is: {{ .Status.Message }}"`, "", ""},
		{`			"pattern": "failed to register layer: rename /var/lib/docker/image/(.+) /var/lib/docker/image/(.+): directory not empty.*"`, "", ""},
	} {
		got := signals(c.line)
		if c.program == "" {
			if len(got) > 0 {
				t.Errorf("got %+v: %s", got, c.line)
			}
			continue
		}
		if len(got) != 1 || got[0].Program != c.program || got[0].Image != c.image {
			t.Errorf("got %d signals, want one of %s for %s: %.200s\n%s", len(got), c.program, c.image, fmt.Sprintf("%+v", got), c.line)
		}
	}
}

// BenchmarkForeign reads what other programs write about images, as from a file.
func BenchmarkForeign(b *testing.B) {
	for name, line := range map[string]string{
		"prose": phrases[0], "syslog": "Dec  1 00:10:00 host sshd[123]: " + phrases[3],
		"JSON":   `{"level":"error","msg":"failed to pull image","error":"404 not found","time":"2026-11-23T22:48:47Z"}`,
		"logrus": `time="2026-11-23T22:48:47Z" level=error msg="failed to pull image web: 404" error="not found"`,
	} {
		b.Run(name, func(b *testing.B) {
			block := bytes.Repeat([]byte(line+"\n"), 1000)
			detector := new(Detector)
			b.ReportAllocs()
			for b.Loop() {
				for rest := block; ; {
					i := Find(rest)
					if i < 0 {
						break
					}
					begin := bytes.LastIndexByte(rest[:i], '\n') + 1
					end := i + bytes.IndexByte(rest[i:], '\n')
					detector.Detect(logtail.Record{Body: rest[begin:end], Observed: time.Unix(0, 0)}, func(Signal) {})
					rest = rest[end+1:]
				}
			}
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
