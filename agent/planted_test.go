package agent

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"pullcause/agent/attempt"
	"pullcause/agent/debug"
	"pullcause/agent/detect"
	"pullcause/agent/diagnose"
	"pullcause/agent/export"
	"pullcause/agent/incident"
	"pullcause/logtail"
)

// plants are the forms in which credentials stand in errors of runtimes, registries and
// kubelets (containerd/containerd#5453, #12805, #13181); %s is the secret.
var plants = []string{
	"https://user:%s@registry.example.com/v2/a/manifests/1",
	"https://s3.example.com/blob?X-Amz-Signature=%s&X-Amz-Date=20261125T100000Z",
	"https://storage.example.com/blob?sig=%s&se=2026",
	"https://auth.example.com/token?account=robot&password=%s&scope=repository:a:pull&service=r",
	"Authorization: Bearer %s",
	"Authorization: Basic %s",
	`{"auths":{"registry.example.com":{"auth":"%s"}}}`,
	"token=%s is not allowed",
	"password: %s",
}

// FuzzPlanted writes lines of failed pulls that hold a credential, in every place that a
// stranger may write to, and looks for it in all that is stored, sent, shown or
// logged.
func FuzzPlanted(f *testing.F) {
	for i := range plants {
		f.Add(uint8(i), "failed to do request: ", ": unexpected status: 403 Forbidden", "registry.example.com/team/app:v1")
	}
	f.Add(uint8(0), "a\nb\\\"", "\x00", "r.example/\xff:v1")
	const secret = "c0ffeeS3cretValue0123456789abcdef"
	f.Fuzz(func(t *testing.T, form uint8, before, after, image string) {
		if strings.Contains(before+after+image, secret) || len(before)+len(after)+len(image) > 4<<10 {
			return
		}
		plant := fmt.Sprintf(plants[int(form)%len(plants)], secret)
		text := before + "\n" + plant + "\n" + after
		now := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
		lines := []string{
			`time="2026-11-25T10:00:00Z" level=error msg=` + strconv.Quote("PullImage "+strconv.Quote(image)+" failed") + " error=" + strconv.Quote(text),
			`time="2026-11-25T10:00:00Z" level=info msg="trying next host" error=` + strconv.Quote(text) + " host=registry.example.com",
			`E1125 10:00:00.100000 1 remote_image.go:1] "PullImage from image service failed" err=` + strconv.Quote(text) + " image=" + strconv.Quote(image),
			`E1125 10:00:00.200000 1 pod_workers.go:1] "Error syncing pod, skipping" err=` +
				strconv.Quote(`failed to "StartContainer" for "app" with ErrImagePull: `+strconv.Quote(text)) + ` pod="shop/web-0" podUID="u"`,
		}
		for place, out := range everything(lines, now) {
			if strings.Contains(out, secret) {
				t.Fatalf("%s holds the secret of %q:\n%s", place, plant, out)
			}
		}
	})
}

// everything is what leaves the agent, or is stored, because of some lines.
func everything(lines []string, now time.Time) map[string]string {
	out := map[string]string{}
	add := func(place string, v any) {
		text, err := json.Marshal(v)
		if err == nil {
			out[place] += string(text)
		}
	}
	joiner := attempt.NewJoiner(attempt.Config{Node: "node-a", Window: time.Second, Forget: time.Hour, MaxOpen: 10})
	store := incident.NewStore(incident.Config{AbandonAfter: time.Hour, MaxOpen: 10})
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	settle := func(a attempt.Attempt) {
		if a.Succeeded {
			return
		}
		d := diagnose.Diagnose(a, diagnose.Facts{OS: "linux", Arch: "amd64", Cache: &diagnose.Cache{Present: true}})
		add("debug", debug.View(a, d, ""))
		logger.Info("attempt", "error", a.Failure, "summary", d.Summary)
		store.Apply(a, d, now, func(c incident.Change) { add("spool", export.FromChange(c, "node-a")) })
	}
	var detector detect.Detector
	for i, line := range lines {
		rec := logtail.Record{Body: []byte(line), Time: now, Observed: now, Pos: logtail.Position{Source: "s", Offset: int64(i)}}
		detector.Detect(rec, func(s detect.Signal) { joiner.Add(s, now, settle) })
	}
	for _, pull := range joiner.Begun() {
		add("debug", pull)
	}
	joiner.Flush(settle)
	add("state", store.Save())
	for _, i := range store.Open() {
		add("debug", i)
	}
	out["log"] = log.String()
	return out
}
