package pipeline

import "github.com/crmstream/crmstream/schemas"

// Record is one input record. Its key has been checked, its value decoded and its
// partition found right before a task sees it.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp int64 // ms, the Kafka record's
	Tenant    string
	Key       []byte
	Value     []byte // original bytes
	Headers   []schemas.Header
	// Decoded is a pointer to the schemas type of the topic: *schemas.CallEvent, ….
	// A record of the entry topic carries the type, and the Topic, of the topic
	// that it was first sent to; Via is then "crmstream.entry".
	Decoded any
	Via     string
	// Original is, for a *schemas.ControlAction that carries a dead letter with the bytes
	// of an input, that input: its place from the dead letter, its value decoded. Nil
	// where there is none, or where it can't be decoded.
	Original *Record
}

// Output is one record that a task produces. The shell encodes it and produces it
// to the partition of the transaction.
type Output struct {
	Topic string
	Key   string
	// Value is a pointer to the schemas type of the topic; nil is a tombstone.
	Value any
}
