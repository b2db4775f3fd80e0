package schemas

// CRMChange is a value of crm.changes. Exactly one of its bodies is set.
type CRMChange struct {
	// Name of the CRM that it was seen in, e.g. "salesforce", "hubspot".
	Provider string `avro:"provider"`
	// Id of the CRM account that it was seen in, as configured, e.g. "00D5g000004abcdEAA", "4242". One that is not the
	// tenant's is a dead letter.
	Account string `avro:"account"`
	// The CRM's own name of the kind of record, e.g. "Lead", "contacts"; "owner" for a user of the CRM; "" for an event
	// that only moves a stream on.
	Object string `avro:"object"`
	// The record's id in the CRM, e.g. "00Q5g000007abcdEAA", "51"; of a stream's event the first of record_ids. "" for a
	// page marker, a stream's reset and an event that only moves a stream on.
	ID string `avro:"id"`
	// When our process saw it, by its own clock, in ms since 1970 UTC, e.g. 1772386200000. Nothing is decided by it.
	ObservedAt int64 `avro:"observed_at"`

	// Body: a record that was read, by a page or by id.
	Record *RecordRead `avro:"record"`
	// Body: a change event that the CRM pushed.
	Stream *StreamEvent `avro:"stream"`
	// Body: a webhook's hint that a record may have changed.
	Hint *Hint `avro:"hint"`
	// Body: the end of a page, after all of its records.
	PageEnd *PageMarker `avro:"page_end"`
	// Body: reference data, such as a user of the CRM, or what fields a kind of record has.
	Reference *Reference `avro:"reference"`
}

// Causes of a RecordRead; KindRead and KindFind are those of an attempt.
const (
	CausePage  = "page"
	CauseAgain = "again"
)

// RecordRead is the state of one CRM record as a page or a read returned it.
type RecordRead struct {
	// When the record was last modified, by the CRM's clock, in ms since 1970 UTC, e.g. 1772386200000. From
	// SystemModstamp (Salesforce), lastmodifieddate (HubSpot).
	ModifiedAt int64 `avro:"modified_at"`
	// True: the record was deleted or archived in the CRM. False: it is there.
	Deleted bool `avro:"deleted"`
	// Id of the record that this one was merged into, e.g. "00Q5g000007abceEAA". Absent: it was not merged.
	MovedTo *string `avro:"moved_to"`
	// The mapped fields that the CRM returned, by the CRM's names, e.g. FirstName, Email. A null value is empty there. Of
	// a record that is too large for Kafka the largest fields are left out. Personal data.
	Fields []Field `avro:"fields"`
	// How it was read: e.g. "page" (with its source, page by page), "again" (likewise, of a source that is read once more for a field or a
	// scope that is new), "read" (by id), "find" (by number). Pages before a source's first end are the initial load.
	Cause string `avro:"cause"`
	// Id of the attempt that read it, as on crm.commands, e.g. "3-1042".
	AttemptID string `avro:"attempt_id"`
}

// StreamEvent is one pushed change event. It is its own marker: it is applied if
// From is the stream's cursor, and moves the cursor to To (P3). Replay ids are
// opaque: they are compared for equality only.
type StreamEvent struct {
	// The CRM's name of the stream, e.g. "/data/ChangeEvents".
	Channel string `avro:"channel"`
	// Which life of the stream it is, counted by us from 0, one more with every reset, e.g. 1.
	Epoch int64 `avro:"epoch"`
	// Replay id of the event before it, as the CRM gave it, e.g. "18276641". "": the first of its epoch.
	From string `avro:"from"`
	// Replay id of this event, as the CRM gave it, e.g. "18276642". "" for a reset.
	To string `avro:"to"`
	// True: the CRM has lost our position; there is no change in it, a new epoch begins, and all is read again. False: a change.
	Reset bool `avro:"reset"`
	// What the CRM says happened, in its words, e.g. "CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_UPDATE". "" for an event that
	// only moves the cursor.
	ChangeType string `avro:"change_type"`
	// Ids of all records that share this change, e.g. ["00Q5g000007abcdEAA"].
	RecordIDs []string `avro:"record_ids"`
	// When the change was committed in the CRM, by its clock, in ms since 1970 UTC, e.g. 1772386200000. 0: not said.
	ModifiedAt int64 `avro:"modified_at"`
	// The mapped fields that changed, by the CRM's names, e.g. Phone. A null value was cleared. Empty for a deletion
	// and for a gap. Personal data.
	Fields []Field `avro:"fields"`
	// What the CRM says of who made the change, e.g. "com/salesforce/api/rest/63.0". A hint only: echoes are known by their values.
	Origin string `avro:"origin"`
}

// HintErased is the Kind of a Hint that a record was erased for good.
const HintErased = "erased"

// Hint says that a record may have changed; it coalesces into a read.
type Hint struct {
	// When it happened, as the webhook says, by the CRM's clock, in ms since 1970 UTC, e.g. 1772386200000. 0: not said.
	OccurredAt int64 `avro:"occurred_at"`
	// What the webhook says happened: e.g. "changed", "deleted", "merged": the record is read; "erased": it was deleted for
	// privacy, and we erase it, too.
	Kind string `avro:"kind"`
}

// PageMarker follows the records of one page. It moves the source's cursor from
// From to To if From is the cursor; else it is a duplicate (P3).
type PageMarker struct {
	// Name of the source in the CRM's profile, e.g. "Lead", "users", "contacts", "owners".
	Source string `avro:"source"`
	// Cursor that the page was asked for with, in the connector's own form, e.g. "1 1772386200000 00Q5g000007abcdEAA 1772386260".
	// "": the source's beginning.
	From string `avro:"from"`
	// Cursor that the next page is to be asked for with, in the connector's own form, e.g. "1 1772386500000 - 0".
	To string `avro:"to"`
	// Id of the attempt that read the page, as on crm.commands, e.g. "3-1042".
	AttemptID string `avro:"attempt_id"`
	// True: the source has nothing more at the moment; the next page is asked for at the next poll. False: at once.
	Last bool `avro:"last"`
}

// Kinds of reference data.
const (
	ReferenceOwner       = "owner"
	ReferenceDisposition = "disposition"
	ReferenceSchema      = "schema" // what fields a kind of record has
)

// Reference is one entry of reference data: a user of the CRM, an outcome of calls, or
// what fields a kind of record has.
type Reference struct {
	// What it is an entry of: e.g. "owner", a user who may own records, "disposition", an outcome of calls, "schema", the fields of
	// the kind of record that the change's id names. Any other is passed over.
	Kind string `avro:"kind"`
	// What is known of it: id, email and active, e.g. email = "rep@example.com", active = "true", and of a user the time_zone,
	// where the CRM says one, e.g. "America/Denver". Empty of a schema. Personal data.
	Fields []Field `avro:"fields"`
	// True: it was deleted in the CRM. False: it is there; a user who may not log in any more has active = "false".
	Deleted bool `avro:"deleted"`
	// Of a schema: the fields, sorted by name, each once. Empty of everything else.
	Described []DescribedField `avro:"described"`
	// Of a schema: how many fields the CRM has beside those, left out since the record would be too large, e.g. 0. Of a field
	// that is not among them nothing is known then.
	Left int32 `avro:"left" default:"0"`
}

// Kinds of a CRM's field, in our words.
const (
	FieldText      = "text"
	FieldNumber    = "number"
	FieldBoolean   = "boolean"
	FieldDate      = "date"
	FieldDatetime  = "datetime"
	FieldChoice    = "choice"  // one value of a list
	FieldChoices   = "choices" // several of them
	FieldReference = "reference"
	FieldOther     = "other"
)

// DescribedField is what a CRM says of one field of a kind of record.
type DescribedField struct {
	// The CRM's name of it, e.g. "Rating__c", "hs_lead_status".
	Name string `avro:"name" default:""`
	// What people see of it in the CRM, at most 100 characters, e.g. "Rating".
	Label string `avro:"label" default:""`
	// Its type in the CRM's words, e.g. "picklist", "enumeration".
	Type string `avro:"type" default:""`
	// Its type in our words: e.g. "text", "number", "boolean", "date", "datetime", "choice" (one of a list), "choices" (several),
	// "reference", "other".
	Kind string `avro:"kind" default:""`
	// Of a text: how many characters it takes, e.g. 255. 0: no limit known.
	Length int32 `avro:"length" default:"0"`
	// True: a new record may be given a value. False: not by us.
	Creatable bool `avro:"creatable"`
	// True: a value may be written to a record that is there. False: not by us.
	Updatable bool `avro:"updatable"`
	// True: a new record needs a value, and gets none by itself. False: it does not.
	Required bool `avro:"required"`
	// True: somebody made it in this account. False: every account has it.
	Custom bool `avro:"custom"`
	// True: the CRM computes it from other fields. False: it holds what was written.
	Formula bool `avro:"formula"`
	// Of a choice: the values that may be chosen now, in the CRM's order, at most 100, e.g. ["New", "Working"].
	Values []string `avro:"values"`
	// True: there are more values than those, or one is too long to be listed. False: those are all.
	MoreValues bool `avro:"more_values"`
}
