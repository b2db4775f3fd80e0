// Package value turns a task's state structs into bytes and back: a version byte,
// then Avro. A release reads what the next one writes; a new version is written
// only once every process can read it.
package value
