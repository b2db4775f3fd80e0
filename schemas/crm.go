package schemas

// CRMChange is a value of crm.changes. Exactly one of its bodies is set.
type CRMChange struct {
	Provider   string `avro:"provider"`    // name of the CRM: "salesforce", "hubspot"
	Account    string `avro:"account"`     // org id or portal id, as configured
	Object     string `avro:"object"`      // the provider's own name
	ID         string `avro:"id"`          // the record's id; "" for a page marker or a stream reset
	ObservedAt int64  `avro:"observed_at"` // ms, when our process saw it

	Record    *RecordRead  `avro:"record"`    // a record that was read
	Stream    *StreamEvent `avro:"stream"`    // a pushed change event
	Hint      *Hint        `avro:"hint"`      // a hint that something changed
	PageEnd   *PageMarker  `avro:"page_end"`  // the end of a page
	Reference *Reference   `avro:"reference"` // an entry of reference data
}

// RecordRead is the state of one CRM record as a page or a read returned it.
type RecordRead struct {
	ModifiedAt int64   `avro:"modified_at"` // ms, the CRM's clock
	Deleted    bool    `avro:"deleted"`     // it was deleted there
	MovedTo    *string `avro:"moved_to"`    // the id that answered, where a merge moved the record
	Fields     []Field `avro:"fields"`      // every mapped field that the CRM returned; nil value = empty there
	Cause      string  `avro:"cause"`       // "page" or "read"
	AttemptID  string  `avro:"attempt_id"`  // id of the attempt: partition-counter
}

// StreamEvent is one pushed change event. It is its own marker: it is applied if
// From is the stream's cursor, and moves the cursor to To (P3). Replay ids are
// opaque: they are compared for equality only.
type StreamEvent struct {
	Channel    string   `avro:"channel"`     // channel of the stream
	Epoch      int64    `avro:"epoch"`       // rises with every reset of the stream
	From       string   `avro:"from"`        // cursor before the event; "" at the start of an epoch
	To         string   `avro:"to"`          // cursor after it
	Reset      bool     `avro:"reset"`       // the CRM lost our position: no change, a new epoch, a backfill is due
	ChangeType string   `avro:"change_type"` // CREATE, UPDATE, DELETE, UNDELETE, GAP_…
	RecordIDs  []string `avro:"record_ids"`  // all records that share this change
	ModifiedAt int64    `avro:"modified_at"` // ms, commit time at the CRM
	Fields     []Field  `avro:"fields"`      // changed fields only; nil value = cleared
	Origin     string   `avro:"origin"`      // what the CRM says of who wrote it; a hint only
}

// Hint says that a record may have changed; it coalesces into a read.
type Hint struct {
	OccurredAt int64  `avro:"occurred_at"` // ms, the CRM's clock
	Kind       string `avro:"kind"`        // "changed", "deleted", "merged"
}

// PageMarker follows the records of one page. It moves the source's cursor from
// From to To if From is the cursor; else it is a duplicate (P3).
type PageMarker struct {
	Source    string `avro:"source"`     // name of the source in the provider's profile
	From      string `avro:"from"`       // position before
	To        string `avro:"to"`         // position after
	AttemptID string `avro:"attempt_id"` // id of the attempt: partition-counter
	Last      bool   `avro:"last"`       // nothing more at the moment: the next page is asked for at the next poll
}

// Reference is one entry of reference data: a user, an owner, a disposition.
type Reference struct {
	Kind    string  `avro:"kind"`    // "owner", "disposition"
	Fields  []Field `avro:"fields"`  // named values, only what changed
	Deleted bool    `avro:"deleted"` // it was deleted there
}

// Kinds of attempt.
const (
	KindWrite = "write" // items are written
	KindRead  = "read"  // items are read by id; records come back on crm.changes
	KindPage  = "page"  // one page of a source is read
)

// Operations of a write.
const (
	OpUpsert = "upsert" // by Identity: the CRM knows it, so the same write may be repeated at once
	OpUpdate = "update" // by ID
	OpCreate = "create" // neither: looked up before it is repeated
	OpLink   = "link"   // associations only
)

// Attempt is a value of crm.commands and the state of one request to a CRM: one
// attempt is one HTTP request.
type Attempt struct {
	ID            string        `avro:"id"`             // partition-counter
	Tenant        string        `avro:"tenant"`         // the tenant, as in the key
	Provider      string        `avro:"provider"`       // name of the CRM: "salesforce", "hubspot"
	Account       string        `avro:"account"`        // id of the CRM account: org id or portal id
	ConfigVersion int64         `avro:"config_version"` // version of the tenant's configuration
	Kind          string        `avro:"kind"`           // kind, one of a few words
	Operation     string        `avro:"operation"`      // of a write; "" else
	Object        string        `avro:"object"`         // the provider's own name of the kind of record: "Lead", "contacts"
	Items         []AttemptItem `avro:"items"`          // the records of it
	Page          *PageRequest  `avro:"page"`           // the page that is asked for
	DecidedAt     int64         `avro:"decided_at"`     // ms
	LeaveBy       int64         `avro:"leave_by"`       // ms: not sent by then, never sent
	OverBy        int64         `avro:"over_by"`        // ms: the CRM is done with it, whatever became of it
	RepeatOf      *string       `avro:"repeat_of"`      // id of the attempt that this one repeats
}

// AttemptItem is one record of an attempt.
type AttemptItem struct {
	Key           string  `avro:"key"`            // our name of the record, comes back in the result
	ID            string  `avro:"id"`             // the CRM's id; "" where it is not known
	IdentityField string  `avro:"identity_field"` // field of the external id; "" with ID
	Identity      string  `avro:"identity"`       // value of the external id
	Fields        []Field `avro:"fields"`         // named values, only what changed
	Associations  []Link  `avro:"associations"`   // records that it is to be linked to, where the CRM has no field for it
}

// PageRequest asks for one page of a source.
type PageRequest struct {
	Source string `avro:"source"` // name of the source in the provider's profile
	Cursor string `avro:"cursor"` // "" = from the beginning
	Limit  int32  `avro:"limit"`  // records
}

// Outcomes of an item.
const (
	Sent    = "sent"     // the CRM answered for this item; Error "" = it took it
	NotSent = "not_sent" // certainly not applied: it never left, or was turned away before anything was done
	Unknown = "unknown"  // it left, and no answer came
)

// Classes of error: what they mean to the schedule, in no CRM's words.
const (
	ErrTransient  = "transient"   // 5xx, lock, timeout: again later, one try
	ErrThrottled  = "throttled"   // a limit: again after RetryAfterMs, costs no try
	ErrAuth       = "auth"        // the credential is refused: park the account
	ErrForbidden  = "forbidden"   // scope or licence: park the account
	ErrPermanent  = "permanent"   // this record as it stands can't be written: dead letter
	ErrNotFound   = "not_found"   // the record is gone in the CRM
	ErrConflict   = "conflict"    // the identity exists under ID: go on by id
	ErrBatch      = "batch"       // the whole batch was refused for one item: bisect
	ErrDuplicates = "same_record" // two items are one record: one at a time
	ErrAborted    = "aborted"     // our process ended it before it left
)

// AttemptResult is a value of crm.results: the answer of one attempt.
type AttemptResult struct {
	AttemptID    string       `avro:"attempt_id"`     // id of the attempt: partition-counter
	Provider     string       `avro:"provider"`       // name of the CRM: "salesforce", "hubspot"
	Account      string       `avro:"account"`        // id of the CRM account: org id or portal id
	Kind         string       `avro:"kind"`           // kind, one of a few words
	Object       string       `avro:"object"`         // the provider's own name of the kind of record: "Lead", "contacts"
	FinishedAt   int64        `avro:"finished_at"`    // ms
	Status       int32        `avro:"status"`         // HTTP status; 0 = no answer
	Error        string       `avro:"error"`          // class, for the request as a whole; "" = none
	Code         string       `avro:"code"`           // the CRM's own code
	Message      string       `avro:"message"`        // the CRM's own words, redacted
	RetryAfterMs int64        `avro:"retry_after_ms"` // how long the CRM wants us to wait, in milliseconds; 0 = it does not say
	Items        []ItemResult `avro:"items"`          // one per item of the attempt, in its order
}

// ItemResult is what became of one item.
type ItemResult struct {
	Key     string   `avro:"key"`     // our name of the record
	Outcome string   `avro:"outcome"` // "sent", "not_sent" or "unknown"
	ID      string   `avro:"id"`      // the CRM's id, where the answer tells it
	URL     string   `avro:"url"`     // where a person can see the record; "" where unknown
	Created bool     `avro:"created"` // the record was made by this write
	Linked  bool     `avro:"linked"`  // associations were written too
	Error   string   `avro:"error"`   // class; "" = none
	Code    string   `avro:"code"`    // the CRM's own code
	Message string   `avro:"message"` // the CRM's own words, redacted
	Fields  []string `avro:"fields"`  // fields that the error names
}
