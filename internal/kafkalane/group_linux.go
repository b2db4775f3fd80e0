package kafkalane

import "syscall"

// OwnGroup makes a child a process group of its own, which keeps a terminal's signals
// from it, and has the kernel end it if this process is killed.
func OwnGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
