// Package consumer is what stands behind the agent in production: VictoriaLogs,
// with the paths and headers of CubeAPM before it, and an OpenTelemetry Collector
// on the way. Both are built from their modules. Start at [Build] and [Start];
// [BuildCollector] and [StartCollector] are for the way over a Collector. The
// tests hold the queries in deploy/queries to what was written into the logs.
//
// It is no CubeAPM, which needs a licence. It has CubeAPM's addresses, and where the two
// are known to differ it is the stricter one: see proxy.go.
package consumer
