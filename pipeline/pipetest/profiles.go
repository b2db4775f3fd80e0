package pipetest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Profiles returns two CRMs in the manner of those that exist: "sf" knows an
// external id and has fields for links; "hs" is read by pages, links by association,
// and has no external id for calls unless the account's setting call_identity names
// one. Batches are small, so that scripts can fill them.
func Profiles() []*profile.Profile { return []*profile.Profile{sf(), hs()} }

func person(names ...string) []profile.Mapping {
	both := profile.Bidirectional
	return []profile.Mapping{
		{Dialer: "first_name", CRM: names[0], Direction: both, MaxLength: 40},
		{Dialer: "last_name", CRM: names[1], Direction: both, MaxLength: 80},
		{Dialer: "email", CRM: names[2], Direction: both, Role: profile.Email},
		{Dialer: "phone", CRM: names[3], Direction: both, Role: profile.Phone},
		{Dialer: "mobile_phone", CRM: names[4], Direction: both, Role: profile.Phone},
		{Dialer: "do_not_call", CRM: names[5], Direction: both, Role: profile.DoNotCall},
		{Dialer: "owner_email", CRM: names[6], Direction: profile.Inbound, Role: profile.Owner},
	}
}

// counters are fields that a CRM has only where somebody made them.
func counters(names ...string) []profile.Mapping {
	return []profile.Mapping{
		{Dialer: "call_count", CRM: names[0], Direction: profile.Outbound, Optional: true},
		{Dialer: "last_called_at", CRM: names[1], Direction: profile.Outbound, Optional: true},
		{Dialer: "ai_score", CRM: names[2], Direction: profile.Outbound, Optional: true},
	}
}

func sf() *profile.Profile {
	ms := append(person("FirstName", "LastName", "Email", "Phone", "MobilePhone", "DoNotCall", "OwnerId"), counters("Calls", "LastCalled", "Score")...)
	text := profile.Body{Field: "Description"}
	what := func(fs []schemas.Field, person schemas.Link, account, deal string) []schemas.Field {
		if deal != "" {
			account = deal
		}
		if person.Object == "Lead" {
			account = ""
		}
		return some(append(fs, schemas.Text("WhoId", person.ID), schemas.Text("WhatId", account)))
	}
	return &profile.Profile{
		Provider: "sf",
		Tables:   tables("Account", "Opportunity", "Account.", "AccountId", "StageName", "IsClosed"),
		Objects: []profile.Object{
			{Name: "Contact", Mappings: append(slices.Clone(ms), profile.Mapping{Dialer: "company", CRM: "Account.Name", Direction: profile.Inbound}), Rank: 0, AccountField: "AccountId"},
			{Name: "Lead", Mappings: ms, Rank: 1,
				Conversion: &profile.Conversion{To: "Contact", ID: "ConvertedContactId", Account: "ConvertedAccountId", Refused: "CONVERTED"}},
		},
		Activity: profile.Activity{Object: "Task", IdentityField: "Call_Id", Body: text, Disposition: profile.Disposition{Field: "CallDisposition", Max: 40,
			Defaults: []profile.DispositionDefault{{Label: "Voicemail", Fields: []schemas.Field{schemas.Text("CallDisposition", "Left Voicemail")}}}},
			OwnerField: "OwnerId", PersonField: "WhoId", HasNumbers: true, Needs: []string{"WhoId"}, Render: func(c profile.Call) ([]schemas.Field, []schemas.Link) {
				return what([]schemas.Field{schemas.Text("ActivityDate", time.UnixMilli(c.StartedAt).In(c.TimeZone).Format(time.DateOnly)), schemas.Text("OwnerId", c.OwnerID),
					schemas.Text("Seconds", length(c))}, c.Person, c.AccountID, c.DealID), nil
			}},
		Targets: []profile.Target{
			{Name: "task", Object: "Task", IdentityField: "Call_Id", Body: text, Render: func(h profile.Happening) ([]schemas.Field, []schemas.Link) {
				return what([]schemas.Field{schemas.Text("Subject", h.Title), schemas.Text("OwnerId", h.OwnerID)}, h.Person, h.AccountID, h.DealID), nil
			}},
			{Name: "event", Object: "Event", IdentityField: "Call_Id", Body: text, Render: func(h profile.Happening) ([]schemas.Field, []schemas.Link) {
				return what(append(meeting(h, "Subject", "Start", "End", "Outcome"), schemas.Text("OwnerId", h.OwnerID)), h.Person, h.AccountID, h.DealID), nil
			}},
		},
		Events: []schemas.EventTarget{{Type: "meeting_booked", Provider: "sf", Target: "event"}, {Type: "voicemail_dropped", Provider: "sf", Target: "task"}},
		Deal:   profile.Deal{Object: "Opportunity", Stage: "StageName", Listed: true, Closed: "IsClosed"},
		Member: profile.Member{Object: "CampaignMember", Campaign: "CampaignId", Person: map[string]string{"Lead": "LeadId", "Contact": "ContactId"}},
		New:    profile.NewPerson{Object: "Lead", Phone: "Phone", Fields: []schemas.Field{schemas.Text("LastName", "Unknown")}},
		Limits: profile.Limits{Upsert: 4, Update: 4, Create: 2, Read: 4, InFlight: 2},
		NormalizeID: func(id string) string {
			if id == "poison" {
				panic("an id on which the rules panic")
			}
			return strings.TrimPrefix(id, "short-")
		},
	}
}

func hs() *profile.Profile {
	ms := append(person("firstname", "lastname", "email", "phone", "mobilephone", "hs_dnc", "hubspot_owner_id"), counters("calls", "last_called", "score")...)
	linked := func(person schemas.Link, company, deal string) []schemas.Link {
		ls := []schemas.Link{person}
		if company != "" {
			ls = append(ls, schemas.Link{Provider: "hs", Object: "companies", ID: company})
		}
		if deal != "" {
			ls = append(ls, schemas.Link{Provider: "hs", Object: "deals", ID: deal})
		}
		return ls
	}
	return &profile.Profile{
		Provider: "hs",
		Tables:   tables("companies", "deals", "", "hs_company", "dealstage", "hs_is_closed"),
		Objects:  []profile.Object{{Name: "contacts", Mappings: ms, AccountField: "companyid"}},
		Activity: profile.Activity{Object: "calls", Body: profile.Body{Field: "hs_call_body", HTML: true, Max: 600}, OwnerField: "hubspot_owner_id", RecordingField: "hs_recording", HasNumbers: true,
			Disposition: profile.Disposition{Field: "hs_call_disposition", Listed: true, IDs: []schemas.Field{schemas.Text("Connected", "guid-connected"), schemas.Text("Left voicemail", "guid-voicemail")},
				Defaults: []profile.DispositionDefault{{Label: "Voicemail", Fields: []schemas.Field{schemas.Text("hs_call_disposition", "left-voicemail")}}}},
			Render: func(c profile.Call) ([]schemas.Field, []schemas.Link) {
				return some([]schemas.Field{schemas.Text("hs_call_seconds", length(c)), schemas.Text("hs_recording", c.RecordingURL), schemas.Text("hubspot_owner_id", c.OwnerID)}),
					linked(c.Person, c.AccountID, c.DealID)
			}},
		Targets: []profile.Target{{Name: "event", Object: "meetings", Body: profile.Body{Field: "hs_meeting_body", HTML: true, Max: 400}, Render: func(h profile.Happening) ([]schemas.Field, []schemas.Link) {
			return some(append(meeting(h, "hs_meeting_title", "start", "end", "outcome"), schemas.Text("hubspot_owner_id", h.OwnerID))), linked(h.Person, h.AccountID, h.DealID)
		}}, {Name: "custom_event", Object: "custom_event", IdentityField: "uuid"}},
		Events:  []schemas.EventTarget{{Type: "meeting_booked", Provider: "hs", Target: "event"}},
		Deal:    profile.Deal{Object: "deals", Stage: "dealstage", Closed: "hs_is_closed"},
		New:     profile.NewPerson{Object: "contacts", Phone: "phone"},
		Sources: []profile.Source{{Name: "contacts", Object: "contacts", Limit: 2, Every: time.Minute}},
		Limits:  profile.Limits{Upsert: 4, Update: 4, Create: 1, Read: 4, InFlight: 2},
	}
}

// tables are the companies and the deals of a CRM.
func tables(account, deal, relation string, companyOf ...string) []profile.Table {
	in := profile.Inbound
	return []profile.Table{
		{Entity: schemas.EntityAccount, Name: account, Relation: relation, Mappings: []profile.Mapping{
			{Dialer: "name", CRM: "Name", Direction: in}, {Dialer: "industry", CRM: "Industry", Direction: in}, {Dialer: "owner_email", CRM: "OwnerId", Direction: in, Role: profile.Owner}}},
		{Entity: schemas.EntityOpportunity, Name: deal, Mappings: []profile.Mapping{
			{Dialer: "name", CRM: "Name", Direction: in}, {Dialer: "stage", CRM: companyOf[1], Direction: in}, {Dialer: "amount", CRM: "Amount", Direction: in},
			{Dialer: "currency", CRM: "Currency", Direction: in}, {Dialer: "closed", CRM: companyOf[2], Direction: in}, {Dialer: "owner_email", CRM: "OwnerId", Direction: in, Role: profile.Owner},
			{Dialer: "account_id", CRM: companyOf[0], Direction: in}}},
	}
}

// paged gives both CRMs a source for each kind of record.
func paged(ps []*profile.Profile) {
	for _, p := range ps {
		p.Sources = nil
		for i := range p.Objects {
			p.Sources = append(p.Sources, profile.Source{Name: p.Objects[i].Name, Object: p.Objects[i].Name, Limit: 2, Every: time.Hour})
		}
		for i := range p.Tables {
			p.Sources = append(p.Sources, profile.Source{Name: p.Tables[i].Name, Object: p.Tables[i].Name, Limit: 2, Every: time.Hour})
		}
	}
}

func length(c profile.Call) string {
	if c.Duration == nil {
		return ""
	}
	return strconv.Itoa(int(*c.Duration))
}

func meeting(h profile.Happening, title, start, end, outcome string) []schemas.Field {
	clock := func(ms int64) string {
		if ms == 0 {
			return ""
		}
		return time.UnixMilli(ms).UTC().Format("15:04")
	}
	state := "scheduled"
	if h.Cancelled {
		state = "cancelled"
	}
	return []schemas.Field{schemas.Text(title, h.Title), schemas.Text(start, clock(h.At)), schemas.Text(end, clock(h.EndsAt)), schemas.Text(outcome, state)}
}

// some are the fields that have a value, by name.
func some(fs []schemas.Field) []schemas.Field {
	fs = slices.DeleteFunc(fs, func(f schemas.Field) bool { return *f.Value == "" })
	slices.SortFunc(fs, func(a, b schemas.Field) int { return strings.Compare(a.Name, b.Name) })
	return fs
}
