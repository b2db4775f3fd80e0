// Package disk is the store on disk: one Pebble v2 database per process, keys
// prefixed by partition.
//
// It is a cache of the changelog: committed state only, the watermark in the same
// batch as what it covers (P2). Batches are not synced one by one: after a crash
// the database holds a prefix of them, which the watermark names, and the
// changelog's tail gives the rest.
package disk
