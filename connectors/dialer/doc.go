// Package dialer helps a producer of dialer.calls: a generator of realistic calls
// from a seed, a reader of calls from JSON lines, and Send, which produces them as
// a dialer does: key = tenant, partition by murmur2 over it.
package dialer
