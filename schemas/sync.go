package schemas

// Provenance is the part that every normalized record carries.
type Provenance struct {
	Origin    string `avro:"origin"`     // "dialer", "salesforce", "hubspot", "crmstream"
	EventTime int64  `avro:"event_time"` // ms, when it became true at its origin
	SourceRef string `avro:"source_ref"` // topic-partition@offset of the input that caused it
	Snapshot  bool   `avro:"snapshot"`   // came with an initial load, not with a live change
}

// SyncContact is a value of sync.contacts: one person as known now.
type SyncContact struct {
	Tenant     string      `avro:"tenant"`      // the tenant, as in the key
	PersonID   string      `avro:"person_id"`   // our id of the person
	Fields     []Field     `avro:"fields"`      // sorted by name
	DoNotCall  bool        `avro:"do_not_call"` // do not call this person
	ContactID  *string     `avro:"contact_id"`  // the dialer's id
	Links      []Link      `avro:"links"`       // CRM records of this person
	Status     string      `avro:"status"`      // "active", "crm_deleted", "dialer_deleted", "merged"
	Provenance *Provenance `avro:"provenance"`  // where it comes from
}

// SyncAccount is a value of sync.accounts: one company of one CRM.
type SyncAccount struct {
	Tenant     string      `avro:"tenant"`     // the tenant, as in the key
	Record     Link        `avro:"record"`     // a record that was read
	Name       string      `avro:"name"`       // name of the field, in the form of its system
	Fields     []Field     `avro:"fields"`     // named values, only what changed
	Provenance *Provenance `avro:"provenance"` // where it comes from
}

// SyncOpportunity is a value of sync.opportunities: one deal of one CRM.
type SyncOpportunity struct {
	Tenant     string      `avro:"tenant"`     // the tenant, as in the key
	Record     Link        `avro:"record"`     // a record that was read
	Name       string      `avro:"name"`       // name of the field, in the form of its system
	Stage      string      `avro:"stage"`      // stage as the CRM names it
	Fields     []Field     `avro:"fields"`     // named values, only what changed
	Provenance *Provenance `avro:"provenance"` // where it comes from
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
	Tenant     string      `avro:"tenant"`     // the tenant, as in the key
	CallID     string      `avro:"call_id"`    // the dialer's id of the call
	Revision   int64       `avro:"revision"`   // revision of the call that this shows
	Status     string      `avro:"status"`     // state, one of a few words
	Reason     string      `avro:"reason"`     // why it is held, skipped or in error; "" else
	PersonID   string      `avro:"person_id"`  // our id of the person
	Ambiguous  bool        `avro:"ambiguous"`  // several persons matched; Candidates lists them
	Candidates []Link      `avro:"candidates"` // all records that matched
	Logged     []Logged    `avro:"logged"`     // the CRM activities of the call
	StartedAt  int64       `avro:"started_at"` // ms
	Provenance *Provenance `avro:"provenance"` // where it comes from
}

// Logged is one CRM activity of a call.
type Logged struct {
	Provider string `avro:"provider"` // name of the CRM: "salesforce", "hubspot"
	Object   string `avro:"object"`   // the provider's own name of the kind of record: "Lead", "contacts"
	ID       string `avro:"id"`       // the record's id in the CRM
	URL      string `avro:"url"`      // address where a person sees it; empty where unknown
	Status   string `avro:"status"`   // state, one of a few words
	At       int64  `avro:"at"`       // ms
}

// SyncRecord is a value of sync.records: the state of one record between us and
// one CRM.
type SyncRecord struct {
	ID                  string  `avro:"id"`                     // the record's key on this topic
	Tenant              string  `avro:"tenant"`                 // the tenant, as in the key
	Provider            string  `avro:"crm_provider"`           // name of the CRM
	ObjectType          string  `avro:"crm_object_type"`        // the provider's own name of the kind
	RecordID            string  `avro:"crm_record_id"`          // "" while the CRM has none
	LocalRecordID       string  `avro:"local_record_id"`        // our id of the record
	LocalTable          string  `avro:"local_table"`            // "contacts" or "call_activities"
	Direction           string  `avro:"sync_direction"`         // "inbound" or "outbound"
	Status              string  `avro:"sync_status"`            // "pending", "synced", "error", "conflict", "held", "crm_deleted" or "out_of_scope"
	LastSyncedAt        *int64  `avro:"last_synced_at"`         // ms
	LastCRMModifiedAt   *int64  `avro:"last_crm_modified_at"`   // ms
	LastLocalModifiedAt *int64  `avro:"last_local_modified_at"` // ms
	ErrorMessage        *string `avro:"error_message"`          // what went wrong last
	RetryCount          int32   `avro:"retry_count"`            // tries so far
	Metadata            []Field `avro:"metadata"`               // further named values
	CreatedAt           int64   `avro:"created_at"`             // ms
	UpdatedAt           int64   `avro:"updated_at"`             // ms
}

// SyncConflict is a value of sync.conflicts: two sides that want different values
// of one field.
type SyncConflict struct {
	Tenant      string      `avro:"tenant"`       // the tenant, as in the key
	ConflictID  string      `avro:"conflict_id"`  // id of the conflict
	PersonID    string      `avro:"person_id"`    // our id of the person
	Field       string      `avro:"field"`        // name of the field
	DialerValue *string     `avro:"dialer_value"` // what the dialer wants
	CRMValue    *string     `avro:"crm_value"`    // what the CRM wants
	Record      Link        `avro:"record"`       // a record that was read
	Status      string      `avro:"status"`       // "open", "resolved"
	OpenedAt    int64       `avro:"opened_at"`    // ms, when it was found
	Provenance  *Provenance `avro:"provenance"`   // where it comes from
}

// SyncHealth is a value of sync.health: how one tenant's sync with one CRM does.
type SyncHealth struct {
	Tenant               string  `avro:"tenant"`                  // the tenant, as in the key
	Provider             string  `avro:"provider"`                // name of the CRM: "salesforce", "hubspot"
	LastSyncAt           *int64  `avro:"last_sync_at"`            // ms
	RecordsSyncedLast24h int64   `avro:"records_synced_last_24h"` // records synced in the last 24 hours, by the hour
	ErrorRateLast24h     float64 `avro:"error_rate_last_24h"`     // percent
	PendingRecords       int64   `avro:"pending_records"`         // writes that wait
	AvgSyncLatencyMs     float64 `avro:"avg_sync_latency_ms"`     // mean time from decision to answer, in milliseconds
	ConsecutiveFailures  int32   `avro:"consecutive_failures"`    // requests that failed in a row
	CircuitBreakerState  string  `avro:"circuit_breaker_state"`   // "closed", "open", "half-open"
	State                string  `avro:"state"`                   // "well", "slow", "parked", "credential_lost", "removed"
	Cause                string  `avro:"cause"`                   // why
	At                   int64   `avro:"at"`                      // ms
}

// FieldChange is a value of sync.changes: one field of one person went from Old
// to New.
type FieldChange struct {
	Tenant     string      `avro:"tenant"`     // the tenant, as in the key
	PersonID   string      `avro:"person_id"`  // our id of the person
	Field      string      `avro:"field"`      // name of the field
	Old        *string     `avro:"old"`        // value before; null = none
	New        *string     `avro:"new"`        // value after; null = none
	Cause      string      `avro:"cause"`      // the rule that decided
	Provenance *Provenance `avro:"provenance"` // where it comes from
}
