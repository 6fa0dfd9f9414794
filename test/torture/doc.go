// Package torture holds a test of the whole agent as a process: its log is
// written at 50,000 lines a second and rotated in every way at random moments,
// and the agent is killed and started again, while each failed pull must arrive.
// Start at TestTorture.
package torture
