// Package registry is the Confluent wire format and the schema registry: Codec,
// which turns records into bytes and back, and Server, a registry in the process
// for installations that have none.
//
// Avro is twmb/avro behind Codec; nothing outside imports it for records. A record
// that is no Avro or of an unknown schema is its sender's fault (ErrNotAvro,
// ErrUnknownSchema: dead letter); a registry that is away is nobody's record's
// fault (ErrUnavailable: wait) (P5).
package registry
