package hubspot

import (
	"time"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/schemas/profile"
)

const name = "hubspot"

const (
	calls    = "calls"
	contacts = "contacts"
	owners   = "owners"
	owner    = "owner"

	// externalID is HubSpot's own property for a dialer's call id. It is not unique.
	externalID = "hs_call_external_id"

	batch = 100 // inputs of one batch request

	every       = 5 * time.Minute // pages only reconcile: webhooks hint at changes
	everyOwners = 15 * time.Minute
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
	}}},
	// No identity of its own: whether a portal has a unique property is a setting.
	Activity: profile.Activity{Object: calls, Render: render},
	Sources: []profile.Source{
		{Name: owners, Object: owner, Limit: batch, Every: everyOwners},
		{Name: contacts, Object: contacts, Limit: batch, Every: every},
	},
	Limits: profile.Limits{Upsert: batch, Update: batch, Create: batch, Read: batch, InFlight: 4, Gap: 110 * time.Millisecond},
}

func columns(object string) []string { return base.Columns(theProfile, object) }

// always are the properties that are read beside those.
var always = []string{"hs_merged_object_ids", "lastmodifieddate"}
