package schemas

// Header is one Kafka record header.
type Header struct {
	Key   string `avro:"key"`   // our name of the record
	Value []byte `avro:"value"` // the value; null clears the field
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
	Tenant    string   `avro:"tenant"`     // the tenant, as in the key
	Reason    string   `avro:"reason"`     // why, one of a few words
	Message   string   `avro:"message"`    // what, where, how to mend; no personal data
	Code      string   `avro:"code"`       // the CRM's own code, if it was the CRM
	Fields    []string `avro:"fields"`     // fields that the error names
	Topic     string   `avro:"topic"`      // place of the input
	Partition int32    `avro:"partition"`  // place: partition
	Offset    int64    `avro:"offset"`     // place: offset
	Key       []byte   `avro:"key"`        // our name of the record
	Value     []byte   `avro:"value"`      // original bytes
	Headers   []Header `avro:"headers"`    // original headers
	RecordKey string   `avro:"record_key"` // our name of the record; empty for an input
	Attempt   *Attempt `avro:"attempt"`    // the last attempt, where a write was given up
	Tries     int32    `avro:"tries"`      // tries that reached the CRM
	At        int64    `avro:"at"`         // ms
}

// JournalEntry is a value of the journal: what one transaction of one partition
// was made of. Same state, same entry, same code: same bytes (P9).
type JournalEntry struct {
	Sequence    int64          `avro:"sequence"`     // from 1 in each partition, without gaps
	At          int64          `avro:"at"`           // ms: the transaction's one value of time
	CodeVersion string         `avro:"code_version"` // version of the rules
	Inputs      []InputRange   `avro:"inputs"`       // in the order applied
	Timers      int32          `avro:"timers"`       // timers fired, after all inputs
	Resumed     bool           `avro:"resumed"`      // the transaction that took the partition over
	Isolated    []IsolatedItem `avro:"isolated"`     // records taken back and dead-lettered
	OutputHash  []byte         `avro:"output_hash"`  // SHA-256 over outputs and changelog, in the order produced
}

// InputRange is a run of records of one topic-partition, [First, Next).
type InputRange struct {
	Topic string `avro:"topic"` // place: topic
	First int64  `avro:"first"` // first offset
	Next  int64  `avro:"next"`  // offset after the last
}

// IsolatedItem is one record that was taken back and dead-lettered.
type IsolatedItem struct {
	Topic  string `avro:"topic"`  // place: topic
	Offset int64  `avro:"offset"` // place: offset
	Reason string `avro:"reason"` // why, one of a few words
}
