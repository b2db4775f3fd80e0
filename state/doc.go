// Package state is what a task remembers.
//
// In: writes of transactions that Kafka has committed. Out: the state of one
// partition, by key and in key order. DB and Store are the contract; mem/ is the
// reference, disk/ the Pebble store, statetest/ the conformance suite that both
// pass. Overlay holds the writes of a transaction that is not committed yet, with
// savepoints, above any Reader.
//
// Promises: only committed state is in a Store, with its Watermark in the same
// batch (P2): a store is only ever behind. No key of a tenant can be made without
// that tenant (P11): Key has no exported constructor but Tenant.Key and System.
//
// It imports nothing of ours, knows no Kafka and no Avro, and no clock.
package state
