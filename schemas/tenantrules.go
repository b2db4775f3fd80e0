package schemas

// What a tenant may write about one field of the dialer and one of a CRM.
const (
	EntityContact     = "contact"
	EntityCall        = "call_activity"
	EntityAccount     = "account"
	EntityOpportunity = "opportunity"
)

// Transforms of a FieldMapping.
const (
	TransformNone      = "none"
	TransformPhone     = "phone_e164"
	TransformDateISO   = "date_iso"
	TransformDateSFDC  = "date_sfdc"
	TransformYesNo     = "boolean_yn"
	TransformCheckbox  = "boolean_checkbox"
	TransformLowercase = "lowercase"
	TransformPicklist  = "picklist_map"
	TransformCents     = "currency_cents"
	TransformCustom    = "custom"
)

// Types of a Validation.
const (
	ValidRequired = "required"
	ValidFormat   = "format"
	ValidLength   = "length"
	ValidRange    = "range"
	ValidEnum     = "enum"
)

// Strategies for a field that both sides changed.
const (
	CRMWins       = "crm_wins"
	DialerWins    = "dialer_wins"
	LastWriteWins = "last_write_wins"
	FieldMerge    = "field_merge"
	Manual        = "manual"
)

// FieldMapping is what a tenant's document says of one line of the field mapping.
// It differs from the CRM's default line of the same entity, field, provider and
// object in what is set here, or is a line that no default has.
type FieldMapping struct {
	// What the line is about on our side, e.g. "contact", "call_activity", "account", "opportunity".
	Entity string `avro:"entity" default:"contact"`
	// The dialer's name of the field, e.g. "score". Of a call's constants, which have no field of ours, "".
	Field string `avro:"field" default:""`
	// Name of the CRM, e.g. "salesforce". "": every CRM whose default mapping has the field.
	Provider string `avro:"provider" default:""`
	// The CRM's own name of the kind of record, e.g. "Lead". A line is one of its object: Lead and Contact may differ. "":
	// each object whose default mapping has the field.
	Object string `avro:"object" default:""`
	// The CRM's name of the field, e.g. "Dialer_AI_Score__c". "": that of the default line.
	CRMField string `avro:"crm_field" default:""`
	// Which way values go: e.g. "inbound" (from the CRM to the dialer), "outbound", "bidirectional". "": that of the default line; of a
	// line without one, bidirectional.
	Direction string `avro:"direction" default:""`
	// How a value of the CRM becomes one of the dialer, e.g. "phone_e164", "picklist_map", "custom"; its inverse goes the
	// other way. "": that of the default line; of a line without one, "none".
	Transform string `avro:"transform" default:""`
	// Arguments of the transform, sorted by name: country (phone_e164); format, locale, zone (date_iso, date_sfdc); currency, locale
	// (currency_cents), e.g. locale = "en-GB".
	Args []Field `avro:"args"`
	// The values of picklist_map, in the order of the document, e.g. [{"New", "OPEN"}].
	Picklist []PicklistPair `avro:"picklist"`
	// JavaScript expression of the transform custom, from the CRM to the dialer, or, of an outbound line, the way that it goes;
	// its input is called value, e.g. "value.split(' ')[0]".
	Script string `avro:"script" default:""`
	// JavaScript expression from the dialer to the CRM, of a bidirectional custom, e.g. "value + ' Lee'". "": there is none.
	Inverse string `avro:"inverse" default:""`
	// True: the CRM refuses the record without this field, so a write without a valid value of it is a dead letter. False: what is
	// not valid is left out of the write.
	Required bool `avro:"required"`
	// True: the line is switched off; nothing that it synced before is cleared. False: it is in force.
	Off bool `avro:"off"`
	// Value that a new record of the CRM gets where the dialer has none, in the CRM's form, e.g. "Dialer". Absent: none. It is never
	// written to a record that is there.
	Default *string `avro:"default_value"`
	// True: an empty value of the dialer clears the CRM's. False: it is not written.
	ClearsCRM bool `avro:"clears_crm"`
	// Strategy for the field where both sides changed it, e.g. "crm_wins". "": that of conflict_fields, else conflict_default.
	Conflict string `avro:"conflict" default:""`
	// What the CRM's field holds: e.g. "text", "number", "boolean", "multi" (several values with semicolons between them). "": that of
	// the default line, of the transform, else text.
	Kind string `avro:"kind" default:""`
	// Longest value that the CRM's field takes, in characters, e.g. 80; what is longer is cut. 0: that of the default line,
	// else no limit is known.
	MaxLength int32 `avro:"max_length" default:"0"`
	// What a value in the dialer's form must be like, all of it. Empty: what the default line says.
	Validations []Validation `avro:"validations"`
}

// PicklistPair is one value in the words of both sides.
type PicklistPair struct {
	// The value in the dialer's words, e.g. "New".
	Dialer string `avro:"dialer" default:""`
	// The value in the CRM's words, e.g. "OPEN". Of several pairs with one value, the first is the way back.
	CRM string `avro:"crm" default:""`
}

// Validation is one rule that a value must satisfy.
type Validation struct {
	// Which rule it is: e.g. "required" (not empty), "format", "length", "range", "enum". All but the first hold for an empty value.
	Type string `avro:"type" default:""`
	// Of format: a regular expression in RE2's syntax that some part of the value matches, e.g. "^[A-Z]{2}$".
	Pattern string `avro:"pattern" default:""`
	// Least number of characters (length) or least number (range), e.g. 1. Absent: no bound.
	Min *float64 `avro:"min"`
	// Greatest number of characters (length) or greatest number (range), e.g. 100. Absent: no bound.
	Max *float64 `avro:"max"`
	// Of enum: the values that may be, e.g. ["New", "Working"].
	Values []string `avro:"values"`
	// What people are told of a value that is not like that, e.g. "Invalid status". "": a text of ours.
	Message string `avro:"message" default:""`
}

// DedupeRule is one step of the search for the person of a record; the steps are
// tried in their order.
type DedupeRule struct {
	// What is compared: e.g. "crm_id", "dialer_link", "email", "phone", "composite" (e-mail, phone and company together),
	// "fuzzy_name_company".
	Strategy string `avro:"strategy" default:""`
	// What a match does: e.g. "link" (both are one person), "suggest" (somebody is asked), "off".
	Action string `avro:"action" default:""`
	// Of fuzzy_name_company: how alike they must be, from 0 to 1, e.g. 0.9. 0: 0.9.
	Threshold float64 `avro:"threshold" default:"0"`
}

// DispositionRule is what one disposition of the dialer is in one CRM.
type DispositionRule struct {
	// Name of the CRM, e.g. "hubspot".
	Provider string `avro:"provider" default:""`
	// The dialer's disposition, compared without regard to case, e.g. "Meeting Booked".
	Label string `avro:"label" default:""`
	// Fields of the activity that it sets, by the CRM's names and sorted by them, e.g. CallDisposition = "Meeting Booked".
	Fields []Field `avro:"fields"`
	// Kind of record whose stage it moves, e.g. "Opportunity". "": none.
	StageObject string `avro:"stage_object" default:""`
	// Stage that the record moves to, in the CRM's words, e.g. "Demo". "": none.
	Stage string `avro:"stage" default:""`
	// True: no rule of the tenant moves a deal for this outcome ("stage: never"). False: others may.
	KeepsStage bool `avro:"keeps_stage" default:"false"`
}

// CallPolicy says which calls are logged, and how. The shortest call and the default
// owner stand in TenantConfig itself.
type CallPolicy struct {
	// Kinds of calls that are not logged, sorted, e.g. ["missed", "voicemail"].
	SkipKinds []string `avro:"skip_kinds"`
	// Directions of calls that are not logged, sorted, e.g. ["inbound"].
	SkipDirections []string `avro:"skip_directions"`
	// True: calls from before the CRM was connected are logged, too. False: they are skipped.
	LogBefore bool `avro:"log_before"`
	// True: a call with an unknown number makes one lead for the number. False: it is held until somebody with the number is known.
	CreateLead bool `avro:"create_lead"`
	// True: the CRMs are not asked for an unknown number. False: each is, once a day for a number.
	NoLookup bool `avro:"no_lookup"`
	// How notes are laid out: e.g. "structured" (under headings), "plain". "": structured.
	NotesLayout string `avro:"notes_layout" default:""`
	// Which address of a recording the CRM gets: e.g. "play" (a permanent one that signs at the click), "signed" (one that runs out).
	// "": play.
	Recording string `avro:"recording" default:""`
	// Address before /api/recordings/{id}/play, without a slash at its end, e.g. "https://dialer.example.com". "": recordings are not linked.
	RecordingBase string `avro:"recording_base" default:""`
}

// ObjectScope says which records of one kind are synced.
type ObjectScope struct {
	// Name of the CRM, e.g. "salesforce".
	Provider string `avro:"provider" default:""`
	// The CRM's own name of the kind of record, e.g. "Lead".
	Object string `avro:"object" default:""`
	// True: no record of this kind is synced. False: those that pass the filters are.
	Off bool `avro:"off"`
	// What a record must satisfy, all of it. Empty: every record does.
	Filters []Filter `avro:"filters"`
}

// Filter is one condition on a field of a CRM record.
type Filter struct {
	// The CRM's name of the field, e.g. "Status".
	Field string `avro:"field" default:""`
	// How it is compared: e.g. "eq", "ne", "in", "not_in", "set" (not empty), "unset". Texts are compared without regard to case.
	Op string `avro:"op" default:""`
	// What it is compared with, in the CRM's words, e.g. ["New", "Working"]. Of eq and ne one, of set and unset none. It may name a
	// person. Personal data.
	Values []string `avro:"values"`
}

// EventTarget says what one kind of event of the dialer becomes in one CRM.
type EventTarget struct {
	// The event's type, e.g. "meeting_booked".
	Type string `avro:"type" default:""`
	// Name of the CRM, e.g. "salesforce".
	Provider string `avro:"provider" default:""`
	// What it becomes: e.g. "task", "event", "timeline", "custom_event", "record", "campaign_member", "field", "off".
	Target string `avro:"target" default:""`
	// Of record and custom_event: the CRM's name of the kind of record or event, e.g. "Dialer_Session__c". "": the target has its own.
	Object string `avro:"object" default:""`
	// Which field of the CRM takes which value of the event, by the CRM's names and sorted by them, e.g. Status = "outcome".
	Fields []Field `avro:"fields"`
}

// StageRule moves a deal when a call or an event says so. A deal that is closed is
// never moved.
type StageRule struct {
	// Name of the CRM, e.g. "hubspot".
	Provider string `avro:"provider" default:""`
	// The CRM's own name of the kind of record, e.g. "deals".
	Object string `avro:"object" default:""`
	// What must be so, all of it, by the names of the call's or event's values and sorted by them, e.g. disposition = "Meeting Booked".
	When []Field `avro:"when"`
	// Stage that the deal moves to, in the CRM's words, e.g. "presentationscheduled".
	To string `avro:"to" default:""`
	// Stages that it may be moved out of, in the CRM's words and sorted, e.g. ["appointmentscheduled"]. Empty: any that is not closed.
	From []string `avro:"from"`
}
