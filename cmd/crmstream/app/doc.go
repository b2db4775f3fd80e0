// Package app puts a process together: broker, registry, store, task, host, shell
// and HTTP, each made in its own package, started in order and ended in reverse.
//
// In: a configuration. Out: a running process, until its context ends. It holds no
// rule of its own.
package app
