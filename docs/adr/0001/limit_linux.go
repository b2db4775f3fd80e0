package main

import "syscall"

const canLimit = true

// limit bounds the address space of this process, as `ulimit -v` does. GOMEMLIMIT
// would not do: it paces the collector and stops no allocation.
func limit(bytes uint64) error {
	return syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: bytes, Max: bytes})
}
