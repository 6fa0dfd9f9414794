// Package chart has the tests of the Helm chart in deploy/helm/pullcause and writes
// what is made of it: its schema, its README and the manifests in
// deploy/manifests. It uses Helm's own packages, so that no helm has to be
// installed. Start at [Load] and [Chart.Render]; after a change of the chart run
//
//	go test ./... -update
//
// It is a module of its own: Helm and the types of Kubernetes never reach the agent.
package chart
