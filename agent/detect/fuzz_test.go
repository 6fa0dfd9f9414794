package detect

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pullcause/logtail"
)

// seeds are the records of the corpus.
func seeds(f *testing.F) []string {
	f.Helper()
	files, err := filepath.Glob("../../test/corpus/cases/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no corpus: %v", err)
	}
	var records []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var record []string
		for line := range strings.Lines(string(text)) {
			if line, ok := strings.CutPrefix(line, "| "); ok {
				record = append(record, strings.TrimSuffix(line, "\n"))
				continue
			}
			if len(record) > 0 {
				records, record = append(records, strings.Join(record, "\n")), nil
			}
		}
	}
	return records
}

// FuzzDetect checks that nothing breaks Detect and what it promises of any
// text: bounds and valid UTF-8.
func FuzzDetect(f *testing.F) {
	for _, record := range seeds(f) {
		f.Add([]byte(record))
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		Find(record)
		Unfinished(record)
		MayContinue(record)
		Continues(record, record)
		LineTime(record, time.Unix(1<<31, 0), nil)
		openEnvelope(record)
		new(Detector).Detect(logtail.Record{Body: record, Observed: time.Unix(1<<31, 0)}, func(s Signal) {
			if s.Program == Text || s.Program == Event {
				t.Errorf("a log yields a signal of %s", s.Program)
			}
		})
		Detect(logtail.Record{Body: record, Observed: time.Unix(1<<31, 0)}, nil, func(s Signal) {
			if len(s.Image) > maxImage || len(s.Raw) > maxRaw || len(s.Pod.Name) > maxName || len(s.Host.URL) > maxImage {
				t.Errorf("beyond its bounds: %+v", s)
			}
			if text := fmt.Sprintf("%+v", s); !utf8.ValidString(text) {
				t.Errorf("no UTF-8: %q", text)
			}
		})
	})
}

// planted is a secret, and carriers are what it stands in.
const planted = "pLanTedSeCReTvALue0"

var carriers = []string{
	"https://user:" + planted + "@registry.example.com/v2/a/manifests/1",
	"https://cdn.example.com/blob?X-Amz-Credential=" + planted + "&X-Amz-Signature=" + planted,
	"https://blob.example.com/x?sv=2020&sig=" + planted,
	"Authorization: Bearer " + planted,
	"Authorization: Basic " + planted,
	"password=" + planted,
	`{"username":"u","password":"` + planted + `"}`,
}

// writers put an error and an image into a record.
var writers = []func(image, failure string) string{
	func(image, failure string) string {
		return fmt.Sprintf(`time="2026-11-23T22:48:47Z" level=error msg=%q error=%q`, fmt.Sprintf("PullImage %q failed", image), failure)
	},
	func(image, failure string) string {
		b, _ := json.Marshal(map[string]string{"level": "error", "msg": fmt.Sprintf("PullImage %q failed", image), "error": failure})
		return string(b)
	},
	func(image, failure string) string {
		return fmt.Sprintf(`time="2026-11-23T22:48:47Z" level=info msg="fetch failed" error=%q host=%q url=%q`, failure, image, failure)
	},
	func(image, failure string) string {
		return fmt.Sprintf(`time="2026-11-23T22:48:47Z" level=error msg="RunPodSandbox for &PodSandboxMetadata{Name:%s,Uid:1,Namespace:n,} failed, error" error=%q`, "web", fmt.Sprintf("failed to pull image %q: %s", image, failure))
	},
	func(image, failure string) string {
		return fmt.Sprintf(`E1123 22:48:47.626362       1 a.go:1] "Failed to pull image" err=%q image=%q`, failure, image)
	},
	func(image, failure string) string {
		return fmt.Sprintf("E1123 22:48:47.626362       1 a.go:1] \"Failed to pull image\" err=<\n\t%s\n > image=%q", strings.ReplaceAll(failure, "\n", "\n\t"), image)
	},
	func(image, failure string) string {
		inner := fmt.Sprintf("failed to %q for %q with ImagePullBackOff: %q", "StartContainer", "app", fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", image, failure))
		return fmt.Sprintf(`E1123 22:48:47.626362       1 a.go:1] "Error syncing pod, skipping" err=%q pod="n/p" podUID=%q`, inner, failure)
	},
	func(image, failure string) string {
		return fmt.Sprintf(`E1123 22:48:47.626362       1 a.go:1] container &Container{Name:app,Image:%s,Command:[%s],} start failed in pod p_n(1): ErrImagePull: %s`, image, planted, failure)
	},
	func(image, failure string) string {
		return fmt.Sprintf(`time="2026-11-23T22:48:47Z" level=error msg=%q`, "Not continuing with pull after error: "+failure)
	},
	func(image, failure string) string {
		return fmt.Sprintf(`time="2026-11-23T22:48:47Z" level=debug msg=%q id=%q`, "Error pulling image "+image+": "+failure, failure)
	},
	func(image, failure string) string {
		return fmt.Sprintf("  Warning  Failed  9m  kubelet  Failed to pull image %s: %s", strconv.Quote(image), failure)
	},
}

// FuzzSecret checks that no secret leaves Detect, whatever stands around it.
func FuzzSecret(f *testing.F) {
	for w := range writers {
		for c := range carriers {
			f.Add(uint8(w), uint8(c), "registry.example.com/team/app:v1", "failed to do request: Head", "dial tcp: lookup r: no such host")
		}
	}
	f.Fuzz(func(t *testing.T, writer, carrier uint8, image, before, after string) {
		write, secret := writers[int(writer)%len(writers)], carriers[int(carrier)%len(carriers)]
		record := write(image, before+" "+secret+" "+after)
		Detect(logtail.Record{Body: []byte(record)}, nil, func(s Signal) {
			if text := fmt.Sprintf("%+v %+v", s, s.Failure); strings.Contains(text, planted) {
				t.Errorf("%q leaves Detect: %s", secret, text)
			}
		})
	})
}
