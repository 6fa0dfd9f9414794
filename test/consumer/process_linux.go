package consumer

import "syscall"

// endWithUs has the system kill a program when we are killed, as by a test that
// takes too long.
func endWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
