package export

import "testing"

func BenchmarkFromChange(b *testing.B) {
	c := rateLimited()
	b.ReportAllocs()
	for b.Loop() {
		FromChange(c, "node-1")
	}
}
