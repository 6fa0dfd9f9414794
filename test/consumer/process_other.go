//go:build !linux

package consumer

import "syscall"

func endWithUs() *syscall.SysProcAttr { return nil }
