// Package load makes what the benchmarks work on, and runs what they measure: the
// topics, the tenants and contact changes of a generator, the raw exactly-once copy
// that is the bound, and the whole shell with the whole task.
//
// In: a broker and a registry, of any make. Out: counts and times; what is committed
// is counted by a reader of its own, never by who produced it.
package load
