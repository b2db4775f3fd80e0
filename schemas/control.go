package schemas

// TenantConfig is a value of control.tenants: the whole configuration of one
// tenant in one version. Removed ends the tenant.
type TenantConfig struct {
	// Name of the tenant, the same as the record's key, e.g. "acme".
	Tenant string `avro:"tenant"`
	// Version of the configuration, set by crmstream tenants: one more than the last, from 1, e.g. 3. The highest wins;
	// one that is not higher is a repeat.
	Version int64 `avro:"version"`
	// True: the tenant has ended; records that still come for it are held for a day. False: it is configured.
	Removed bool `avro:"removed"`
	// IANA name of the tenant's time zone, from the document, e.g. "America/Los_Angeles". Calls without a zone of
	// their own get their date by it, where the CRM does not say the rep's.
	TimeZone string `avro:"time_zone"`
	// ISO 3166 alpha-2 code, from the document, e.g. "US". Numbers without a country code are read as this country's.
	Country string `avro:"country"`
	// The CRM accounts of the tenant, from the document, at most one of each CRM, sorted by its name.
	Accounts []Account `avro:"accounts"`
	// Shortest call that is logged, in seconds, from the document, e.g. 10. 0: all are.
	MinCallSeconds int32 `avro:"min_call_seconds"`
	// E-mail of the CRM's user who owns the calls of a rep that the CRM does not know, from the document, e.g.
	// "desk@example.com". "": the CRM's default. Personal data.
	DefaultOwnerEmail string `avro:"default_owner_email"`
	// When this version was applied, by the clock of the machine that ran crmstream tenants, in ms since 1970 UTC, e.g.
	// 1772386200000.
	AppliedAt int64 `avro:"applied_at"`
	// The YAML file that it was applied from, whole and as its author wrote it, other tenants in the same file too,
	// e.g. "tenant: acme\ncountry: US\n…". Secrets stand in it by reference. "": of a removal. Personal data.
	Document string `avro:"document"`

	// ISO 4217 code of amounts that say no currency, from the document, e.g. "USD".
	Currency string `avro:"currency" default:"USD"`
	// BCP 47 name of the language and country whose order of day and month dates are written in, from the document, e.g.
	// "en-GB". "": a date that can be read two ways is not read.
	Locale string `avro:"locale" default:""`
	// What the field mapping has beside the defaults, sorted by entity, field, provider and object.
	Mappings []FieldMapping `avro:"mappings"`
	// Strategy for fields that both sides changed, e.g. "crm_wins". "": "last_write_wins".
	ConflictDefault string `avro:"conflict_default" default:""`
	// Strategies of single fields, by the dialer's names and sorted by them, e.g. lead_status = "last_write_wins".
	ConflictFields []Field `avro:"conflict_fields"`
	// Name of the CRM that counts where two say different things at the same time, e.g. "salesforce". "": the first by our own order.
	PrimaryCRM string `avro:"primary_crm" default:""`
	// How the person of a record is found, in this order. Empty: crm_id, dialer_link, email, phone.
	Dedupe []DedupeRule `avro:"dedupe"`
	// What dispositions are in the CRMs, beside the defaults, sorted by provider and label.
	Dispositions []DispositionRule `avro:"dispositions"`
	// Which calls are logged, and how.
	Calls CallPolicy `avro:"calls"`
	// E-mails of reps in the dialer and, as values, of the same people in the CRM, sorted, e.g. "ann@dialer.example.com" =
	// "a.lee@example.com". A rep who is not here has one e-mail in both. Personal data.
	Owners []Field `avro:"owners"`
	// Which records are synced, sorted by provider and object. An object that is not here is synced whole.
	Scopes []ObjectScope `avro:"scopes"`
	// What events become in the CRMs, beside the defaults, sorted by type and provider.
	Events []EventTarget `avro:"events"`
	// When deals are moved, in the order of the document; the first that fits counts. Empty: never.
	Stages []StageRule `avro:"stages"`
}

// Account is one CRM account of a tenant.
type Account struct {
	// Name of the CRM, e.g. "salesforce", "hubspot".
	Provider string `avro:"provider"`
	// The account's id in the CRM: Salesforce's 18-character organization id, e.g. "00D5g000004abcdEAA", or HubSpot's
	// portal id, e.g. "4242". A credential of another one parks the account.
	ID string `avro:"id"`
	// Name of a base URL among the servers of the process's configuration, e.g. "sandbox". "": the CRM's own address.
	Server string `avro:"server"`
	// How the process logs in: e.g. "jwt" (Salesforce), "token" (HubSpot).
	AuthFlow string `avro:"auth_flow"`
	// Settings of the login, e.g. username, client_id, key, token. A secret stands here by reference only (P10), e.g.
	// "env:ACME_TOKEN", "file:/run/secrets/acme.pem". A user name may be a person's. Personal data.
	Auth []Field `avro:"auth"`
	// Further settings of the CRM, e.g. call_identity = "dialer_call_id" (HubSpot's unique property on calls).
	Settings []Field `avro:"settings"`
}

// Kinds of action.
const (
	// ActionReleaseHeld decides anew about a call that is held (field "call"), or about
	// all that wait for a number ("number"); "do" is "release", where nothing is said,
	// or "drop": it is not to be logged. "link" names the CRM record that the call is
	// about, as provider/object/id; "why" is kept with a call that is dropped.
	ActionReleaseHeld = "release_held"
	// ActionRedrive applies the original of a dead letter again: DeadLetter is set, or
	// the field "key" is the record_key of one.
	ActionRedrive = "redrive"
	// ActionScriptQuarantined switches one custom transform off for good: it was cut off
	// by its time limit, which is no property of the value alone, so that it may not be
	// decided anew at a replay. The field "script" is the transform's key.
	ActionScriptQuarantined = "script_quarantined"
	// ActionResolveConflict decides which value a field has that waits for a person: the
	// field "conflict" is its id, "take" is "crm", "dialer" or "value", and then "value" is
	// it, in the dialer's form; "why" is kept on sync.changes.
	ActionResolveConflict = "resolve_conflict"
	// ActionConfirmMatch makes one person of two that a conflict of the kind same_person
	// asks about: the field "conflict" is its id.
	ActionConfirmMatch = "confirm_match"
	// ActionSplitMatch says that they are not the same, and that is remembered. Without
	// "conflict" it takes a record that was linked wrongly out of a person: "person" and
	// "record", as provider/object/id, or dialer/contact/id.
	ActionSplitMatch = "split_match"
	// ActionErasePerson erases a person for privacy: the fields "person", "record" (as
	// provider/object/id), "contact", "email" or "number" say whom, "why" is kept nowhere. "salt"
	// is a random text of the sender's: the first one keys the hashes by which the tenant
	// knows that somebody was erased. "do" is "erase", where nothing is said, or "allow": what
	// record, contact, email or number name may come again.
	ActionErasePerson = "erase_person"
)

// ControlAction is a value of control.actions: one deliberate act on a tenant. It is
// done once for each ActionID.
type ControlAction struct {
	// Id of the action, chosen by who sends it, unique in the tenant for 90 days, never "", e.g. "act-2026-03-01-1". A
	// repeat does nothing.
	ActionID string `avro:"action_id"`
	// What is to be done: e.g. "release_held", "redrive", "resolve_conflict", "confirm_match", "split_match", "erase_person", "script_quarantined".
	// Any other is a dead letter.
	Kind string `avro:"kind"`
	// When somebody decided it, by the sender's clock, in ms since 1970 UTC, e.g. 1772386200000. For the record only.
	At int64 `avro:"at"`
	// Who decided it, set by the sender, e.g. "ann@example.com". It is named where a call was dropped. Personal data.
	By string `avro:"by"`
	// Arguments of the kind. release_held: call or number; do, link, why. redrive: key. script_quarantined: script, why.
	// resolve_conflict: conflict, take, value, why. confirm_match: conflict, why. split_match: conflict, or person and record; why. erase_person: person, record, contact, email or number; do, salt. E.g.
	// call = "call-7", do = "drop", why = "test call". A number is a person's. Personal data.
	Fields []Field `avro:"fields"`

	// Of a redrive: the record of dlq as it was read there; its original is applied again. Absent: the field key
	// names a write, or the kind needs none.
	DeadLetter *DeadLetter `avro:"dead_letter"`
}
