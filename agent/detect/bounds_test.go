package detect

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"pullcause/logtail"
)

// page is what a proxy answers in place of a registry: an HTML page of n bytes.
func page(n int) string {
	return "<html><body>" + strings.Repeat("<p>access denied by policy</p>", n/30) + "</body></html>"
}

// pulling is a containerd v2.4 line about a failed pull with this error.
func pulling(image, failure string) string {
	return fmt.Sprintf(`time="2026-11-23T22:48:47.623221596Z" level=error msg=%q error=%q`, fmt.Sprintf("PullImage %q failed", image), failure)
}

// syncing is a kubelet v1.34 line about a pod of n containers whose pulls fail.
func syncing(n int, failure string) string {
	var errs []string
	for i := range n {
		errs = append(errs, fmt.Sprintf("failed to %q for %q with ErrImagePull: %q", "StartContainer", fmt.Sprintf("app-%d", i), failure))
	}
	return fmt.Sprintf(`E1123 22:48:47.626250   21023 pod_workers.go:1338] "Error syncing pod, skipping" err=%q pod="shop/web-0" podUID="69a2a79f"`, "["+strings.Join(errs, ", ")+"]")
}

func TestFailureIsClipped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, failure string }{
		{"HTML of 60 KB", `failed to pull and unpack image "r.test/a:1": unexpected status from GET request to https://r.test/v2/a/manifests/1: 403 Forbidden` + "\n" + page(60<<10)},
		{"one word of 60 KB", `failed to pull and unpack image "r.test/a:1": unexpected status from GET request to https://r.test/v2/a/manifests/1: 403 Forbidden ` + strings.Repeat("x", 60<<10)},
		{"two bytes a letter", `unexpected status from GET request to https://r.test/v2/a/manifests/1: 403 Forbidden: ` + strings.Repeat("é", 30<<10)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := signals(pulling("r.test/a:1", c.failure))
			if len(got) != 1 {
				t.Fatalf("got %d signals, want 1", len(got))
			}
			f := got[0].Failure
			if len(f.Text) > MaxFailure || MaxFailure > 8<<10 {
				t.Errorf("kept %d bytes of the error, want at most 8 KiB", len(f.Text))
			}
			if !f.Clipped || !strings.Contains(f.Text, "bytes clipped") {
				t.Errorf("the error is not marked as clipped: %v, %.80q", f.Clipped, f.Text)
			}
			if f.Status != 403 {
				t.Errorf("got status %d, want 403", f.Status)
			}
		})
	}
	if f := ParseFailure("403 Forbidden"); f.Clipped || f.Text != "403 Forbidden" {
		t.Errorf("a short error changes: %+v", f)
	}
}

// What really happened stands at the end of a chain.
func TestClippedFailureKeepsItsEnd(t *testing.T) {
	t.Parallel()
	chain := strings.Repeat(`failed to copy: `, 2000) + `dial tcp: lookup r.test on 10.0.0.10:53: no such host`
	f := ParseFailure(chain)
	if !strings.HasSuffix(f.Text, "no such host") || !strings.HasPrefix(f.Text, "failed to copy: ") {
		t.Errorf("got %.40q … %.40q", f.Text, f.Text[len(f.Text)-40:])
	}
	if !f.Found.Has(NoSuchHost) || f.Lookup != "r.test" {
		t.Errorf("got %+v", f)
	}
}

// hostile is a text of n bytes that is long in every part that is kept of it.
func hostile(n int) []string {
	long := strings.Repeat("x", n)
	return []string{
		`failed to resolve reference "` + long + `": not found`,
		`failed to do request: Head "https://` + long + `/v2/a/manifests/1": dial tcp: lookup ` + long + ` on ` + long + `: no such host`,
		`unexpected status from HEAD request to https://r.test/v2/a/manifests/` + long + `: 503 ` + long,
		`dial unix /run/` + long + `.sock: connect: no such file or directory`,
		`dial tcp ` + long + `:443: connect: connection refused`,
		`rpc error: code = ` + long + ` desc = context canceled`,
		`proxyconnect tcp: dial tcp ` + long + `:3128: i/o timeout`,
		`pull access denied for ` + long + `, repository does not exist or may require 'docker login': denied: ` + long,
		`manifest for ` + long + ` not found: manifest unknown: ` + long,
		strings.Repeat("denied: "+long[:n/10]+"\n", 10),
		"[" + strings.Repeat(`rpc error: code = Unknown desc = failed to pull and unpack image "`+long[:n/10]+`": 403 Forbidden, `, 10) + "EOF]",
		`(Mirrors also failed: [m: ` + strings.Repeat("pinging container registry "+long[:n/10]+": EOF]\n[", 10) + `]): r.test: EOF`,
	}
}

// mostFailure bounds a failure with all that hangs on it, in bytes.
const mostFailure = 40 << 10

func TestFailureIsBoundedInEveryField(t *testing.T) {
	t.Parallel()
	for _, text := range hostile(60 << 10) {
		f := ParseFailure(text)
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > mostFailure {
			t.Errorf("%.60q: kept %d bytes, want at most %d", text, len(b), mostFailure)
		}
		for name, s := range stringsOf(reflect.ValueOf(*f)) {
			if name != "Text" && len(s) > maxURL {
				t.Errorf("%.60q: %s has %d bytes", text, name, len(s))
			}
		}
	}
}

// stringsOf are the string fields of a struct.
func stringsOf(v reflect.Value) map[string]string {
	all := make(map[string]string)
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.String {
			all[v.Type().Field(i).Name] = f.String()
		}
	}
	return all
}

func TestSignalIsBoundedInEveryField(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 60<<10)
	for _, record := range []string{
		pulling(long, long),
		fmt.Sprintf(`time="2026-11-23T22:48:47Z" level=info msg="trying next host" error=%q host=%s method=%s url="https://%s/v2/"`, long, long, long, long),
		fmt.Sprintf(`E1123 22:48:47.626250       1 pod_workers.go:1338] "Error syncing pod, skipping" err=%q pod="%s/%s" podUID=%q`, `failed to "StartContainer" for "`+long+`" with ErrImagePull: "`+long+`"`, long, long, long),
		fmt.Sprintf(`time="2026-11-23T22:48:47Z" level=debug msg="Error pulling image %s: %s" id=%s name=/runtime.v1.ImageService/PullImage`, long, long, long),
		fmt.Sprintf(`time="2026-11-23T22:48:47Z" level=info msg="PullImage \"%s\"" trace_id=%s`, long, long),
		fmt.Sprintf(`I1123 22:48:47.626250       1 kubelet.go:2493] "SyncLoop REMOVE" source="api" pods=["%s/%s"]`, long, long),
		fmt.Sprintf(`I1123 22:48:47.626250       1 server.go:1] "Kubelet version" kubeletVersion=%q`, long),
	} {
		for _, s := range signals(record) {
			total := len(s.Raw)
			for name, text := range stringsOf(reflect.ValueOf(s)) {
				if name != "Raw" && len(text) > maxImage {
					t.Errorf("%.60q: %s has %d bytes", record, name, len(text))
				}
				total += len(text)
			}
			for name, text := range stringsOf(reflect.ValueOf(s.Host)) {
				if len(text) > maxURL {
					t.Errorf("%.60q: %s of the host has %d bytes", record, name, len(text))
				}
			}
			if len(s.Raw) > maxRaw || total > 2*maxRaw+4*maxImage {
				t.Errorf("%.60q: the signal holds %d bytes", record, total)
			}
		}
	}
}

// kept is how much memory the signals of records hold once the records are gone.
func kept(t *testing.T, detector *Detector, records int, record func(i int) string) (bytes uint64, signals []Signal) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range records {
		rec := logtail.Record{Body: []byte(record(i)), Observed: time.Unix(0, 0)}
		detector.Detect(rec, func(s Signal) { signals = append(signals, s) })
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(detector)
	return after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc), signals
}

// Signals must not hold on to the lines that they were read from.
func TestSignalsDoNotPinTheirLines(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name    string
		records int
		record  func(i int) string
		most    uint64
	}{
		{"200 errors of 300 KB", 200, func(i int) string {
			return pulling(fmt.Sprintf("r.test/a:%d", i), fmt.Sprintf("unexpected status from GET request to https://r.test/v2/a/manifests/%d: 403 Forbidden ", i)+page(300<<10))
		}, 10 * mib},
		{"20 pods of 110 containers, 39.5 KB each", 20, func(int) string { return syncing(110, strings.Repeat("x", 230)+": EOF") }, 6 * mib},
		{"20 lines of 429 KB", 20, func(int) string { return syncing(110, strings.Repeat("x", 3800)+": EOF") }, 20 * mib},
		{"a failure in a line of 900 KB", 30, func(int) string { return syncing(1, "EOF") + strings.Repeat("x", 900<<10) }, 3 * mib},
		{"200 hosts in lines of 300 KB", 200, func(i int) string {
			return fmt.Sprintf(`time="2026-11-23T22:48:47Z" level=info msg="trying next host" error="EOF" host=m%d.test `, i) + "x=" + strings.Repeat("x", 300<<10)
		}, 8 * mib},
		{"200 pulls in lines of 300 KB", 200, func(i int) string {
			return fmt.Sprintf(`time="2026-11-23T22:48:47Z" level=info msg="stop pulling image r.test/%d: active requests=0, bytes read=%s7"`, i, strings.Repeat("0", 300<<10))
		}, 2 * mib},
	} {
		t.Run(c.name, func(t *testing.T) {
			held, signals := kept(t, new(Detector), c.records, c.record)
			if len(signals) < c.records {
				t.Fatalf("got %d signals of %d records", len(signals), c.records)
			}
			if held > c.most {
				t.Errorf("%d signals hold %d KiB, want at most %d", len(signals), held>>10, c.most>>10)
			}
			runtime.KeepAlive(signals)
		})
	}
}

// The work for a line grows with its length, not with its length times its failures.
func TestWorkIsLinear(t *testing.T) {
	allocated := func(n int) uint64 {
		rec := logtail.Record{Body: []byte(syncing(n, strings.Repeat("x", 100)+": EOF")), Observed: time.Unix(0, 0)}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		new(Detector).Detect(rec, func(Signal) {})
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if small, large := allocated(100), allocated(800); large > 12*small {
		t.Errorf("a line of 100 failures allocates %d KiB, one of 800 %d KiB: want about 8 times as much", small>>10, large>>10)
	}
}

func TestFailuresOfOneLineAreBounded(t *testing.T) {
	t.Parallel()
	const more = 57
	rec := logtail.Record{Body: []byte(syncing(MaxFailures+more, "EOF")), Observed: time.Unix(0, 0)}
	n := 0
	skipped := new(Detector).Detect(rec, func(Signal) { n++ })
	if n != MaxFailures || skipped != more {
		t.Errorf("got %d failures and %d skipped, want %d and %d", n, skipped, MaxFailures, more)
	}
}

func TestPodsOfOneLineAreBounded(t *testing.T) {
	t.Parallel()
	const more = 3
	for _, c := range []struct{ name, begin, pod, end string }{
		{"klog", `I1123 22:48:47.626250       1 kubelet.go:2493] "SyncLoop REMOVE" source="api" pods=[`, `"a/b%d"`, `]`},
		{"JSON", `{"ts":1795474127626.362,"caller":"kubelet/kubelet.go:2531","msg":"SyncLoop REMOVE","v":2,"source":"api","pods":[`, `{"name":"b%d","namespace":"a"}`, `]}`},
		{"1.18", `I1123 22:48:47.626250       1 kubelet.go:1945] SyncLoop (REMOVE, "api"): "`, `b%d_a(1)`, `"`},
	} {
		var pods []string
		for i := range MaxFailures + more {
			pods = append(pods, fmt.Sprintf(c.pod, i))
		}
		rec := logtail.Record{Body: []byte(c.begin + strings.Join(pods, ", ") + c.end), Observed: time.Unix(0, 0)}
		n := 0
		skipped := new(Detector).Detect(rec, func(Signal) { n++ })
		if n != MaxFailures || skipped != more {
			t.Errorf("%s: got %d pods and %d skipped, want %d and %d", c.name, n, skipped, MaxFailures, more)
		}
	}
}

// 64 writers may each have a record open that is nearly as long as a line may be.
func TestOpenRecordsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	var a Assembler
	cut, whole := 0, 0
	emit := func(_ logtail.Record, isCut bool) {
		if isCut {
			cut++
			return
		}
		whole++
	}
	piece := []byte(strings.Repeat("x", 48<<10))
	for writer := range 64 {
		for range 10 {
			a.Add(logtail.Record{Writer: fmt.Sprint(writer), Body: piece, Broken: true}, emit)
		}
	}
	held := 0
	for _, p := range a.open {
		held += cap(p.text)
	}
	if held > 4<<20 {
		t.Errorf("open records hold %d KiB, want at most 4 MiB", held>>10)
	}
	if cut+len(a.open) != 64 || whole != 0 {
		t.Errorf("of 64 records %d are open, %d were given up and %d are whole", len(a.open), cut, whole)
	}
}

// The kubelet writes image, pod and container behind the error.
func TestClippedRecordKeepsItsEnd(t *testing.T) {
	t.Parallel()
	got := signals(syncing(1, "403 Forbidden\n"+page(40<<10)))
	if len(got) != 1 {
		t.Fatalf("got %d signals", len(got))
	}
	raw := got[0].Raw
	if len(raw) > maxRaw || !strings.HasPrefix(raw, "E1123 ") || !strings.Contains(raw, "bytes clipped") || !strings.HasSuffix(raw, `pod="shop/web-0" podUID="69a2a79f"`) {
		t.Errorf("got %d bytes: %.60q … %.60q", len(raw), raw, raw[max(0, len(raw)-60):])
	}
}
