package schemas

// Directions of a call.
const (
	Outbound = "outbound"
	Inbound  = "inbound"
)

// CallEvent is a value of dialer.calls: one revision of one call. A later
// revision repeats what is still true and replaces the earlier one.
type CallEvent struct {
	// The dialer's id of the call, unique in the tenant, never "", e.g. "call-7". It is what the CRM's activity is
	// known by, and what makes a repeat a repeat.
	CallID string `avro:"call_id"`
	// Number of the revision, set by the dialer: 1 for the first, higher with every edit, e.g. 2. One that is not
	// higher than the last is a duplicate, and only counted.
	Revision int64 `avro:"revision"`
	// Who called whom, set by the dialer: e.g. "outbound" (the rep called), "inbound". Anything else counts as outbound.
	Direction string `avro:"direction"`
	// When the call began, by the dialer's clock, in ms since 1970 UTC, e.g. 1772386200000. At most a day in the
	// future and thirteen months in the past, else it is a dead letter.
	StartedAt int64 `avro:"started_at"`
	// When the call ended, by the dialer's clock, in ms since 1970 UTC, e.g. 1772386320000. Absent while it runs:
	// a call with neither end nor length is held.
	EndedAt *int64 `avro:"ended_at"`
	// Length of the call in seconds, by the dialer, e.g. 120. 0 is a length. Absent: taken from ended_at, if that is there.
	DurationSeconds *int32 `avro:"duration_seconds"`
	// Calling number, as the dialer has it. E.164 is best, e.g. "+14155550100"; another form is read by the tenant's
	// country. "" or absent: unknown. Of an inbound call it is the number by which the person is found. Personal data.
	FromNumber string `avro:"from_number" default:""`
	// Called number, as the dialer has it. E.164 is best, e.g. "+14155550123"; another form is read by the tenant's
	// country. Of an outbound call it is the number by which the person is found. Personal data.
	ToNumber string `avro:"to_number"`
	// The dialer's id of the contact, as on dialer.contacts, e.g. "c-12". Absent: the dialer knows none.
	ContactID *string `avro:"contact_id"`
	// The CRM record that the rep had on the screen, set by the dialer, e.g. {salesforce, Lead, 00Q5g000007abcdEAA}. It
	// goes before contact_id and number in finding the person. Absent: none.
	CRMLink *Link `avro:"crm_link"`
	// E-mail of the rep, as the dialer knows it, e.g. "rep@example.com". The CRM's user with this e-mail owns the
	// activity. "": unknown. Personal data.
	AgentEmail string `avro:"agent_email"`
	// Outcome in the dialer's words, as the rep chose it, e.g. "Connected". Absent: none chosen.
	Disposition *string `avro:"disposition"`
	// What the rep wrote about the call, plain text, not HTML, e.g. "Asked for a demo." Absent: nothing. Personal data.
	Notes *string `avro:"notes"`
	// The dialer's id of the recording, e.g. "rec-7". The CRM gets the address at which the dialer plays it, if the tenant's
	// configuration says where that is. Absent: not recorded.
	RecordingID *string `avro:"recording_id"`
	// IANA name of the time zone in which the rep works, e.g. "America/Denver": the activity's date is that zone's
	// day. Absent: the zone of the rep's user in the CRM, where it says one, else the tenant's.
	TimeZone *string `avro:"time_zone"`
	// Quality of the call, from 0 to 100, as the dialer rates it, e.g. 87.5. Absent: not rated.
	Score *float64 `avro:"score"`
	// What kind of call it was, in the dialer's words, e.g. "missed", "voicemail". A tenant may have kinds that are not logged. "": an
	// ordinary one.
	Kind string `avro:"kind" default:""`
	// What was said, summed up by machine, plain text, e.g. "Spoke about their current tool." Absent: no summary. Personal data.
	Summary *string `avro:"summary"`
	// The points that matter, by machine, one each, without a mark before it, e.g. ["Budget is confirmed"]. Empty: none. Personal data.
	KeyPoints []string `avro:"key_points"`
	// What is to be done next, by machine, one each, e.g. ["Send the case study"]. One that begins with "- [x] " is done. Empty: none.
	// Personal data.
	NextSteps []string `avro:"next_steps"`
	// Mood of the other party, by machine, e.g. "positive", "neutral", "negative". Absent: not rated.
	Sentiment *string `avro:"sentiment"`
	// How much of the talking the rep did, in percent, from 0 to 100, by machine, e.g. 38. The rest is the other party's. Absent: not known.
	TalkRatioAgent *float64 `avro:"talk_ratio_agent"`
	// Name of the rep, as people know it, e.g. "Ann Lee". It stands in the text where the CRM has no user for agent_email. "": the e-mail
	// stands there. Personal data.
	AgentName string `avro:"agent_name" default:""`
	// The deal that the call is about, set by the dialer, e.g. {salesforce, Opportunity, 0065g000007abcdAAA}. Absent: none, or the dialer
	// does not know.
	Deal *Link `avro:"deal"`
	// Address of the recording that runs out, made by the dialer, e.g. "https://rec.example.com/7?sig=…". It is sent only where the tenant
	// chose signed addresses. Absent: the dialer made none.
	RecordingURL *string `avro:"recording_url"`
}

// ContactChange is a value of dialer.contacts: what changed in one contact of the
// dialer.
type ContactChange struct {
	// The dialer's id of the contact, unique in the tenant, never "", e.g. "c-12".
	ContactID string `avro:"contact_id"`
	// When the change was made, by the dialer's clock, in ms since 1970 UTC, e.g. 1772386200000. Of two values of one
	// field the later one wins; a time in the future counts as now.
	ModifiedAt int64 `avro:"modified_at"`
	// Only what changed, named as in sync.contacts, e.g. first_name, last_name, email, phone, mobile_phone, company,
	// title, lead_status, do_not_call. A null value clears the field in sync.contacts. Personal data.
	Fields []Field `avro:"fields"`
	// True: the contact was deleted in the dialer. Nothing is deleted in a CRM. False: it is there.
	Deleted bool `avro:"deleted"`
	// The CRM record that the dialer has for the contact, e.g. {hubspot, contacts, 51}. It finds the person of a contact
	// that is new. Absent: none.
	CRMLink *Link `avro:"crm_link"`
}

// DialerEvent is a value of dialer.events: everything that a dialer says beside
// calls and contacts, told apart by Type. dnc_changed has the field do_not_call and a
// ContactID. call_ended, call_updated, disposition_changed and score_ready edit a call:
// they have a CallID and what was edited: disposition, notes, score, recording_id,
// recording_url, duration_seconds, ended_at, agent_email, agent_name, summary,
// key_points and next_steps (an item a line), sentiment, talk_ratio_agent; and revision, if the dialer numbers its edits. meeting_booked has the
// field meeting_id and may have title, starts_at, ends_at, location, notes,
// agent_email and status ("cancelled" takes it back); the same meeting_id again changes
// it. voicemail_dropped, ai_coaching and session_ended have what they are called by
// (name, notes, agent_email, …) and become what the tenant's configuration says.
type DialerEvent struct {
	// The dialer's id of the event, e.g. "ev-31". Of voicemail_dropped, ai_coaching and session_ended it makes a repeat a repeat; of the
	// others nothing is decided by it.
	EventID string `avro:"event_id"`
	// What happened, set by the dialer: e.g. "dnc_changed", "call_updated", "meeting_booked", "voicemail_dropped". One that is not known
	// is a dead letter.
	Type string `avro:"type"`
	// When it happened, by the dialer's clock, in ms since 1970 UTC, e.g. 1772386200000. A time in the future counts as now.
	At int64 `avro:"at"`
	// The dialer's id of the call that it is about, e.g. "call-7". Needed where a call is edited; of the others it finds the person.
	CallID *string `avro:"call_id"`
	// The dialer's id of the contact, e.g. "c-12". dnc_changed needs it, or the field phone; of others it finds the person.
	ContactID *string `avro:"contact_id"`
	// Only what changed, by the names that the type has, e.g. do_not_call = "false", notes = "Call back on Monday".
	// Instants in them are ms since 1970 UTC as text. A null value clears the field. Personal data.
	Fields []Field `avro:"fields"`
}
