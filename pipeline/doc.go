// Package pipeline says how a topic becomes another topic: the contract between
// the pure task and the shell that runs it.
//
// In: a Record, decoded, and a Tx: the transaction's one value of time and its
// uncommitted state. Out: outputs, state writes, timers and effects, all collected
// in the Tx. Nothing else goes in or out: a task reads no clock, starts no
// goroutine and does no I/O but the store, so that the same state and the same
// journal give the same bytes (P9).
//
// Effects are carried out by the shell after the commit of the transaction that
// recorded them, never before (P1); their answers come back as ordinary input.
//
// Below: pure rules (phone/ mapping/ identity/ conflict/ activity/), the two
// functions sync/ and deliver/, their composition task/, scenario scripts in
// pipetest/, and the Kafka shell run/.
package pipeline
