// Package e2e runs the agent as a user does, a process with a configuration
// file, on a node of the lab: a real containerd fails to pull in every way there
// is, with its log in a file or in a real journald's journal, and a strict OTLP
// receiver says what it was told about each. Start at TestPulls. It needs Linux,
// root and what the lab builds or installs; where it cannot run it says why, and
// fails if CI=true.
package e2e
