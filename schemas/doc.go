// Package schemas holds what travels: one Go type per Avro record, the topic
// catalogue and a tenant's configuration.
//
// In: nothing. Out: types that every other package may import. The Avro text of
// each record stands in avsc/, documented field by field; a test holds type and
// text together. The wire format and the registry live in registry/, what both
// sides must know of a CRM in profile/, every released version in history/.
//
// What may not live here: behaviour. A type here has no method that does more
// than look at its own fields, and nothing here reads a clock, a file or a
// network.
//
// The comment of a field is its doc in the Avro text: what it is, its unit, who sets
// it, an example. Where it ends in "Personal data." the text has the property
// "personal", and docs/topics.md says so; an instant has "ms since 1970 UTC" in it.
//
// Instants are int64 milliseconds since the Unix epoch, UTC. A nil pointer is
// "absent" unless its doc comment says otherwise. No record has an Avro map:
// its encoding is not deterministic, and the same state and the same journal
// must give the same bytes (P9).
package schemas
