package hubspot

import (
	"slices"
	"time"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

const name = "hubspot"

const (
	outcomesOf = "dispositions"
	outcomeOf  = "disposition"
	calls      = "calls"
	contacts   = "contacts"
	companies  = "companies"
	deals      = "deals"
	meetings   = "meetings"
	tasks      = "tasks"
	company    = "associatedcompanyid" // of a contact: the primary one
	owners     = "owners"
	owner      = "owner"

	// externalID is HubSpot's own property for a dialer's call id. It is not unique.
	externalID = "hs_call_external_id"

	batch = 100 // inputs of one batch request

	every       = 5 * time.Minute // pages only reconcile: webhooks hint at changes
	everyOwners = 15 * time.Minute
	everySchema = 6 * time.Hour
)

var theProfile = &profile.Profile{
	Provider: name,
	Objects: []profile.Object{{Name: contacts, Mappings: []profile.Mapping{
		{Dialer: "first_name", CRM: "firstname", Direction: profile.Bidirectional},
		{Dialer: "last_name", CRM: "lastname", Direction: profile.Bidirectional},
		{Dialer: "email", CRM: "email", Direction: profile.Bidirectional, Role: profile.Email},
		{Dialer: "phone", CRM: "phone", Direction: profile.Bidirectional, Role: profile.Phone},
		{Dialer: "mobile_phone", CRM: "mobilephone", Direction: profile.Bidirectional, Role: profile.Phone},
		{Dialer: "company", CRM: "company", Direction: profile.Bidirectional},
		{Dialer: "title", CRM: "jobtitle", Direction: profile.Bidirectional},
		{Dialer: "lead_status", CRM: "hs_lead_status", Direction: profile.Bidirectional},
		{Dialer: "owner_email", CRM: "hubspot_owner_id", Direction: profile.Inbound, Role: profile.Owner},
		{Dialer: "last_called_at", CRM: "last_call_date", Direction: profile.Outbound, Optional: true},
		{Dialer: "call_count", CRM: "num_calls", Direction: profile.Outbound, Optional: true},
		{Dialer: "ai_score", CRM: "ai_call_score", Direction: profile.Outbound, Optional: true},
	}, AccountField: company}},
	Tables: []profile.Table{
		{Entity: schemas.EntityAccount, Name: companies, Mappings: []profile.Mapping{
			{Dialer: "name", CRM: "name", Direction: profile.Inbound},
			{Dialer: "domain", CRM: "domain", Direction: profile.Inbound},
			{Dialer: "website", CRM: "website", Direction: profile.Inbound},
			{Dialer: "phone", CRM: "phone", Direction: profile.Inbound},
			{Dialer: "industry", CRM: "industry", Direction: profile.Inbound},
			{Dialer: "owner_email", CRM: "hubspot_owner_id", Direction: profile.Inbound, Role: profile.Owner},
		}},
		{Entity: schemas.EntityOpportunity, Name: deals, Mappings: []profile.Mapping{
			{Dialer: "name", CRM: "dealname", Direction: profile.Inbound},
			{Dialer: "stage", CRM: "dealstage", Direction: profile.Inbound},
			{Dialer: "amount", CRM: "amount", Direction: profile.Inbound},
			{Dialer: "currency", CRM: "deal_currency_code", Direction: profile.Inbound},
			{Dialer: "close_date", CRM: "closedate", Direction: profile.Inbound},
			{Dialer: "closed", CRM: "hs_is_closed", Direction: profile.Inbound},
			{Dialer: "won", CRM: "hs_is_closed_won", Direction: profile.Inbound},
			{Dialer: "owner_email", CRM: "hubspot_owner_id", Direction: profile.Inbound, Role: profile.Owner},
			{Dialer: "account_id", CRM: "hs_primary_associated_company", Direction: profile.Inbound},
		}},
	},
	// No identity of its own: whether a portal has a unique property is a setting.
	Activity: profile.Activity{Object: calls, Render: render, Body: body("hs_call_body"), OwnerField: "hubspot_owner_id", RecordingField: "hs_call_recording_url", HasNumbers: true, Needs: []string{"hs_timestamp"},
		Disposition: profile.Disposition{Field: "hs_call_disposition", Listed: true, IDs: dispositions, Defaults: outcomes}},
	Targets: []profile.Target{
		{Name: "task", Object: tasks, Body: body("hs_task_body"), Render: renderTask},
		{Name: "event", Object: meetings, Body: body("hs_meeting_body"), Render: renderMeeting},
		{Name: timeline, Object: timeline, IdentityField: "id"},
		{Name: customEvent, Object: customEvent, IdentityField: "uuid"},
	},
	Events: []schemas.EventTarget{
		{Type: "meeting_booked", Provider: name, Target: "event"},
		{Type: "voicemail_dropped", Provider: name, Target: "task"},
	},
	FindsByPhone: true,
	Deal:         profile.Deal{Object: deals, Stage: "dealstage", Closed: "hs_is_closed"},
	New:          profile.NewPerson{Object: contacts, Phone: "phone"},
	Sources: slices.Concat([]profile.Source{
		{Name: owners, Object: owner, Limit: batch, Every: everyOwners},
		{Name: outcomesOf, Object: outcomeOf, Limit: batch, Every: everyOwners},
		{Name: contacts, Object: contacts, Limit: batch, Every: every},
		{Name: companies, Object: companies, Limit: batch, Every: every},
		{Name: deals, Object: deals, Limit: batch, Every: every},
	}, base.Schemas(everySchema, contacts, calls, companies, deals)),
	Limits: profile.Limits{Upsert: batch, Update: batch, Create: batch, Read: batch, InFlight: 4, Gap: 110 * time.Millisecond},
}

func body(field string) profile.Body { return profile.Body{Field: field, Max: bodyMax, HTML: true} }

// extra fields are read beside the mapped ones, or of objects that the core asks for by
// id alone.
var extra = map[string][]string{
	contacts: {company},
	calls:    {"hs_call_body"},
	meetings: {"hs_meeting_body"},
	tasks:    {"hs_task_body"},
}

func columns(object string) []string {
	if cols := base.Columns(theProfile, object, extra[object]...); cols != nil {
		return cols
	}
	return extra[object]
}

// modified is the property that says when a record was last changed.
func modified(object string) string {
	if object == contacts {
		return "lastmodifieddate"
	}
	return "hs_lastmodifieddate"
}

// always are the properties that are read beside those.
func always(object string) []string { return []string{"hs_merged_object_ids", modified(object)} }
