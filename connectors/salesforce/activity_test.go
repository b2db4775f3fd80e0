package salesforce_test

import (
	"context"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/connectors/salesforce"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

func TestWhoAndWhat(t *testing.T) {
	render := salesforce.Provider().Profile().Activity.Render
	for _, c := range []struct {
		object, account, deal, who, what string
	}{
		{"Lead", "001", "006", "P1", ""}, {"Contact", "001", "006", "P1", "006"}, {"Contact", "001", "", "P1", "001"}, {"Contact", "", "", "P1", ""},
	} {
		fields, _ := render(profile.Call{Person: schemas.Link{Object: c.object, ID: "P1"}, AccountID: c.account, DealID: c.deal})
		if m := base.Map(fields); m["WhoId"] != c.who || m["WhatId"] != c.what {
			t.Errorf("%+v: who %q, what %q", c, m["WhoId"], m["WhatId"])
		}
	}
}

// What the core wants of activities beside writing calls: what stands in a description,
// a meeting that is written twice and is one, a deal's stage, a lead whose making was
// not answered and that is found again.
func TestActivities(t *testing.T) {
	s, account, env, _ := start(t)
	c, err := salesforce.Provider().Open(env, "acme", account)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do := func(at schemas.Attempt) (schemas.ItemResult, *schemas.CRMChange) {
		t.Helper()
		var got *schemas.CRMChange
		a := c.Do(t.Context(), &at, time.Now().Add(20*time.Second), func(_ context.Context, ch *schemas.CRMChange) error { got = ch; return nil })
		if a.Result.Items[0].Error != "" {
			t.Fatalf("%s %s: %+v", at.Operation, at.Object, a.Result.Items[0])
		}
		return a.Result.Items[0], got
	}
	lead := s.write("Lead", "", map[string]any{"LastName": "Lee", "Company": "Acme"})
	p := salesforce.Provider().Profile()
	event, _ := p.TargetByName("event")
	h := profile.Happening{ID: "meeting_booked:m1", Title: "Demo", At: 1772400000000, EndsAt: 1772401800000, Person: schemas.Link{Object: "Lead", ID: lead}}
	book := func(h profile.Happening) schemas.ItemResult {
		fields, _ := event.Render(h)
		it, _ := do(schemas.Attempt{Kind: schemas.KindWrite, Operation: schemas.OpUpsert, Object: event.Object, Items: []schemas.AttemptItem{{Key: "k", IdentityField: event.IdentityField,
			Identity: h.ID, Fields: append(fields, schemas.Text(event.Body.Field, "with the team"))}}})
		return it
	}
	first := book(h)
	h.Cancelled = true
	if again := book(h); again.ID != first.ID || s.Count("org", org, "Event") != 1 {
		t.Errorf("booked as %s, called off as %s, %d events", first.ID, again.ID, s.Count("org", org, "Event"))
	}
	if _, ch := do(schemas.Attempt{Kind: schemas.KindRead, Object: "Event", Items: []schemas.AttemptItem{{Key: "r", ID: first.ID}}}); ch == nil || base.Map(ch.Record.Fields)["Description"] != "with the team" {
		t.Errorf("its description: %+v", ch)
	}
	deal := s.write("Opportunity", "", map[string]any{"Name": "20 seats", "StageName": "Prospecting", "CloseDate": "2026-12-31"})
	if _, ch := do(schemas.Attempt{Kind: schemas.KindRead, Object: p.Deal.Object, Items: []schemas.AttemptItem{{Key: "r", ID: deal}}}); ch == nil || ch.Object != "Opportunity" {
		t.Errorf("the deal: %+v", ch)
	} else if m := base.Map(ch.Record.Fields); m[p.Deal.Stage] != "Prospecting" || m[p.Deal.Closed] != "false" {
		t.Errorf("the deal: %v", m)
	}
	do(schemas.Attempt{Kind: schemas.KindWrite, Operation: schemas.OpUpdate, Object: p.Deal.Object, Items: []schemas.AttemptItem{{Key: "d", ID: deal, Fields: []schemas.Field{schemas.Text(p.Deal.Stage, "Qualification")}}}})

	fields := append([]schemas.Field{schemas.Text(p.New.Phone, "+14155550123")}, p.New.Fields...)
	make := schemas.Attempt{Kind: schemas.KindWrite, Operation: schemas.OpCreate, Object: p.New.Object, Items: []schemas.AttemptItem{{Key: "lead", Fields: fields}}}
	made, _ := do(make)
	before := "0-1"
	make.RepeatOf = &before
	if again, _ := do(make); again.ID != made.ID || again.Created {
		t.Errorf("the lead was made as %s, and again as %s", made.ID, again.ID)
	}
	make.Items[0].Fields[0] = schemas.Text(p.New.Phone, "+14155550124")
	if other, _ := do(make); other.ID == made.ID || !other.Created {
		t.Errorf("the lead of another number is %+v", other)
	}
}
