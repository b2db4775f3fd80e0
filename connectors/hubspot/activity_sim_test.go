package hubspot_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/connectors/connectortest"
	"github.com/crmstream/crmstream/connectors/hubspot"
	"github.com/crmstream/crmstream/connectors/hubspot/sim"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// What the core wants of calls beside writing them: links to the company and the deal,
// what stands in a body, a deal's stage, the portal's dispositions, a contact whose making
// was not answered and that is found again.
func TestActivities(t *testing.T) {
	server, err := sim.New(sim.Config{SearchLag: -1, Portals: []sim.PortalConfig{{ID: 62515, UniqueCallProperty: true, RateMax: 1000,
		Tokens: []sim.TokenConfig{{Token: token}}, Owners: []sim.OwnerConfig{{ID: 1, UserID: 2, Email: "admin@acme.test"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	web := connectortest.Serve(t, server.Handler(), server.Close)
	put := func(object string, props map[string]string) string {
		var out struct {
			ID string `json:"id"`
		}
		web.Own("POST", "write", map[string]any{"portal": 62515, "user": "admin@acme.test", "object": object, "properties": props}, &out)
		return out.ID
	}
	account := schemas.Account{Provider: "hubspot", ID: "62515", AuthFlow: "token", Auth: []schemas.Field{schemas.Text("token", "env:T")}}
	c, err := hubspot.Provider().Open(connectors.Env{HTTP: &http.Client{}, Servers: map[string]string{"hubspot": web.URL}, Now: time.Now,
		Secret: func(context.Context, string) (string, error) { return token, nil }}, "acme", account)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do := func(at schemas.Attempt) (connectors.Answer, []*schemas.CRMChange) {
		t.Helper()
		var got []*schemas.CRMChange
		a := c.Do(t.Context(), &at, time.Now().Add(20*time.Second), func(_ context.Context, ch *schemas.CRMChange) error { got = append(got, ch); return nil })
		if a.Result.Error != "" || len(a.Result.Items) > 0 && a.Result.Items[0].Error != "" {
			t.Fatalf("%s %s: %+v", at.Operation, at.Object, a.Result)
		}
		return a, got
	}
	item := func(it schemas.AttemptItem) []schemas.AttemptItem { return []schemas.AttemptItem{it} }
	contact, company, deal := put("contacts", map[string]string{"lastname": "Lee"}), put("companies", map[string]string{"name": "Acme"}), put("deals", map[string]string{"dealname": "20 seats", "dealstage": "contractsent"})
	links := []schemas.Link{{Object: "contacts", ID: contact}, {Object: "companies", ID: company}, {Object: "deals", ID: deal}}
	fields := []schemas.Field{schemas.Text("hs_call_body", "a<br>b"), schemas.Text("hs_call_title", "Call"), schemas.Text("hs_timestamp", "2026-01-02T03:04:05.000Z")}

	made, _ := do(schemas.Attempt{Kind: schemas.KindWrite, Operation: schemas.OpCreate, Object: "calls", Items: item(schemas.AttemptItem{Key: "k", Fields: fields, Associations: links})})
	if it := made.Result.Items[0]; !it.Linked {
		t.Errorf("created with links: %+v", it)
	}
	upserted, _ := do(schemas.Attempt{Kind: schemas.KindWrite, Operation: schemas.OpUpsert, Object: "calls", Items: item(schemas.AttemptItem{Key: "k", IdentityField: "dialer_call_id", Identity: "c2", Fields: fields})})
	id := upserted.Result.Items[0].ID
	if linked, _ := do(schemas.Attempt{Kind: schemas.KindWrite, Operation: schemas.OpLink, Object: "calls", Items: item(schemas.AttemptItem{Key: "k", ID: id, Associations: links})}); !linked.Result.Items[0].Linked {
		t.Errorf("linked afterwards: %+v", linked.Result.Items[0])
	}
	if _, got := do(schemas.Attempt{Kind: schemas.KindRead, Object: "calls", Items: item(schemas.AttemptItem{Key: "r", ID: id})}); len(got) != 1 || base.Map(got[0].Record.Fields)["hs_call_body"] != "a<br>b" {
		t.Errorf("its body: %+v", got)
	}
	if _, got := do(schemas.Attempt{Kind: schemas.KindRead, Object: "deals", Items: item(schemas.AttemptItem{Key: "r", ID: deal})}); len(got) != 1 || base.Map(got[0].Record.Fields)["dealstage"] != "contractsent" {
		t.Errorf("the deal: %+v", got)
	}
	labels := make(map[string]string)
	_, got := do(schemas.Attempt{Kind: schemas.KindPage, Page: &schemas.PageRequest{Source: "dispositions", Limit: 100}})
	for _, ch := range got {
		labels[base.Map(ch.Reference.Fields)["label"]] = ch.ID
	}
	for _, want := range hubspot.Provider().Profile().Activity.Disposition.IDs { // those that every portal has
		if labels[want.Name] != *want.Value {
			t.Errorf("%s is %q, want %q", want.Name, labels[want.Name], *want.Value)
		}
	}
	create := schemas.Attempt{Kind: schemas.KindWrite, Operation: schemas.OpCreate, Object: "contacts", Items: item(schemas.AttemptItem{Key: "lead", Fields: []schemas.Field{schemas.Text("phone", "+14155550123")}})}
	first, _ := do(create)
	before := "0-1"
	create.RepeatOf = &before
	if again, _ := do(create); again.Result.Items[0].ID != first.Result.Items[0].ID {
		t.Errorf("the contact was made as %s, and again as %s", first.Result.Items[0].ID, again.Result.Items[0].ID)
	}

	target, _ := hubspot.Provider().Profile().TargetByName("event")
	render, _ := target.Render(profile.Happening{ID: "meeting_booked:m1", Title: "Demo", At: 1772400000000, EndsAt: 1772401800000})
	meeting := schemas.Attempt{Kind: schemas.KindWrite, Operation: schemas.OpCreate, Object: target.Object, Items: item(schemas.AttemptItem{Key: "m", Fields: append(render, schemas.Text(target.Body.Field, "a<br>b")), Associations: links})}
	booked, _ := do(meeting)
	meeting.RepeatOf = &before
	if again, _ := do(meeting); !booked.Result.Items[0].Linked || again.Result.Items[0].ID != booked.Result.Items[0].ID {
		t.Errorf("the meeting was made as %+v, and again as %s", booked.Result.Items[0], again.Result.Items[0].ID)
	}
	if _, got := do(schemas.Attempt{Kind: schemas.KindRead, Object: target.Object, Items: item(schemas.AttemptItem{Key: "r", ID: booked.Result.Items[0].ID})}); len(got) != 1 || base.Map(got[0].Record.Fields)[target.Body.Field] != "a<br>b" {
		t.Errorf("its body: %+v", got)
	}

	// Events that are no records, each sent twice: it is there once.
	type occurrence struct {
		Kind, Name, ID string
		ObjectID       int64
		Properties     map[string]string
	}
	push := func(object string) (got []occurrence) {
		for range 2 {
			do(schemas.Attempt{Kind: schemas.KindWrite, Operation: schemas.OpUpsert, Object: object, Items: item(schemas.AttemptItem{Key: "e", IdentityField: "uuid", Identity: "drop-1",
				Associations: links[:1], Fields: []schemas.Field{schemas.Text("@at", "2026-01-02T03:04:05.000Z"), schemas.Text("script", "Spring offer")}})})
		}
		web.Own("GET", "occurrences?portal=62515", nil, &got)
		return got
	}
	if got := push("custom_event:pe62515_drop"); len(got) != 1 || got[0].Name != "pe62515_drop" || strconv.FormatInt(got[0].ObjectID, 10) != contact || got[0].Properties["script"] != "Spring offer" {
		t.Errorf("custom events %+v", got)
	}
	if got := push("timeline:77"); len(got) != 2 || got[1].Kind != "timeline" || got[1].ID != "drop-1" || got[1].Properties["script"] != "Spring offer" {
		t.Errorf("with timeline events %+v", got)
	}
}
