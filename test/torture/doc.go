// Package torture holds tests of the whole agent as a process: its log is
// written at 50,000 lines a second and rotated in every way at random moments,
// and the agent is killed and started again, while each failed pull must arrive.
// Start at TestTorture.
//
// TestJournalLive and TestJournalKills do so with the journal of a real journald
// that is rotated each second; what journalctl reads of it is what must arrive.
//
// TestSizeAttacks makes agents in a memory cgroup of 64 MiB read, hold and answer more
// than any node does. PULLCAUSE_TORTURE_ATTACKS=10 makes all attacks, of ten lives each.
//
// TestLogrotate rotates with logrotate itself while the receiver has ten moods;
// PULLCAUSE_TORTURE_ROUNDS=200 is its long form.
package torture
