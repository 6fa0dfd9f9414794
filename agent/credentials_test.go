package agent

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pullcause/agent/redact/redacttest"
)

// credentialCarriers are lines in which the text of a failure reaches the agent, by
// their writers.
var credentialCarriers = map[string]func(text string) string{
	// containerd 2.1, logrus text and JSON.
	"containerd": func(text string) string {
		return `time="2026-11-25T10:00:00Z" level=error msg="PullImage \"registry.example.com/team/app:v1\" failed" error=` + strconv.Quote(inChain(text))
	},
	"containerd JSON": func(text string) string {
		return `{"error":` + inJSON(inChain(text)) + `,"level":"error","msg":"PullImage \"registry.example.com/team/app:v1\" failed","time":"2026-11-25T10:00:00Z"}`
	},
	// kubelet 1.34, structured, nested in an aggregate, JSON.
	"kubelet": func(text string) string {
		return `E1125 10:00:00.100000    2791 remote_image.go:180] "PullImage from image service failed" err=` +
			strconv.Quote("rpc error: code = Unknown desc = "+inChain(text)) + ` image="registry.example.com/team/app:v1"`
	},
	"kubelet nested": func(text string) string {
		return `E1125 10:00:00.200000    2791 pod_workers.go:1301] "Error syncing pod, skipping" err=` +
			strconv.Quote(`failed to "StartContainer" for "app" with ErrImagePull: `+strconv.Quote("rpc error: code = Unknown desc = "+inChain(text))) + ` pod="shop/web-0" podUID="9a664cda-5cc7-b8e9-4320-9ae8e76110b0"`
	},
	"kubelet JSON": func(text string) string {
		return `{"ts":1764064800000.1,"caller":"kuberuntime/kuberuntime_image.go:55","msg":"Failed to pull image","err":` +
			inJSON("rpc error: code = Unknown desc = "+inChain(text)) + `,"image":"registry.example.com/team/app:v1"}`
	},
	// CRI-O 1.36 at level debug.
	"CRI-O": func(text string) string {
		return `time="2026-11-25T10:00:00.1Z" level=debug msg=` + strconv.Quote("Error pulling image registry.example.com/team/app:v1: initializing source docker://registry.example.com/team/app:v1: "+text) +
			` id=6405647d-b3f1-fefc-2878-de918e15f0de name=/runtime.v1.ImageService/PullImage`
	},
	// Docker 28.
	"dockerd": func(text string) string {
		return `time="2026-11-25T10:00:00.1Z" level=error msg="Not continuing with pull after error" error=` + strconv.Quote("error parsing HTTP 403 response body: "+text)
	},
	// kubelet 1.20, unstructured.
	"kubelet text": func(text string) string {
		return `E1125 10:00:00.100000    2791 remote_image.go:113] PullImage "registry.example.com/team/app:v1" from image service failed: rpc error: code = Unknown desc = ` +
			inChain(text)
	},
}

func inChain(text string) string {
	return `failed to pull and unpack image "registry.example.com/team/app:v1": failed to resolve reference "registry.example.com/team/app:v1": ` +
		text + `: unexpected status from HEAD request to https://registry.example.com/v2/team/app/manifests/v1: 403 Forbidden`
}

func inJSON(text string) string {
	out, _ := json.Marshal(text) // a string is always encoded
	return string(out)
}

// TestCredentialsStayOnTheNode plants a secret in each text of the table, and each text
// in a line of each writer. Nothing that is stored, sent, shown or logged may hold it.
func TestCredentialsStayOnTheNode(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	now := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	records := map[string]int{}
	for _, fragment := range redacttest.Fragments(t, "redact/testdata/credentials.jsonl") {
		for _, writer := range slices.Sorted(maps.Keys(credentialCarriers)) {
			secret := fragment.Secret(random)
			carrier := credentialCarriers[writer]
			line := carrier(fragment.Plant(secret))
			out := everything([]string{line}, now)
			if out["spool"] != "" {
				records[writer]++
			}
			for place, text := range out {
				if strings.Contains(text, secret) {
					t.Errorf("%s: %s holds the secret %q of\n%s", writer, place, secret, line)
				}
			}
		}
	}
	for writer := range credentialCarriers {
		if records[writer] == 0 {
			t.Errorf("no line of %s became a record: the test proves nothing", writer)
		}
	}
	t.Logf("records: %v", records)
}
