//go:build linux

package lab

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
)

const mediaTypeSchema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"

// schema1 serves a manifest of the format that registries stopped to write in
// 2017: https://distribution.github.io/distribution/spec/deprecated-schema-v1/.
// Its layers are those of the tag "data".
func schema1(x exchange) {
	manifest, err := x.schema1Manifest()
	if err != nil {
		http.Error(x.w, err.Error(), http.StatusInternalServerError)
		return
	}
	header := x.w.Header()
	header.Set("Content-Type", mediaTypeSchema1)
	header.Set("Content-Length", fmt.Sprint(len(manifest)))
	header.Set("Docker-Content-Digest", digest.FromBytes(manifest).String())
	x.w.Write(manifest)
}

func (x exchange) schema1Manifest() ([]byte, error) {
	recorder := httptest.NewRecorder()
	x.good.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/v2/"+x.repository+"/manifests/data", nil))
	modern, err := v1.ParseManifest(recorder.Body)
	if err != nil {
		return nil, fmt.Errorf("read manifest of tag data: %w", err)
	}
	payload, err := json.MarshalIndent(map[string]any{
		"schemaVersion": 1,
		"name":          x.repository,
		"tag":           "1.0",
		"architecture":  "amd64",
		"fsLayers":      []any{map[string]any{"blobSum": modern.Layers[0].Digest.String()}},
		"history":       []any{map[string]any{"v1Compatibility": `{"id":"0123","architecture":"amd64","os":"linux","created":"2016-01-01T00:00:00Z"}`}},
	}, "", "   ")
	if err != nil {
		return nil, err
	}
	return sign(string(payload))
}

// sign puts the payload into the envelope of a signed manifest. Nobody checks
// the signature, but the envelope says where the payload ends.
func sign(payload string) ([]byte, error) {
	body := strings.TrimSuffix(payload, "\n}")
	protected, err := json.Marshal(map[string]any{
		"formatLength": len(body),
		"formatTail":   base64.RawURLEncoding.EncodeToString([]byte("\n}")),
		"time":         "2016-01-01T00:00:00Z",
	})
	if err != nil {
		return nil, err
	}
	signatures, err := json.Marshal([]any{map[string]any{
		"header":    map[string]any{"alg": "ES256"},
		"signature": "bm9uZQ",
		"protected": base64.RawURLEncoding.EncodeToString(protected),
	}})
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s,\n   \"signatures\": %s\n}", body, signatures), nil
}
