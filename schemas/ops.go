package schemas

// Header is one Kafka record header.
type Header struct {
	// Name of the header, as its producer set it, e.g. "crmstream.origin", "traceparent".
	Key string `avro:"key"`
	// Value of the header, its bytes as its producer set them, e.g. "dialer.calls/5/1207". Personal data.
	Value []byte `avro:"value"`
}

// Reasons of a dead letter.
const (
	ReasonBadAvro          = "bad_avro"           // bytes that are not in the wire format or do not decode
	ReasonUnknownSchema    = "unknown_schema"     // the registry has no such schema id
	ReasonBadKey           = "bad_key"            // a key without tenant
	ReasonWrongPartition   = "wrong_partition"    // forwarded twice, or a control record in a foreign partition
	ReasonTooLarge         = "too_large"          // input, output or state value over the record limit
	ReasonPanic            = "panic"              // the record made the task panic
	ReasonInvalid          = "invalid"            // decoded, but says something impossible
	ReasonTooOld           = "too_old"            // outside the window in which duplicates are known
	ReasonUnknownTenant    = "unknown_tenant"     // no configuration came in time, or the hold was full
	ReasonUnsupported      = "unsupported"        // a kind that this version does not act on
	ReasonRefused          = "refused"            // the CRM refused the record as it stands
	ReasonTriesUsedUp      = "tries_used_up"      // every try failed
	ReasonHeldTooLong      = "held_too_long"      // what it waited for did not come
	ReasonDeletedInCRM     = "deleted_in_crm"     // its record is gone in the CRM
	ReasonCredentialLost   = "credential_lost"    // the account was removed or replaced while it waited
	ReasonOrderImpossible  = "order_impossible"   // ends before it starts, and the like
	ReasonProcessKiller    = "process_killer"     // it ended the process at every try
	ReasonScriptQuarantine = "script_quarantined" // a tenant's script was cut off by its limit
)

// DeadLetter is a value of dlq: one input, or one write, that was given up, with
// all that is needed to look at it and to try again.
type DeadLetter struct {
	// Name of the tenant, as in the key, e.g. "acme". "": the input's own key names none.
	Tenant string `avro:"tenant"`
	// Why it was given up, in one of a few words, e.g. "bad_avro", "invalid", "too_old", "unknown_tenant", "refused",
	// "tries_used_up", "held_too_long".
	Reason string `avro:"reason"`
	// What is wrong, where, and how to mend it, for people, e.g. "call call-7 ends before it starts". What a CRM said stands
	// without secrets and e-mail addresses; it may still quote a value. Personal data.
	Message string `avro:"message"`
	// The CRM's own code, if it was the CRM that refused, e.g. "STRING_TOO_LONG". "": else.
	Code string `avro:"code"`
	// Names of the fields that the CRM's error names, in its words, e.g. ["Title"].
	Fields []string `avro:"fields"`
	// Topic of the input, e.g. "dialer.calls". Of a write, the topic that decided: e.g. "crm.results". "": of a timer.
	Topic string `avro:"topic"`
	// Partition of the input on its topic, e.g. 3. Of a write or a timer, the tenant's partition.
	Partition int32 `avro:"partition"`
	// Offset of the input in its partition, e.g. 1207. 0 for a write and for a timer.
	Offset int64 `avro:"offset"`
	// Kafka key of the input, its bytes as they came, e.g. "acme". Empty for a write and a timer; of an input
	// that is too large at most the first KiB. A producer may have put anything into it. Personal data.
	Key []byte `avro:"key"`
	// Kafka value of the input, its bytes as they came, Avro or not, e.g. 00 00 00 00 07 …. Empty for a write and a timer; of an
	// input that is too large at most the first KiB. Personal data.
	Value []byte `avro:"value"`
	// Kafka headers of the input, as they came. Empty for a write and a timer, and where the input was too large, or was
	// held before. Personal data.
	Headers []Header `avro:"headers"`
	// Our name of what was given up, after that of the CRM: e.g. "salesforce/call:call-7", "hubspot/record:contacts:51",
	// "salesforce/~page:Lead"; "call:call-7" for a call that was held too long. "": of an input, but for a pushed event,
	// which has its replay id: "salesforce/Lead/18276642". A timer's may hold a number: "timer/82/n:+14155550123". Personal
	// data.
	RecordKey string `avro:"record_key"`
	// The last attempt, with the one item that was given up. Absent: of an input, and of what never became one.
	Attempt *Attempt `avro:"attempt"`
	// How many tries reached the CRM, e.g. 6. 0: of an input.
	Tries int32 `avro:"tries"`
	// When it was given up: the time of its transaction, by our clock, in ms since 1970 UTC, e.g. 1772386201000.
	At int64 `avro:"at"`
}

// JournalEntry is a value of the journal: what one transaction of one partition
// was made of. Same state, same entry, same code: same bytes (P9).
type JournalEntry struct {
	// Number of the entry, from 1 in each partition, without gaps, e.g. 5120.
	Sequence int64 `avro:"sequence"`
	// The transaction's one value of time, never less than the last one's, in ms since 1970 UTC, e.g. 1772386201000.
	At int64 `avro:"at"`
	// Version of the rules that it was made with, set by the program, e.g. "1". A replay needs the same.
	CodeVersion string `avro:"code_version"`
	// What was read, a run of records for each topic, in the order in which they were applied.
	Inputs []InputRange `avro:"inputs"`
	// How many timers fired, after all inputs, e.g. 4.
	Timers int32 `avro:"timers"`
	// True: the transaction in which a new owner took the partition over. False: any other.
	Resumed bool `avro:"resumed"`
	// The records and timers that were taken back and dead-lettered, in the order in which that was done.
	Isolated []IsolatedItem `avro:"isolated"`
	// SHA-256 over all outputs and changelog records but the journal's own, in the order produced, 32 bytes, e.g. 9f 86 d0 81 …. A replay compares it.
	OutputHash []byte `avro:"output_hash"`
}

// InputRange is a run of records of one topic-partition, [First, Next). The
// partition is that of the journal.
type InputRange struct {
	// Name of the topic that was read, e.g. "dialer.calls", "crmstream.entry".
	Topic string `avro:"topic"`
	// Offset of the first record of the run, e.g. 1207.
	First int64 `avro:"first"`
	// Offset after the last record of the run, e.g. 1215.
	Next int64 `avro:"next"`
}

// IsolatedItem is one record that was taken back and dead-lettered.
type IsolatedItem struct {
	// Name of the topic that the record was read from, e.g. "dialer.calls". "timer": it was a timer.
	Topic string `avro:"topic"`
	// Offset of the record, e.g. 1207. Of a timer its place among those that fired, from 0.
	Offset int64 `avro:"offset"`
	// Why, the reason of its dead letter, e.g. "panic".
	Reason string `avro:"reason"`
}
