package state

import "errors"

// ErrClosed is returned by a store after Close.
var ErrClosed = errors.New("state: store is closed")

// Reader reads the state of one partition.
type Reader interface {
	// Get returns the value of k. The slice is the caller's to read until the next
	// call on the Reader, never to change. found is false if there is none.
	Get(k Key) (value []byte, found bool, err error)
	// Scan calls fn for each entry whose key begins with prefix and is greater than
	// after (the zero Key: all), in key order, until fn returns false or an error.
	// value is valid during the call only. fn must not write to what it scans.
	Scan(prefix, after Key, fn func(k Key, value []byte) (more bool, err error)) error
}

// Write is one put, or one delete where Value is nil. An empty, non-nil Value is
// a value.
type Write struct {
	Key   Key
	Value []byte
}

// Watermark says which committed prefix of its changelog partition a Store holds.
type Watermark struct {
	Cluster   string   // Kafka's cluster id
	TopicID   [16]byte // of the changelog topic: another id, another history
	Next      int64    // every record below is applied
	AppliedAt int64    // ms; a store that is older than tombstones are kept is wiped (P2)
	Restoring bool     // a restore from the beginning is under way up to Next
}

// Store is the state of one partition: committed writes only (P2).
//
// Reads may run beside each other and beside Apply; a reader sees an Apply whole
// or not at all in one Get or Scan. Apply, Load and Drop are called by one goroutine.
type Store interface {
	Reader
	// Apply writes all of ws and the watermark as one atomic batch. It need not be
	// durable at once: after a crash the store holds a prefix of the batches. Later
	// writes of one key in ws win. The store copies what it keeps.
	Apply(ws []Write, wm Watermark) error
	// Load is Apply for megabytes of writes, as a restore has them: the fewer and the
	// larger its batches, the faster.
	Load(ws []Write, wm Watermark) error
	// Watermark returns the watermark of the last Apply or Load; ok is false if there is none.
	Watermark() (wm Watermark, ok bool, err error)
	// Drop removes everything of the partition, watermark included, crash-safe: a
	// crash in the middle leaves it without watermark or as it was.
	Drop() error
}

// DB holds the stores of all partitions of one process.
type DB interface {
	// Store returns the store of a partition. All calls for one partition give the
	// same state.
	Store(partition int32) Store
	// Partitions lists the partitions that have a watermark, ascending.
	Partitions() ([]int32, error)
	// Flush makes everything applied so far durable.
	Flush() error
	// Close flushes and closes. Stores return ErrClosed afterwards.
	Close() error
}
