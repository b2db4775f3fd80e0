package schemas

// Kinds of attempt.
const (
	KindWrite = "write" // items are written
	KindRead  = "read"  // items are read by id; records come back on crm.changes
	KindPage  = "page"  // one page of a source is read
	KindFind  = "find"  // persons with a phone number are looked for; those found come back on crm.changes
)

// FindPhone is the IdentityField of a find's item: Identity is the number in E.164, and
// the one field, FindNational, its digits as they are dialled within its country.
const (
	FindPhone    = "phone"
	FindNational = "national"
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
	// Id of the attempt, given by us: partition, hyphen, a counter of the partition, e.g. "3-1042". "" in a dead letter
	// of a write that never went out.
	ID string `avro:"id"`
	// Name of the tenant, as in the key, e.g. "acme".
	Tenant string `avro:"tenant"`
	// Name of the CRM, e.g. "salesforce", "hubspot".
	Provider string `avro:"provider"`
	// Id of the CRM account that it was decided for, e.g. "00D5g000004abcdEAA", "4242". It goes to no other.
	Account string `avro:"account"`
	// Version of the tenant's configuration that stood when it was decided, e.g. 3.
	ConfigVersion int64 `avro:"config_version"`
	// What the request does: e.g. "write", "read" (records by id), "page" (a page of a source), "find" (persons by number).
	Kind string `avro:"kind"`
	// How a write is done: e.g. "upsert", "update", "create", "link". "" for reads and pages.
	Operation string `avro:"operation"`
	// The CRM's own name of the kind of record, e.g. "Task", "Lead", "calls", "contacts"; "owner" for a page of users; "" of a find:
	// every kind that stands for a person.
	Object string `avro:"object"`
	// The records that the request carries, each with its own result; a page has one, of no content.
	Items []AttemptItem `avro:"items"`
	// The page that is asked for. Absent for writes and reads.
	Page *PageRequest `avro:"page"`
	// When it was decided: the time of its transaction, in ms since 1970 UTC, e.g. 1772386200000.
	DecidedAt int64 `avro:"decided_at"`
	// When it must have left, in ms since 1970 UTC, e.g. 1772386210000: ten seconds after decided_at. Later it is never sent.
	LeaveBy int64 `avro:"leave_by"`
	// When the CRM is surely done with it, answered or not, in ms since 1970 UTC, e.g. 1772386255000: 45 seconds after leave_by.
	OverBy int64 `avro:"over_by"`
	// Id of the attempt that this one repeats, since nobody knows what became of that, e.g. "3-1040". Absent: of none.
	RepeatOf *string `avro:"repeat_of"`
}

// AttemptItem is one record of an attempt.
type AttemptItem struct {
	// Our name of the record, unique in the CRM account, e.g. "call:call-7", "record:Lead:00Q5g000007abcdEAA",
	// "~read:Lead:00Q5g000007abcdEAA", "~page:Lead", "~find:+14155551234". It comes back in the result. Personal data.
	Key string `avro:"key"`
	// The record's id in the CRM, e.g. "00T5g000007abcdEAA". "": not known; identity names the record, or it is made.
	ID string `avro:"id"`
	// The CRM's field that holds the external id, e.g. "Dialer_Call_Id__c"; several that together tell a record without one, with
	// plus signs between, e.g. "CampaignId+LeadId". "" where id names the record.
	IdentityField string `avro:"identity_field"`
	// Value of the external id, the dialer's id of the call, e.g. "call-7"; of several fields, theirs with plus signs between. ""
	// where id names the record.
	Identity string `avro:"identity"`
	// What is to be written, by the CRM's names, e.g. Subject, Description, WhoId. A null value clears the field. Empty for
	// reads and pages. Personal data.
	Fields []Field `avro:"fields"`
	// Records that it is to be linked to, where the CRM has no field for that, e.g. {hubspot, contacts, 51}.
	Associations []Link `avro:"associations"`
}

// PageRequest asks for one page of a source.
type PageRequest struct {
	// Name of the source in the CRM's profile, e.g. "Lead", "users", "contacts", "owners".
	Source string `avro:"source"`
	// Where the page begins: the to of the last page marker, in the connector's own form, e.g. "1 1772386500000 - 0".
	// "": at the source's beginning.
	Cursor string `avro:"cursor"`
	// The most records that the page may have, from the CRM's profile, e.g. 200.
	Limit int32 `avro:"limit"`
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
	// Id of the attempt that it answers, as on crm.commands, e.g. "3-1042".
	AttemptID string `avro:"attempt_id"`
	// Name of the CRM, from the attempt, e.g. "salesforce", "hubspot".
	Provider string `avro:"provider"`
	// Id of the CRM account, from the attempt, e.g. "00D5g000004abcdEAA", "4242".
	Account string `avro:"account"`
	// What the request did, from the attempt: e.g. "write", "read", "page".
	Kind string `avro:"kind"`
	// The CRM's own name of the kind of record, from the attempt, e.g. "Task", "calls".
	Object string `avro:"object"`
	// When the attempt came to its end, by our process's clock, in ms since 1970 UTC, e.g. 1772386200450.
	FinishedAt int64 `avro:"finished_at"`
	// HTTP status of the CRM's answer, e.g. 200, 429. 0: there was none.
	Status int32 `avro:"status"`
	// What went wrong with the request as a whole, in our words: e.g. "transient", "throttled", "auth", "forbidden",
	// "permanent", "not_found", "conflict", "batch", "same_record", "aborted". "": nothing did.
	Error string `avro:"error"`
	// The CRM's own code of that error, e.g. "REQUEST_LIMIT_EXCEEDED"; of an aborted attempt ours. "": none.
	Code string `avro:"code"`
	// The CRM's own words, at most 500 bytes, without secrets and e-mail addresses, e.g. "TotalRequests Limit exceeded.".
	// They may still quote a value. Personal data.
	Message string `avro:"message"`
	// How long the CRM wants us to wait, in milliseconds, from Retry-After or the kind of limit, e.g. 5000. 0: it does not say.
	RetryAfterMs int64 `avro:"retry_after_ms"`
	// One result for each item of the attempt, in its order.
	Items []ItemResult `avro:"items"`
}

// ItemResult is what became of one item.
type ItemResult struct {
	// Our name of the record, from the attempt's item, e.g. "call:call-7".
	Key string `avro:"key"`
	// Whether it reached the CRM: e.g. "sent" (the CRM answered for it), "not_sent" (surely not applied), "unknown" (it left, and
	// no answer came).
	Outcome string `avro:"outcome"`
	// The record's id in the CRM, from the answer, else from the attempt's item, e.g. "00T5g000007abcdEAA". "": not known.
	ID string `avro:"id"`
	// Address at which a person sees the record in the CRM, made by the connector, e.g.
	// "https://app.hubspot.com/contacts/4242/record/0-48/901". "": unknown.
	URL string `avro:"url"`
	// True: this write made the record, as the CRM says. False: it was there, or nothing was written.
	Created bool `avro:"created"`
	// True: the associations were written too. False: none were, and those of the item follow by a "link".
	Linked bool `avro:"linked"`
	// What went wrong with this item, in our words: e.g. "permanent", and all that the result's own error may be. "": nothing did.
	Error string `avro:"error"`
	// The CRM's own code of that error, e.g. "STRING_TOO_LONG". "": none.
	Code string `avro:"code"`
	// The CRM's own words, at most 500 bytes, without secrets and e-mail addresses, e.g. "Title: data value too
	// large". They may still quote a value. Personal data.
	Message string `avro:"message"`
	// Names of the fields that the error names, in the CRM's words, e.g. ["Title"].
	Fields []string `avro:"fields"`
}
