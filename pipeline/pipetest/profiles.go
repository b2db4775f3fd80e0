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

func sf() *profile.Profile {
	ms := person("FirstName", "LastName", "Email", "Phone", "MobilePhone", "DoNotCall", "OwnerId")
	return &profile.Profile{
		Provider: "sf",
		Objects:  []profile.Object{{Name: "Contact", Mappings: ms, Rank: 0, AccountField: "AccountId"}, {Name: "Lead", Mappings: ms, Rank: 1}},
		Activity: profile.Activity{Object: "Task", IdentityField: "Call_Id", Render: func(c profile.Call) ([]schemas.Field, []schemas.Link) {
			fs := []schemas.Field{schemas.Text("ActivityDate", time.UnixMilli(c.StartedAt).In(c.TimeZone).Format(time.DateOnly))}
			return append(fs, common(c, "CallDisposition", "Description", "OwnerId", "Seconds", "WhoId")...), nil
		}},
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
	return &profile.Profile{
		Provider: "hs",
		Objects:  []profile.Object{{Name: "contacts", Mappings: person("firstname", "lastname", "email", "phone", "mobilephone", "hs_dnc", "hubspot_owner_id")}},
		Activity: profile.Activity{Object: "calls", Render: func(c profile.Call) ([]schemas.Field, []schemas.Link) {
			return common(c, "hs_call_disposition", "hs_call_body", "hubspot_owner_id", "hs_call_seconds", ""), []schemas.Link{c.Person}
		}},
		Sources: []profile.Source{{Name: "contacts", Object: "contacts", Limit: 2, Every: time.Minute}},
		Limits:  profile.Limits{Upsert: 4, Update: 4, Create: 1, Read: 4, InFlight: 2},
	}
}

// common are the fields of an activity that have a value, by name, under a CRM's
// own names; "" has none.
func common(c profile.Call, disposition, notes, owner, seconds, who string) []schemas.Field {
	length := ""
	if c.Duration != nil {
		length = strconv.Itoa(int(*c.Duration))
	}
	var fs []schemas.Field
	for _, f := range []schemas.Field{schemas.Text(disposition, c.Disposition), schemas.Text(notes, c.Notes), schemas.Text(owner, c.OwnerID),
		schemas.Text(seconds, length), schemas.Text(who, c.Person.ID)} {
		if f.Name != "" && *f.Value != "" {
			fs = append(fs, f)
		}
	}
	slices.SortFunc(fs, func(a, b schemas.Field) int { return strings.Compare(a.Name, b.Name) })
	return fs
}
