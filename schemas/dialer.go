package schemas

// Directions of a call.
const (
	Outbound = "outbound"
	Inbound  = "inbound"
)

// CallEvent is a value of dialer.calls: one revision of one call. A later
// revision repeats what is still true and replaces the earlier one.
type CallEvent struct {
	CallID          string   `avro:"call_id"`          // the dialer's id, unique in the tenant
	Revision        int64    `avro:"revision"`         // from 1, rises with every edit
	Direction       string   `avro:"direction"`        // Outbound or Inbound
	StartedAt       int64    `avro:"started_at"`       // ms
	EndedAt         *int64   `avro:"ended_at"`         // ms; absent while the call runs
	DurationSeconds *int32   `avro:"duration_seconds"` // 0 is a length, absent is unknown
	FromNumber      string   `avro:"from_number"`      // calling number, as dialled; E.164 is best: "+14155550100"
	ToNumber        string   `avro:"to_number"`        // called number, as dialled
	ContactID       *string  `avro:"contact_id"`       // the dialer's contact, if it knows one
	CRMLink         *Link    `avro:"crm_link"`         // the CRM record that the dialer had on its screen
	AgentEmail      string   `avro:"agent_email"`      // e-mail of the rep who made the call: "rep@example.com"
	Disposition     *string  `avro:"disposition"`      // outcome as the rep chose it: "Connected"
	Notes           *string  `avro:"notes"`            // notes of the call as plain text
	RecordingID     *string  `avro:"recording_id"`     // the dialer's id of the recording
	TimeZone        *string  `avro:"time_zone"`        // IANA name; absent: the tenant's
	Score           *float64 `avro:"score"`            // 0 to 100
}

// ContactChange is a value of dialer.contacts: what changed in one contact of the
// dialer.
type ContactChange struct {
	ContactID  string  `avro:"contact_id"`  // the dialer's id of the contact
	ModifiedAt int64   `avro:"modified_at"` // ms, the dialer's clock
	Fields     []Field `avro:"fields"`      // only what changed, named as in sync.contacts
	Deleted    bool    `avro:"deleted"`     // it was deleted there
	CRMLink    *Link   `avro:"crm_link"`    // the CRM record that the dialer has for it
}

// DialerEvent is a value of dialer.events: everything that a dialer says beside
// calls and contacts, told apart by Type. dnc_changed has the field do_not_call and a
// ContactID. call_updated and disposition_changed have a CallID and what was edited:
// disposition, notes, score, recording_id, duration_seconds, ended_at (ms),
// agent_email; and revision, if the dialer numbers its edits.
type DialerEvent struct {
	EventID   string  `avro:"event_id"`   // the dialer's id of the event, unique in the tenant
	Type      string  `avro:"type"`       // what happened: "dnc_changed", "call_updated", "disposition_changed"
	At        int64   `avro:"at"`         // ms
	CallID    *string `avro:"call_id"`    // the dialer's id of the call
	ContactID *string `avro:"contact_id"` // the dialer's id of the contact
	Fields    []Field `avro:"fields"`     // named values, only what changed
}
