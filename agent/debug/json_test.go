package debug_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"pullcause/agent/attempt"
	"pullcause/agent/debug"
	"pullcause/agent/diagnose"
)

// The endpoints' answers during an outage.
var jsonTests = []struct{ path, want string }{
	{"/debug/incidents", `{"open_total":1,"closed_total":1,"open":[
{"id":"7f3a90c1d2e4b5a6","image":"nginx:1.27","ref":"docker.io/library/nginx:1.27","registry":"docker.io","state":"open","first_seen":"2026-11-24T04:41:00Z","last_seen":"2026-11-24T04:52:20Z","attempts":14,"cause":"rate_limited","detail":"docker_hub","confidence":"certain","retryable":"later","owner":"registry","summary":"429 Too Many Requests","remedy":"Authenticate pulls, or use a mirror.","http_status":429,"last_error":"failed to resolve reference \"docker.io/library/nginx:1.27\": unexpected status from HEAD request to https://registry-1.docker.io/v2/library/nginx/manifests/1.27: 429 Too Many Requests","pods":[{"namespace":"shop","name":"web-0","uid":"5d0c1f0e","container":"app","kind":"container","reason":"ErrImagePull"}],"pods_dropped":3}
],"closed":[
{"id":"c0ffee00c0ffee00","image":"ghcr.io/acme/batch:v4","state":"recovered","first_seen":"2026-11-24T03:53:00Z","last_seen":"2026-11-24T04:13:00Z","closed_at":"2026-11-24T04:13:00Z","attempts":6,"cause":"dns","confidence":"likely","retryable":"maybe","pods":[]}
]}
`},
	{"/debug/incidents?limit=0", `{"open_total":1,"closed_total":1,"open":[],"closed":[]}
`},
	{"/debug/incidents/c0ffee00c0ffee00", `{"incident":{"id":"c0ffee00c0ffee00","image":"ghcr.io/acme/batch:v4","state":"recovered","first_seen":"2026-11-24T03:53:00Z","last_seen":"2026-11-24T04:13:00Z","closed_at":"2026-11-24T04:13:00Z","attempts":6,"cause":"dns","confidence":"likely","retryable":"maybe","pods":[]},"recent_attempts":[]}
`},
	{"/debug/attempts", `{"attempts_total":1,"attempts":[
{"uid":"9c1d","incident":"7f3a90c1d2e4b5a6","time":"2026-11-24T04:52:20Z","source":"containerd","image":"nginx:1.27","ref":"docker.io/library/nginx:1.27","registry":"docker.io","cause":"rate_limited","detail":"docker_hub","confidence":"certain","retryable":"later","owner":"registry","summary":"429 Too Many Requests","remedy":"Authenticate pulls, or use a mirror.","http_status":429,"grpc_code":"Unknown","error":"failed to resolve reference \"docker.io/library/nginx:1.27\": unexpected status from HEAD request to https://registry-1.docker.io/v2/library/nginx/manifests/1.27: 429 Too Many Requests","reason":"ErrImagePull","hosts":[{"host":"mirror.example","role":"mirror","error":"dial tcp 10.2.0.9:443: connect: connection refused"},{"host":"registry-1.docker.io","role":"origin","method":"HEAD","url":"https://registry-1.docker.io/v2/library/nginx/manifests/1.27","status":429,"error":"429 Too Many Requests"}],"pods":[{"namespace":"shop","name":"web-0","uid":"5d0c1f0e","container":"app","kind":"container","reason":"ErrImagePull"}],"attribution":"kubelet","duration_ms":1312,"bytes_read":2048,"lines":"first line\n\tsecond <line>","truncated":true}
]}
`},
	{"/debug/sources", `{"sources_total":1,"candidates_total":1,"sources":[
{"name":"file:/var/log/containerd.log","kind":"file","program":"containerd","path":"/var/log/containerd.log","state":"reading","position":{"source":"file:/var/log/containerd.log","stream":"a1","offset":12},"lines":1203441,"bytes":1073741824,"behind_bytes":0,"rotations":0,"last_read":"2026-11-24T04:52:58Z","last_turn":"2026-11-24T04:53:00Z","last_line":"2026-11-23T02:53:00Z","lag_seconds":0,"wake":"inotify"}
],"candidates":[
{"kind":"unit","name":"kubelet.service","program":"kubelet","found":true,"detail":"12 entries read"}
]}
`},
	{"/debug/node", `{
  "name": "node-a"
}
`},
	{"/debug/config", `{
  "host_root": "/host"
}
`},
	{"/debug/delivery", `{
  "delivered": 1204,
  "endpoint": "http://cubeapm:3130",
  "last_success": "2026-11-24T04:52:56Z",
  "outcome": "acknowledged"
}
`},
	{"/debug/", `{
  "endpoints": {
    "/debug/attempts": "the last failed attempts, the newest first; ?limit=N",
    "/debug/config": "the effective configuration, secrets masked",
    "/debug/delivery": "the receiver's last answer, and what waits for it",
    "/debug/images": "images on the node by name, and names that were removed; ?limit=N",
    "/debug/incidents": "images that cannot be pulled, then the last that could not, the newest of each first; ?limit=N&state=open|closed",
    "/debug/incidents/{id}": "one of them, with its attempts and their log lines, the newest first; ?limit=N",
    "/debug/node": "the machine, its runtime and what that answers, and the image filesystem",
    "/debug/pulls": "pulls in flight, the oldest first, and how far they have come; ?limit=N",
    "/debug/sources": "the logs that are read, how far, and what was found at each place where there could be one; ?limit=N"
  }
}
`},
}

func TestJSON(t *testing.T) {
	for _, tt := range jsonTests {
		t.Run(tt.path, func(t *testing.T) {
			answer := get(t, outage().handler(), tt.path)
			if diff := cmp.Diff(tt.want, answer.Body.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if answer.Code != 200 || answer.Header().Get("Content-Type") != "application/json" || !json.Valid(answer.Body.Bytes()) {
				t.Errorf("got %d %v", answer.Code, answer.Header())
			}
		})
	}
}

// What is there when nothing is: lists that can be iterated.
func TestJSONOfNothing(t *testing.T) {
	h := (&world{}).handler()
	for path, want := range map[string]string{
		"/debug/incidents": `{"open_total":0,"closed_total":0,"open":[],"closed":[]}`,
		"/debug/attempts":  `{"attempts_total":0,"attempts":[]}`,
		"/debug/sources":   `{"sources_total":0,"candidates_total":0,"sources":[],"candidates":[]}`,
		"/debug/delivery":  "null",
	} {
		if got := get(t, h, path).Body.String(); got != want+"\n" {
			t.Errorf("%s: got %s", path, got)
		}
	}
	empty := debug.View(attempt.Attempt{UID: "u", End: now}, diagnose.Diagnosis{Cause: diagnose.Unknown}, "")
	text, err := json.Marshal(empty)
	const want = `{"uid":"u","time":"2026-11-24T04:53:00Z","cause":"unknown","confidence":"","retryable":"","hosts":[],"pods":[]}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
}

// curl prints to a terminal: what that would obey, reorder or not show is escaped on every
// endpoint, and a parser reads the text of the log.
func TestJSONEscapes(t *testing.T) {
	const evil = "\u009b31m\u202e\u2066\u200b\u2028\x7f"
	w := outage()
	w.open[0].Image, w.open[0].LastError, w.open[0].ID = evil, evil, "evil"
	w.attempts[0].Error, w.attempts[0].Lines = evil, evil
	w.sources[0].Error = evil
	w.images.Removed[0].Name = evil
	w.pulls[0].Host = evil
	w.delivery = map[string]string{"answer": evil}
	w.node = evil
	for _, path := range []string{"incidents", "incidents/evil", "attempts", "sources", "images", "pulls", "delivery", "node"} {
		answer := get(t, w.handler(), "/debug/"+path).Body.String()
		if i := strings.IndexFunc(answer, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%s: written as it is: %+q", path, answer[max(0, i-20):i+3])
		}
		var value any
		if err := json.Unmarshal([]byte(answer), &value); err != nil || !strings.Contains(fmt.Sprint(value), evil) {
			t.Errorf("%s: %v, or the text is another one: %s", path, err, answer)
		}
	}
}

func TestIncidentWithItsAttempts(t *testing.T) {
	var got struct {
		Incident struct {
			ID         string `json:"id"`
			HTTPStatus int    `json:"http_status"`
		} `json:"incident"`
		Attempts []debug.Attempt `json:"recent_attempts"`
	}
	if err := json.Unmarshal(get(t, outage().handler(), "/debug/incidents/7f3a90c1d2e4b5a6").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Incident.ID != "7f3a90c1d2e4b5a6" || got.Incident.HTTPStatus != 429 {
		t.Errorf("incident: got %+v", got.Incident)
	}
	if diff := cmp.Diff([]debug.Attempt{failed()}, got.Attempts); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}
