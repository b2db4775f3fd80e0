package tenants

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// What changed is said by the setting, the old value before the new one; a version, a
// time and a document are no settings.
func TestDiff(t *testing.T) {
	score := schemas.FieldMapping{Entity: "contact", Field: "score", Provider: "sf", Object: "Lead", CRMField: "Score__c", Direction: "outbound"}
	old := &schemas.TenantConfig{Version: 3, AppliedAt: 1, Document: "a", Country: "US", Mappings: []schemas.FieldMapping{score},
		Owners: []schemas.Field{schemas.Text("a@x", "b@x")}, Events: []schemas.EventTarget{{Type: "meeting_booked", Provider: "sf", Target: "event"}}}
	now := *old
	now.Version, now.Document, now.Country = 4, "b", "GB"
	score.Direction, score.Kind = "bidirectional", "number"
	now.Mappings = []schemas.FieldMapping{score, {Entity: "contact", Field: "title", Off: true}}
	now.Events = nil
	want := []string{
		`- country = "US"`, `+ country = "GB"`,
		`- events.meeting_booked.sf = "event"`,
		`- mapping.contact.score.sf.Lead.direction = "outbound"`, `+ mapping.contact.score.sf.Lead.direction = "bidirectional"`,
		`+ mapping.contact.score.sf.Lead.type = "number"`,
		`+ mapping.contact.title = "off"`,
	}
	got := Diff(old, &now)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(- wanted, + said)\n%s", d)
	}
	if d := Diff(old, old); len(d) != 0 {
		t.Errorf("nothing changed: %v", d)
	}
}

// A preview counts records whose values would be others, and the calls that takes; a
// line that is taken out clears nothing, and one that refuses a value says so.
func TestPreview(t *testing.T) {
	p := &profile.Profile{Provider: "sf", Limits: profile.Limits{Update: 2}, Objects: []profile.Object{{Name: "Lead", Mappings: []profile.Mapping{
		{Dialer: "first_name", CRM: "FirstName", Direction: profile.Bidirectional}, {Dialer: "title", CRM: "Title", Direction: profile.Bidirectional}}}}}
	base := mapping.NewBase([]*profile.Profile{p}, func(string) *time.Location { return time.UTC })
	compile := func(ms ...schemas.FieldMapping) *mapping.Compiled {
		c, problems := base.Compile(&schemas.TenantConfig{Mappings: ms})
		if bad := mapping.Errors(problems); len(bad) > 0 {
			t.Fatal(bad)
		}
		return c
	}
	view := func(ms ...schemas.FieldMapping) *Preview {
		v := NewPreview(compile(), compile(ms...), nil, []*profile.Profile{p})
		for i, name := range []string{"Ann", "Bo", "cy"} {
			v.Person(&schemas.SyncContact{PersonID: name, Fields: []schemas.Field{schemas.Text("first_name", name), {Name: "title"}}, Links: []schemas.Link{{Provider: "sf", Object: "Lead", ID: string(rune('1' + i))}}})
		}
		return v
	}
	small := schemas.FieldMapping{Entity: "contact", Field: "first_name", Transform: "lowercase"}
	want := []Touched{{Provider: "sf", Object: "Lead", Records: 2, Requests: 1, Samples: []Sample{
		{Person: "Ann", Record: "1", Field: "FirstName", Before: "Ann", After: "ann"}, {Person: "Bo", Record: "2", Field: "FirstName", Before: "Bo", After: "bo"}}}}
	if d := cmp.Diff(want, view(small).Touched()); d != "" {
		t.Error(d)
	}
	if got := view(schemas.FieldMapping{Entity: "contact", Field: "first_name", Off: true}).Touched(); len(got) != 0 {
		t.Errorf("taken out: %+v", got)
	}
	longer := schemas.FieldMapping{Entity: "contact", Field: "first_name", Validations: []schemas.Validation{{Type: "format", Pattern: "^...$", Message: "too short"}}}
	v := view(longer)
	if got := v.Touched(); v.Refused != 2 || len(got) != 1 || got[0].Records != 0 || got[0].Requests != 0 || got[0].Samples[0].Why != "too short" {
		t.Errorf("refused: %d, %+v", v.Refused, got)
	}
}
