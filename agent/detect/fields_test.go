package detect

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFields(t *testing.T) {
	type pairs [][2]string
	for _, c := range []struct {
		name, text string
		json       bool
		want       pairs
	}{
		{
			"logrus", `time="2026-11-23T22:48:47Z" level=info msg="a \"b\"" host=r.io`, false,
			pairs{{"time", "2026-11-23T22:48:47Z"}, {"level", "info"}, {"msg", `a "b"`}, {"host", "r.io"}},
		},
		{"empty value", `level=info error= msg=x`, false, pairs{{"level", "info"}, {"error", ""}, {"msg", "x"}}},
		{"newline and other escapes", `error="a\nb\tc\\d\x07é"`, false, pairs{{"error", "a\nb\tc\\d\aé"}}},
		{
			"quotes not escaped", `error="image "r/x:1": denied" host=r.io`, false,
			pairs{{"error", `image "r/x:1": denied`}, {"host", "r.io"}},
		},
		{"quotes not escaped, last", `error="image "r/x:1": denied"`, false, pairs{{"error", `image "r/x:1": denied`}}},
		{"cut", `msg="x" error="failed to pull \">`, false, pairs{{"msg", "x"}, {"error", `failed to pull ">`}}},
		{"cut in an escape", `error="a \`, false, pairs{{"error", `a \`}}},
		{"word without a value", `shim disconnected id=7`, false, pairs{{"id", "7"}}},
		{
			"klog", ` err="a b" pod="ns/p" pods=["a/b","c/d"] n=3 event={"ID":"x y"} v=z`, false,
			pairs{{"err", "a b"}, {"pod", "ns/p"}, {"pods", `["a/b","c/d"]`}, {"n", "3"}, {"event", `{"ID":"x y"}`}, {"v", "z"}},
		},
		{"klog block", " err=<\n\tone: \"x\"\n\ttwo\n > image=\"r/x:1\"", false, pairs{{"err", "one: \"x\"\ntwo"}, {"image", "r/x:1"}}},
		{"klog block, cut", " err=<\n\tone", false, pairs{{"err", "one"}}},
		{
			"JSON", `{"ts":1.5,"msg":"a \"b\" \u0026 \ud83d\ude00","pod":{"name":"p","x":["}"]},"ok":true}`, true,
			pairs{{"ts", "1.5"}, {"msg", "a \"b\" & \U0001f600"}, {"pod", `{"name":"p","x":["}"]}`}, {"ok", "true"}},
		},
		{"JSON, spaces", `{ "a" : "b" , "c" : 1 }`, true, pairs{{"a", "b"}, {"c", "1 "}}},
		{"JSON, cut", `{"a":"b","c":"d`, true, pairs{{"a", "b"}, {"c", "d"}}},
		{"not UTF-8", "a=\"x\\xffy\" b=\xff", false, pairs{{"a", "x\uFFFDy"}, {"b", "\uFFFD"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fields{rest: []byte(c.text), json: c.json}
			var got pairs
			for {
				k, v, ok := f.next()
				if !ok {
					break
				}
				got = append(got, [2]string{string(k), v.text()})
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMessageOthers(t *testing.T) {
	// What stands before msg is a field too where logrus did not put it there.
	for _, text := range []string{
		`time="t" level=error msg="m" error="e"`,
		`level=error error="e" msg="m"`,
		`time=t trace_id=1 level=error error="e" msg="m"`,
	} {
		msg, others, ok := fields{rest: []byte(text)}.message()
		if got := others.text("error"); !ok || msg.text() != "m" || got != "e" {
			t.Errorf("%s: message %q, error %q", text, msg.text(), got)
		}
	}
}

func TestSyncErrors(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []syncError
	}{
		{
			"one", `failed to "StartContainer" for "app" with ErrImagePull: "a \"b\": c"`,
			[]syncError{{"StartContainer", "app", "ErrImagePull", `a "b": c`}},
		},
		{
			"two", `[failed to "StartContainer" for "a" with ErrImagePull: "x, failed to y", failed to "StartContainer" for "b" with ImagePullBackOff: "z"]`,
			[]syncError{{"StartContainer", "a", "ErrImagePull", "x, failed to y"}, {"StartContainer", "b", "ImagePullBackOff", "z"}},
		},
		{
			"of SyncPod too", `[failed to SyncPod: context canceled, failed to "StartContainer" for "a" with ErrImagePull: "x"]`,
			[]syncError{{"StartContainer", "a", "ErrImagePull", "x"}},
		},
		{
			"cut", `failed to "StartContainer" for "a" with ErrImagePull: "Tag 1 not found in repository r/x`,
			[]syncError{{"StartContainer", "a", "ErrImagePull", "Tag 1 not found in repository r/x"}},
		},
		{
			"cut before the reason", `failed to "StartContainer" for "a" with ErrIm`,
			[]syncError{{"StartContainer", "a", "ErrIm", ""}},
		},
		{"no error of this kind", `unmounted volumes=[a], unattached volumes=[]`, nil},
		{
			"nested in an error", `failed to "StartContainer" for "a" with ErrImagePull: "failed to \"StartContainer\" for \"b\" with ErrImagePull: \"x\""`,
			[]syncError{{"StartContainer", "a", "ErrImagePull", `failed to "StartContainer" for "b" with ErrImagePull: "x"`}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []syncError
			for rest := c.text; ; {
				e, after, ok := cutSyncError(rest)
				if !ok {
					break
				}
				got, rest = append(got, e), after
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(syncError{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSandboxPod(t *testing.T) {
	want := Pod{Namespace: "shop", Name: "web-0", UID: "1-2"}
	for _, metadata := range []string{
		`&PodSandboxMetadata{Name:web-0,Uid:1-2,Namespace:shop,Attempt:0,}`,
		`name:"web-0" uid:"1-2" namespace:"shop" attempt:2`,
		`name:"web-0"  uid:"1-2"  namespace:"shop"`,
	} {
		if got := sandboxPod(metadata); got != want {
			t.Errorf("sandboxPod(%s) = %+v", metadata, got)
		}
	}
}
