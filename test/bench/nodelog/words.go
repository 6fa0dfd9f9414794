package nodelog

import (
	"math/rand/v2"
	"strconv"
)

const hexDigits = "0123456789abcdef"

// appendHex appends n hexadecimal digits.
func appendHex(b []byte, rng *rand.Rand, n int) []byte {
	for n > 0 {
		v := rng.Uint64()
		for range min(n, 16) {
			b = append(b, hexDigits[v&15])
			v >>= 4
		}
		n -= 16
	}
	return b
}

func appendUUID(b []byte, rng *rand.Rand) []byte {
	for i, n := range [...]int{8, 4, 4, 4, 12} {
		if i > 0 {
			b = append(b, '-')
		}
		b = appendHex(b, rng, n)
	}
	return b
}

func pick(rng *rand.Rand, of []string) string { return of[rng.IntN(len(of))] }

var namespaces = []string{"shop", "team-a", "kube-system", "monitoring", "image-builder", "default"}

// appendPod appends namespace and name of a pod.
func appendPod(b []byte, rng *rand.Rand) []byte {
	b = append(b, pick(rng, namespaces)...)
	b = append(b, '/')
	b = append(b, pick(rng, names)...)
	b = append(b, '-')
	b = appendHex(b, rng, 10)
	b = append(b, '-')
	return appendHex(b, rng, 5)
}

var (
	names = []string{"web", "api", "image-pull-test", "grafana", "cortex-gw", "unauthorized-proxy", "ingest", "cron-429"}
	// registries as they stand in a reference; the empty one is Docker Hub.
	registries = []string{
		"", "", "ghcr.io/", "quay.io/", "registry.k8s.io/", "registry.example.com/", "registry.example.com:5000/",
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com/", "europe-docker.pkg.dev/",
	}
	repositories = []string{
		"team/app", "shop/web", "prometheus/node-exporter", "denied/forbidden-fruit", "platform/base-image", "error/failed",
	}
)

// appendImage appends one of about 200 references, as many as a node has. The
// tag may look like a status.
func appendImage(b []byte, rng *rand.Rand) []byte {
	b = append(b, pick(rng, registries)...)
	b = append(b, pick(rng, repositories)...)
	b = append(b, ":v1."...)
	b = strconv.AppendUint(b, 400+rng.Uint64N(4), 10)
	return append(b, ".429"...)
}
