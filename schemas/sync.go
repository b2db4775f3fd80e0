package schemas

// Provenance is the part that every normalized record carries.
type Provenance struct {
	// Who said it first: e.g. "dialer", "salesforce", "hubspot"; "crmstream" where we decided it ourselves.
	Origin string `avro:"origin"`
	// When it became true at its origin, by the origin's clock, in ms since 1970 UTC, e.g. 1772386200000; of a call its
	// start. A person's change is never later than the transaction.
	EventTime int64 `avro:"event_time"`
	// The input that caused it, as topic-partition@offset, e.g. "dialer.calls-3@1207". Of a record that was forwarded, the topic
	// is the one it was first sent to, partition and offset are those on crmstream.entry. "result", "timer": no single input.
	SourceRef string `avro:"source_ref"`
	// True: it came with an initial load of the CRM. False: with a live change.
	Snapshot bool `avro:"snapshot"`
}

// SyncContact is a value of sync.contacts: one person as known now.
type SyncContact struct {
	// Name of the tenant, as in the key, e.g. "acme".
	Tenant string `avro:"tenant"`
	// Our id of the person, unique in the tenant, as in the key, e.g. "p17".
	PersonID string `avro:"person_id"`
	// What is known of the person, by the dialer's names and sorted by them, e.g. company, email, first_name, last_name,
	// lead_status, mobile_phone, owner_email, phone, title. A null value is known to be empty. Where a tenant maps counters
	// also call_count, last_called_at (ISO 8601, UTC) and ai_score, which are computed here. Personal data.
	Fields []Field `avro:"fields"`
	// True: nobody may call this person, at whatever number; either side said so, and only an explicit act takes it back. False: calls are allowed.
	DoNotCall bool `avro:"do_not_call"`
	// The dialer's id of the contact, e.g. "c-12". Absent: the dialer has none, or deleted it.
	ContactID *string `avro:"contact_id"`
	// The CRM records of this person, but for those that were deleted or are out of the tenant's scope, e.g. [{salesforce, Lead, 00Q5g000007abcdEAA}].
	Links []Link `avro:"links"`
	// Fields whose value is not as the mapping wants it, by the dialer's names and sorted by them, each with the CRM record and why, e.g.
	// phone = "salesforce/Lead/00Q5g000007abcdEAA: Invalid E.164 phone". Such a value stands as the CRM spells it, and one of the
	// dialer is not written there. Personal data.
	Warnings []Field `avro:"warnings"`
	// How the person stands: e.g. "active", "crm_deleted" (no CRM has a record any more: do not dial), "out_of_scope" (none has one that
	// the tenant syncs: do not dial), "dialer_deleted" (the dialer deleted the contact), "merged" (it is part of merged_into, for ever).
	Status string `avro:"status"`
	// Where the last change came from. Always there in what we write.
	Provenance *Provenance `avro:"provenance"`
	// Numbers of this person that nobody may dial, whoever has them, in E.164, e.g. ["+14155550100"]: the dialer said so of the number, and only a
	// later word about it takes that back. do_not_call is the person's and covers every number. Personal data.
	DoNotCallNumbers []string `avro:"do_not_call_numbers"`
	// Of a person who became part of another, that one's id, e.g. "p12": all that is here stands there. Absent: of any other.
	MergedInto *string `avro:"merged_into"`
}

// SyncAccount is a value of sync.accounts: one company of one CRM as known now.
type SyncAccount struct {
	// Name of the tenant, as in the key, e.g. "acme".
	Tenant string `avro:"tenant"`
	// The company's record in its CRM, e.g. {salesforce, Account, 0015g000007abcdAAA}.
	Record Link `avro:"record"`
	// Name of the company, e.g. "Example Bakery". "": it has none, or the tenant does not map it. It may be a person's name. Personal data.
	Name string `avro:"name"`
	// Further values of the record, by the dialer's names and sorted by them, as the tenant's mapping makes them, e.g. industry = "Food",
	// owner_email = "rep@example.com", website. A null value is known to be empty; what is not there is not known. Personal data.
	Fields []Field `avro:"fields"`
	// Where the last change came from, with its time by the CRM's clock.
	Provenance *Provenance `avro:"provenance"`
	// Fields whose value is not as the mapping wants it, by the dialer's names and sorted by them, each with why, e.g. industry = "Invalid
	// industry". Such a value stands as the CRM spells it. Personal data.
	Warnings []Field `avro:"warnings"`
	// How it stands: e.g. "active", "out_of_scope" (it does not satisfy the tenant's scope; its values are those from before).
	Status string `avro:"status" default:"active"`
}

// SyncOpportunity is a value of sync.opportunities: one deal of one CRM as known now.
type SyncOpportunity struct {
	// Name of the tenant, as in the key, e.g. "acme".
	Tenant string `avro:"tenant"`
	// The deal's record in its CRM, e.g. {salesforce, Opportunity, 0065g000007abcdAAA}.
	Record Link `avro:"record"`
	// Title of the deal, e.g. "Example Bakery: 20 seats". "": it has none, or the tenant does not map it. It may name a person. Personal data.
	Name string `avro:"name"`
	// Stage of the deal, in the CRM's words unless the tenant maps them, e.g. "Negotiation". "": not known.
	Stage string `avro:"stage"`
	// Further values of the record, by the dialer's names and sorted by them, as the tenant's mapping makes them, e.g. amount = "4800",
	// close_date = "2026-04-30", closed = "false", currency = "EUR", owner_email. Where there is an amount there is a currency: the record's
	// own, else the tenant's. A null value is known to be empty; what is not there is not known. Personal data.
	Fields []Field `avro:"fields"`
	// Where the last change came from, with its time by the CRM's clock.
	Provenance *Provenance `avro:"provenance"`
	// The company of the deal, as on sync.accounts, e.g. {salesforce, Account, 0015g000007abcdAAA}. Absent: it has none, or it is not known.
	Company *Link `avro:"company"`
	// Fields whose value is not as the mapping wants it, by the dialer's names and sorted by them, each with why, e.g. amount = "it is no
	// amount". Such a value stands as the CRM spells it. Personal data.
	Warnings []Field `avro:"warnings"`
	// How it stands: e.g. "active", "out_of_scope" (it does not satisfy the tenant's scope; its values are those from before).
	Status string `avro:"status" default:"active"`
}

// Statuses of a synced call or record.
const (
	StatusPending    = "pending"
	StatusSynced     = "synced"
	StatusError      = "error"
	StatusConflict   = "conflict"
	StatusHeld       = "held"
	StatusSkipped    = "skipped"
	StatusCRMDeleted = "crm_deleted"
	StatusOutOfScope = "out_of_scope"
)

// SyncCall is a value of sync.calls: where one call was logged, or why not.
type SyncCall struct {
	// Name of the tenant, as in the key, e.g. "acme".
	Tenant string `avro:"tenant"`
	// The dialer's id of the call, as in the key, e.g. "call-7".
	CallID string `avro:"call_id"`
	// The highest revision of the call that went into this, of dialer.calls or of an edit, e.g. 2. 0: only edits came, the call not yet.
	Revision int64 `avro:"revision"`
	// How the call stands: e.g. "pending" (on its way), "synced" (in every CRM that has the person), "held" (waits for
	// something), "skipped" (not to be logged), "error" (given up), "crm_deleted" (the activity was deleted in the CRM).
	Status string `avro:"status"`
	// Why it is held, skipped or in error, for people, e.g. "nobody with this number or contact is known". "": else. It may
	// name who dropped the call, or quote the CRM. Personal data.
	Reason string `avro:"reason"`
	// Our id of the person that it was logged on, as on sync.contacts, e.g. "p17". "": not found yet.
	PersonID string `avro:"person_id"`
	// True: several persons have the number; it was logged on the first of candidates. False: there was no doubt.
	Ambiguous bool `avro:"ambiguous"`
	// Where ambiguous, one CRM record of each person with the number, best first, at most 20, e.g. [{salesforce, Contact,
	// 0035g000007abcdAAA}]. Else empty.
	Candidates []Link `avro:"candidates"`
	// The activities of the call, one for each CRM that has or will have it.
	Logged []Logged `avro:"logged"`
	// When the call began, from dialer.calls, in ms since 1970 UTC, e.g. 1772386200000. 0: only edits came, the call not yet.
	StartedAt int64 `avro:"started_at"`
	// Where the last revision or edit came from. Always there in what we write.
	Provenance *Provenance `avro:"provenance"`
}

// Logged is one CRM activity of a call.
type Logged struct {
	// Name of the CRM, e.g. "salesforce", "hubspot".
	Provider string `avro:"provider"`
	// The CRM's own name of the kind of activity, e.g. "Task", "calls".
	Object string `avro:"object"`
	// The activity's id in the CRM, e.g. "00T5g000007abcdEAA". "": the CRM has not given one yet.
	ID string `avro:"id"`
	// Address at which a person sees the activity in the CRM, e.g.
	// "https://app.hubspot.com/contacts/4242/record/0-48/901". "": unknown.
	URL string `avro:"url"`
	// How the activity stands: e.g. "pending", "synced", "error", "crm_deleted".
	Status string `avro:"status"`
	// When the last write of it came to an end, by our clock, in ms since 1970 UTC, e.g. 1772386201000. 0: none has yet.
	At int64 `avro:"at"`
}

// SyncRecord is a value of sync.records: the state of one record between us and
// one CRM. This version writes it for the activities of calls, and for what other events
// of the dialer became.
type SyncRecord struct {
	// The record's key on this topic, e.g. "acme/salesforce/Task/00T5g000007abcdEAA",
	// "acme/salesforce/Task/local:call_activities:call-7".
	ID string `avro:"id"`
	// Name of the tenant, as in the key, e.g. "acme".
	Tenant string `avro:"tenant"`
	// Name of the CRM, e.g. "salesforce", "hubspot".
	Provider string `avro:"crm_provider"`
	// The CRM's own name of the kind of record, e.g. "Task", "calls".
	ObjectType string `avro:"crm_object_type"`
	// The record's id in the CRM, e.g. "00T5g000007abcdEAA". "": the CRM has not given one yet.
	RecordID string `avro:"crm_record_id"`
	// The record's id on our side: the dialer's id of the call, e.g. "call-7"; of another event its type and id, e.g.
	// "meeting_booked:m1"; our id of the person, e.g. "p17".
	LocalRecordID string `avro:"local_record_id"`
	// What kind of record it is on our side: e.g. "call_activities", "events", "contacts".
	LocalTable string `avro:"local_table"`
	// Which way it goes: e.g. "outbound" (from the dialer to the CRM), "bidirectional" (persons).
	Direction string `avro:"sync_direction"`
	// How it stands: e.g. "pending", "synced", "error", "crm_deleted", "held" (an event that waits for its person); of a person's
	// record also "conflict" (a field waits for a decision) and "out_of_scope".
	Status string `avro:"sync_status"`
	// When the CRM took what was to be written, by our clock, in ms since 1970 UTC, e.g. 1772386201000; of a person's record when it
	// came to be in step. Absent: it is not in step at the moment.
	LastSyncedAt *int64 `avro:"last_synced_at"`
	// When it was last modified in the CRM, by the CRM's clock, in ms since 1970 UTC, e.g. 1772386201000, of a person's
	// record as it was known when its status changed. Absent: not known, as of activities.
	LastCRMModifiedAt *int64 `avro:"last_crm_modified_at"`
	// When it was last modified on our side, in ms since 1970 UTC, e.g. 1772386200000, of a person's record as
	// it was known when its status changed. Absent: not known, as of activities.
	LastLocalModifiedAt *int64 `avro:"last_local_modified_at"`
	// What went wrong last, in the CRM's words, without secrets and e-mail addresses, e.g. "Title: data value too large";
	// of a person's record which fields were not taken, or which conflict waits (an id on sync.conflicts).
	// They may still quote a value. Absent: nothing did. Personal data.
	ErrorMessage *string `avro:"error_message"`
	// How often it was tried again, e.g. 2. This version leaves it at 0; a dead letter has its tries.
	RetryCount int32 `avro:"retry_count"`
	// Further values, by name. This version leaves it empty.
	Metadata []Field `avro:"metadata"`
	// When the record began on our side, in ms since 1970 UTC, e.g. 1772386200000; of a call its start.
	CreatedAt int64 `avro:"created_at"`
	// When this was written: the time of its transaction, by our clock, in ms since 1970 UTC, e.g. 1772386201000.
	UpdatedAt int64 `avro:"updated_at"`
}

// SyncConflict is a value of sync.conflicts: something that a person must decide. It is
// two sides that want different values of one field; a CRM that undoes a value again and
// again; a record that may be somebody who is known; or a word of the dialer that a CRM
// has nothing for: a disposition, a rep. Words are listed once, whatever number of calls
// has one, and resolved when a call with it finds what it needs. What is decided stays
// here as resolved until the topic is compacted away.
type SyncConflict struct {
	// Name of the tenant, as in the key, e.g. "acme".
	Tenant string `avro:"tenant"`
	// Our id of the conflict, unique in the tenant, as in the key, e.g. "value:p17:title", "same:p18:p17",
	// "disposition:hubspot:demobooked", "rep:hubspot:rep@example.com", "drift:salesforce:Lead:Rating__c",
	// "new_field:salesforce:Lead:Mobile__c". Personal data.
	ConflictID string `avro:"conflict_id"`
	// Our id of the person, as on sync.contacts, e.g. "p17"; of same_person the one that is known; where a word is missing that of the
	// first call with it; "" of drift and new_field.
	PersonID string `avro:"person_id"`
	// Name of the field, in the dialer's words, e.g. "title", "disposition", "agent_email"; of same_person why they may be the same; of new_field the
	// one that it may be mapped to.
	Field string `avro:"field"`
	// What the dialer wants the field to be, e.g. "Head of Sales"; once resolved, what it is; of same_person what is known of the person;
	// of drift and new_field how it is mended, with lines for the tenant's document. Null: empty. Personal data.
	DialerValue *string `avro:"dialer_value"`
	// What the CRM wants the field to be, in the dialer's form, e.g. "Sales Director"; of same_person what the record looks like; of drift and
	// new_field what the CRM says of its field. Null: empty. Personal data.
	CRMValue *string `avro:"crm_value"`
	// The CRM record that wants it, e.g. {salesforce, Contact, 0035g000007abcdAAA}; of same_person the one in question, which may be
	// {dialer, contact, c-12}; of drift and new_field the kind of record, with no id.
	Record Link `avro:"record"`
	// How it stands: e.g. "open", "resolved".
	Status string `avro:"status"`
	// When it was found, by our clock, in ms since 1970 UTC, e.g. 1772386201000.
	OpenedAt int64 `avro:"opened_at"`
	// Where the later of the two values came from.
	Provenance *Provenance `avro:"provenance"`
	// What is to be decided: e.g. "value" (which of two values), "undone" (likewise: the CRM undid it three times), "same_person",
	// "unmapped_disposition", "unmapped_rep", "drift" (the CRM describes a mapped field otherwise than the mapping needs it),
	// "new_field" (one that it may be mapped to). "": value.
	Kind string `avro:"kind" default:""`
}

// SyncHealth is a value of sync.health: how one tenant's sync with one CRM does. It
// is written when state changes, and for new figures at most every five minutes.
type SyncHealth struct {
	// Name of the tenant, as in the key, e.g. "acme".
	Tenant string `avro:"tenant"`
	// Name of the CRM, as in the key, e.g. "salesforce", "hubspot".
	Provider string `avro:"provider"`
	// When the CRM last answered a request without an error, by our clock, in ms since 1970 UTC, e.g. 1772386201000. Absent: never yet.
	LastSyncAt *int64 `avro:"last_sync_at"`
	// Writes that the CRM took in the last 24 hours, counted by the hour of the clock, e.g. 1840.
	RecordsSyncedLast24h int64 `avro:"records_synced_last_24h"`
	// Share of what was given up among all that ended in the last 24 hours, in percent, from 0 to 100, e.g. 1.5.
	ErrorRateLast24h float64 `avro:"error_rate_last_24h"`
	// Writes, reads and pages that wait to be sent, e.g. 12.
	PendingRecords int64 `avro:"pending_records"`
	// Mean time from the decision on a request to its answer, of the writes that the CRM took in the last 24 hours, in
	// milliseconds, e.g. 412.5. 0: there were none.
	AvgSyncLatencyMs float64 `avro:"avg_sync_latency_ms"`
	// Requests in a row that failed for a passing reason, e.g. 2. Five open the breaker.
	ConsecutiveFailures int32 `avro:"consecutive_failures"`
	// Whether requests go out: e.g. "closed" (they do), "open" (one a minute, to see). "half-open" is kept for later versions.
	CircuitBreakerState string `avro:"circuit_breaker_state"`
	// How the account stands: e.g. "well", "slow", "parked" (a person must act), "credential_lost" (refused five times),
	// "removed" (not in the configuration).
	State string `avro:"state"`
	// Why it is not well, for people, e.g. "auth: expired access/refresh token"; of one that is, what somebody should look at. "": nothing.
	Cause string `avro:"cause"`
	// When this was written: the time of its transaction, by our clock, in ms since 1970 UTC, e.g. 1772386201000.
	At int64 `avro:"at"`
	// Sources that are read from their beginning once more, for a field or a scope that is new, each with the pages that were read so far,
	// e.g. ["Lead: 12 pages"]. Empty: none is.
	Rereading []string `avro:"rereading"`
	// Mapped fields that the CRM describes otherwise than the mapping needs them, e.g. 2: open on sync.conflicts, of kind "drift".
	Drift int32 `avro:"drift" default:"0"`
}

// FieldChange is a value of sync.changes: one field of one person went from Old
// to New. A person that is new has none: sync.contacts shows it whole.
type FieldChange struct {
	// Name of the tenant, as in the key, e.g. "acme".
	Tenant string `avro:"tenant"`
	// Our id of the person, as in the key, e.g. "p17".
	PersonID string `avro:"person_id"`
	// Name of the field, as on sync.contacts, e.g. "title", "do_not_call".
	Field string `avro:"field"`
	// Value before, e.g. "Sales Director". Null: it was empty, or, of do_not_call, not set. Personal data.
	Old *string `avro:"old"`
	// Value after, e.g. "Head of Sales". Null: it is empty now. Personal data.
	New *string `avro:"new"`
	// The rule that decided: e.g. "last_write_wins", "last_write_wins (clocks within 2 s: CRM by tie)", "crm_wins", "manual: crm, by
	// ann@example.com", "do_not_call of either side", "explicit act". Personal data.
	Cause string `avro:"cause"`
	// Where the new value came from. Always there in what we write.
	Provenance *Provenance `avro:"provenance"`
}
