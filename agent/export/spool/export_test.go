package spool

// Disk is the real file system.
func Disk() FS { return disk{} }

// NameOf is a segment's.
func NameOf(first int64) string { return fileName(first) }
