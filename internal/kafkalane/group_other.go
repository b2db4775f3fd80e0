//go:build unix && !linux

package kafkalane

import "syscall"

// OwnGroup makes a child a process group of its own, which keeps a terminal's signals
// from it. Nothing ends it here if this process is killed with SIGKILL.
func OwnGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
