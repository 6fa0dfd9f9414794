package otlp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"pullcause/agent/export"
	"pullcause/agent/export/otlp"
	"pullcause/agent/export/otlp/endpoint"
)

// BenchmarkExport is the cost of a record in a full batch, over loopback to a
// receiver that only reads.
func BenchmarkExport(b *testing.B) {
	for _, n := range []int{1, 256} {
		for _, compression := range []string{endpoint.CompressionGzip, endpoint.CompressionNone} {
			b.Run(fmt.Sprintf("%s-%d", compression, n), func(b *testing.B) { benchmarkExport(b, n, compression) })
		}
	}
}

func benchmarkExport(b *testing.B, n int, compression string) {
	var wire int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		read, _ := io.Copy(io.Discard, r.Body)
		wire += read
	}))
	defer server.Close()
	sink, err := otlp.New(otlp.Config{Endpoint: endpoint.Config{Endpoint: server.URL, Compression: compression}})
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	batch := make([]export.Record, n)
	for i := range batch {
		batch[i] = record(i)
	}
	b.ReportAllocs()
	rounds := 0
	for b.Loop() {
		rounds++
		if v := sink.Export(b.Context(), batch); v.Outcome != export.Acknowledged {
			b.Fatalf("verdict %+v", v)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n*rounds), "us/record")
	b.ReportMetric(float64(wire)/float64(n*rounds), "wireB/record")
}
