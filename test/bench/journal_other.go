//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
	"time"
)

var errNotLinux = errors.New("only Linux has journald: leave the part out with -only")

func beWriter() {}

func (*bench) journal(context.Context) error { return errNotLinux }

func (*bench) idleJournal(context.Context, time.Duration, float64) error { return errNotLinux }

func runRead(context.Context, []string, io.Writer) error { return errNotLinux }
