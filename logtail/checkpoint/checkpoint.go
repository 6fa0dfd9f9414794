// Package checkpoint keeps the positions of log sources: [Ledger] tells which are
// safe to store, [Store] stores them.
//
// A position is safe once all before it is done for good, so that nothing is
// missing after a crash. A Ledger works that out and does no I/O; a Store is a
// snapshot and a journal, and knows nothing of what the positions mean. [Lock] keeps another process
// from the same folder.
package checkpoint
