package cri

import (
	"strings"
	"testing"
)

func TestParseImageInfo(t *testing.T) {
	long := strings.Repeat("x", 101)
	tests := map[string]string{
		`{"imageSpec":{"architecture":"arm64","os":"linux","variant":"v8"}}`: "linux/arm64/v8",
		`{"imageSpec":{"architecture":"amd64","os":"linux"}}`:                "linux/amd64",
		`{"imageSpec":{"architecture":"amd64"}}`:                             "amd64",
		`{"imageSpec":{"os":"linux"}}`:                                       "",
		`{"imageSpec":{"architecture":"` + long + `","os":"linux"}}`:         "",
		`{"imageSpec":null}`:                                                 "",
		`{"imageSpec":{"architecture":["amd64"]}}`:                           "",
		`[]`: "", ``: "", `not JSON`: "",
	}
	for text, want := range tests {
		if got := parseImageInfo(text).Platform; got.String() != want {
			t.Errorf("%.80s: got platform %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		`{"chainID":"sha256:ab"}`: "sha256:ab",
		`{"chainID":"sha256:ab","imageSpec":{"architecture":"` + long + `"}}`: "sha256:ab",
		`{"chainID":"` + long + long + `"}`:                                   "",
		`{"chainID":null}`:                                                    "",
	} {
		if got := parseImageInfo(text).ChainID; got != want {
			t.Errorf("%.80s: got chain %q, want %q", text, got, want)
		}
	}
}

// What registries write is parsed without harm, and what is kept of it is bounded.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"layers":[{"digest":"sha256:a","size":1}]}`,
		`{"layers":[{"digest":"sha256:a","size":-1},{}]}`,
		`{"layers":null}`, `{"layers":[[[[`, `{"imageSpec":{"architecture":"arm64","os":"linux"}}`,
		"layer-sha256:a", "manifest-name@sha256:b", "\xff\x00", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list := parseLayers([]byte(text))
		if len(list) > maxLayers {
			t.Errorf("kept %d layers", len(list))
		}
		for _, l := range list {
			if l.Size < 0 || l.Digest == "" || len(l.Digest) > maxDigest {
				t.Errorf("kept the layer %+v", l)
			}
		}
		if s := parseImageInfo(text); len(s.Platform.String()) > 3*maxPlatform+2 || len(s.ChainID) > maxDigest {
			t.Errorf("got the image %+v", s)
		}
		if kind, digest, ok := parseRef(text); ok && !strings.HasPrefix(text, kind+"-") || ok && !strings.HasSuffix(text, digest) {
			t.Errorf("%q: got %q and %q", text, kind, digest)
		}
	})
}
