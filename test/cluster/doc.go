// Package cluster installs pullcause as its users do: with the real Helm, from a
// registry, on a cluster of one node with the real programs of Kubernetes, which the lab
// brings up.
//
// Start at TestInstall. It needs Linux, root and, at the first time, many minutes
// for building; on CI it fails where it cannot run.
package cluster
