package salesforce

import (
	"slices"
	"time"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

const name = "salesforce"

// CallField is the unique external id on Task that carries the dialer's call id. It
// is defined on Activity and must be visible to the integration's user.
const CallField = "Dialer_Call_Id__c"

const (
	lead        = "Lead"
	contact     = "Contact"
	opportunity = "Opportunity"
	company     = "Account"
	task        = "Task"
	users       = "users"
	owner       = "owner"
	who         = "WhoId" // of an activity, its person

	batch = 200 // records of one Collections request, one trigger batch

	every      = time.Minute // pages only reconcile: changes are pushed
	everyUsers = 15 * time.Minute
	everyTable = 5 * time.Minute
	// What fields there are changes seldom, and each answer is a whole table.
	everySchema = 6 * time.Hour
)

func person(isLead bool) []profile.Mapping {
	m := []profile.Mapping{
		{Dialer: "first_name", CRM: "FirstName", Direction: profile.Bidirectional, MaxLength: 40},
		{Dialer: "last_name", CRM: "LastName", Direction: profile.Bidirectional, MaxLength: 80},
		{Dialer: "email", CRM: "Email", Direction: profile.Bidirectional, Role: profile.Email, MaxLength: 80},
		{Dialer: "phone", CRM: "Phone", Direction: profile.Bidirectional, Role: profile.Phone, MaxLength: 40},
		{Dialer: "mobile_phone", CRM: "MobilePhone", Direction: profile.Bidirectional, Role: profile.Phone, MaxLength: 40},
	}
	if isLead {
		m = append(m,
			profile.Mapping{Dialer: "company", CRM: "Company", Direction: profile.Bidirectional, MaxLength: 255},
			profile.Mapping{Dialer: "lead_status", CRM: "Status", Direction: profile.Bidirectional, MaxLength: 255})
	} else {
		m = append(m, profile.Mapping{Dialer: "company", CRM: "Account.Name", Direction: profile.Inbound, MaxLength: 255})
	}
	return append(m,
		profile.Mapping{Dialer: "title", CRM: "Title", Direction: profile.Bidirectional, MaxLength: 128},
		profile.Mapping{Dialer: "owner_email", CRM: "OwnerId", Direction: profile.Inbound, Role: profile.Owner},
		profile.Mapping{Dialer: "do_not_call", CRM: "DoNotCall", Direction: profile.Bidirectional, Role: profile.DoNotCall},
		profile.Mapping{Dialer: "last_called_at", CRM: "Dialer_Last_Called__c", Direction: profile.Outbound, Optional: true},
		profile.Mapping{Dialer: "call_count", CRM: "Dialer_Call_Count__c", Direction: profile.Outbound, Optional: true},
		profile.Mapping{Dialer: "ai_score", CRM: "Dialer_AI_Score__c", Direction: profile.Outbound, Optional: true},
	)
}

// kinds of JSON value of the fields that are not text.
var kinds = map[string]byte{
	"CallDurationInSeconds": 'n', "DoNotCall": 'b',
	"Dialer_Call_Count__c": 'n', "Dialer_AI_Score__c": 'n',
}

// extra fields are read beside the mapped ones: what tells a conversion (B6).
var extra = map[string][]string{
	lead:    {"IsConverted", "ConvertedContactId", "ConvertedAccountId"},
	contact: {"AccountId"},
	// What the core asks for by id alone.
	task:    {description.Field, who},
	"Event": {description.Field, who},
}

var theProfile = &profile.Profile{
	Provider: name,
	Objects: []profile.Object{
		{Name: contact, Mappings: person(false), Rank: 0, AccountField: "AccountId"},
		{Name: lead, Mappings: person(true), Rank: 1, Conversion: &profile.Conversion{To: contact, ID: "ConvertedContactId", Account: "ConvertedAccountId",
			Refused: "CANNOT_UPDATE_CONVERTED_LEAD"}},
	},
	Tables: []profile.Table{
		{Entity: schemas.EntityAccount, Name: company, Relation: "Account.", Mappings: []profile.Mapping{
			{Dialer: "name", CRM: "Name", Direction: profile.Inbound},
			{Dialer: "website", CRM: "Website", Direction: profile.Inbound},
			{Dialer: "phone", CRM: "Phone", Direction: profile.Inbound},
			{Dialer: "industry", CRM: "Industry", Direction: profile.Inbound},
			{Dialer: "owner_email", CRM: "OwnerId", Direction: profile.Inbound, Role: profile.Owner},
		}},
		{Entity: schemas.EntityOpportunity, Name: opportunity, Mappings: []profile.Mapping{
			{Dialer: "name", CRM: "Name", Direction: profile.Inbound},
			{Dialer: "stage", CRM: "StageName", Direction: profile.Inbound},
			{Dialer: "amount", CRM: "Amount", Direction: profile.Inbound},
			// Only orgs with several currencies have it.
			{Dialer: "currency", CRM: "CurrencyIsoCode", Direction: profile.Inbound, Optional: true},
			{Dialer: "close_date", CRM: "CloseDate", Direction: profile.Inbound},
			{Dialer: "closed", CRM: "IsClosed", Direction: profile.Inbound},
			{Dialer: "won", CRM: "IsWon", Direction: profile.Inbound},
			{Dialer: "owner_email", CRM: "OwnerId", Direction: profile.Inbound, Role: profile.Owner},
			{Dialer: "account_id", CRM: "AccountId", Direction: profile.Inbound},
		}},
	},
	Activity: profile.Activity{Object: task, IdentityField: CallField, Render: render, Body: description, OwnerField: "OwnerId", PersonField: who, Needs: []string{who},
		Disposition: profile.Disposition{Field: "CallDisposition", Max: dispositionMax, Defaults: dispositions}},
	// A custom field of Activity is one of Task and of Event.
	Targets: []profile.Target{
		{Name: "task", Object: task, IdentityField: CallField, Body: description, Render: renderTask},
		{Name: "event", Object: "Event", IdentityField: CallField, Body: description, Render: renderEvent},
	},
	Events: []schemas.EventTarget{
		{Type: "meeting_booked", Provider: name, Target: "event"},
		{Type: "voicemail_dropped", Provider: name, Target: "task"},
	},
	FindsByPhone: true,
	Deal:         profile.Deal{Object: opportunity, Stage: "StageName", Listed: true, Closed: "IsClosed"},
	Member:       profile.Member{Object: "CampaignMember", Campaign: "CampaignId", Person: map[string]string{lead: "LeadId", contact: "ContactId"}},
	New: profile.NewPerson{Object: lead, Phone: "Phone", Fields: []schemas.Field{
		schemas.Text("Company", "Unknown"), schemas.Text("LastName", "Unknown")}},
	Sources: slices.Concat([]profile.Source{
		{Name: users, Object: owner, Limit: batch, Every: everyUsers},
		{Name: lead, Object: lead, Limit: batch, Every: every},
		{Name: contact, Object: contact, Limit: batch, Every: every},
		{Name: company, Object: company, Limit: batch, Every: everyTable},
		{Name: opportunity, Object: opportunity, Limit: batch, Every: everyTable},
	}, base.Schemas(everySchema, contact, lead, task, company, opportunity)),
	Limits:      profile.Limits{Upsert: batch, Update: batch, Create: batch, Read: batch, InFlight: 4},
	NormalizeID: NormalizeID,
}

// NormalizeID returns the 18-character form of a record id; anything that is no
// 15-character id comes back as it is.
func NormalizeID(id string) string {
	if len(id) != 15 {
		return id
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	out := []byte(id)
	for chunk := range 3 {
		bits := 0
		for i := range 5 {
			c := id[chunk*5+i]
			switch {
			case c >= 'A' && c <= 'Z':
				bits |= 1 << i
			case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			default:
				return id
			}
		}
		out = append(out, letters[bits])
	}
	return string(out)
}
