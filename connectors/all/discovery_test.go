package all_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

// described has both CRMs asked again for all that they have, and what fields they have.
func (w *whole) described() {
	w.t.Helper()
	next := *w.cfg
	next.Version++
	w.cfg = &next
	w.step(schemas.TopicControlTenants, &next)
}

// property makes or takes away a property of HubSpot's contacts.
func (w *whole) property(method, path, body string, want int) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.web["hubspot"].URL+"/crm/v3/properties/contacts"+path, bytes.NewBufferString(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer token")
	req.Header.Set("Content-Type", "application/json")
	res, err := w.web["hubspot"].Client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != want {
		w.t.Fatalf("%s %s: %s", method, path, res.Status)
	}
}

// A field is taken away in either CRM: it is found and listed, all else is read and written
// as before, nothing is given up, and with the field there again its value is (B27).
func TestAFieldIsTakenAway(t *testing.T) {
	w := begin(t)
	tier := `{"name":"tier","label":"Tier","type":"string","fieldType":"text","groupName":"contactinformation"}`
	w.property("POST", "", tier, 201)
	cfg := *w.cfg
	w.cfg = &cfg
	cfg.Mappings = []schemas.FieldMapping{
		{Entity: schemas.EntityContact, Field: "rating", Provider: "salesforce", Object: "Lead", CRMField: "Rating"},
		{Entity: schemas.EntityContact, Field: "rating", Provider: "hubspot", Object: "contacts", CRMField: "tier"}}
	w.described()

	lead := w.lead(map[string]any{"FirstName": "Ann", "LastName": "Lee", "Company": "Example Bakery", "Email": "ann@example.com", "Title": "Baker", "Rating": "Hot"})
	var contact struct{ ID string }
	w.web["hubspot"].Own("POST", "write", map[string]any{"portal": 62515, "user": "admin@acme.test", "object": "contacts",
		"properties": map[string]string{"email": "ann@example.com", "lastname": "Lee", "jobtitle": "Baker", "tier": "Hot"}}, &contact)
	w.described()
	values := func() map[string]string {
		t.Helper()
		if alive := w.alive(); len(alive) != 1 {
			t.Fatalf("persons %v: %+v", alive, w.persons)
		}
		got := make(map[string]string)
		for _, f := range w.persons[w.alive()[0]].Fields {
			if f.Value != nil {
				got[f.Name] = *f.Value
			}
		}
		return got
	}
	stands := func(provider, param, account, object, field string) any {
		t.Helper()
		var recs []map[string]any
		w.web[provider].Own("GET", "records?"+param+"="+account+"&object="+object, nil, &recs)
		if len(recs) != 1 {
			t.Fatalf("%s has %v", provider, recs)
		}
		if props, ok := recs[0]["properties"].(map[string]any); ok {
			return props[field]
		}
		return recs[0][field]
	}
	if got := values(); got["rating"] != "Hot" || got["title"] != "Baker" {
		t.Fatalf("before: %v", got)
	}
	if got := stands("hubspot", "portal", thePortal, "contacts", "tier"); got != "Hot" {
		t.Fatalf("before: HubSpot's tier is %v", got)
	}
	for id, c := range w.items { // tier was made after the first description
		if c.Status != "resolved" {
			t.Fatalf("before: %s is %+v", id, c)
		}
	}

	shape := map[string]any{"org": theOrg, "object": "Lead", "field": "Rating", "hidden": true}
	w.web["salesforce"].Own("POST", "fields", shape, nil)
	w.property("DELETE", "/tier", "", 204)
	w.described()
	for _, id := range []string{"drift:salesforce:Lead:Rating", "drift:hubspot:contacts:tier"} {
		if c := w.items[id]; c == nil || c.Status != "open" {
			t.Errorf("%s is %+v", id, c)
		}
	}
	w.web["salesforce"].Own("POST", "write", map[string]any{"org": theOrg, "object": "Lead", "id": lead, "fields": map[string]any{"Title": "Head Baker"}}, nil)
	w.step(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: w.m.Now, CRMLink: &schemas.Link{Provider: "salesforce", Object: "Lead", ID: lead},
		Fields: []schemas.Field{schemas.Text("mobile_phone", "+14155550100"), schemas.Text("rating", "Cold")}})
	w.described()
	if got := values(); got["title"] != "Head Baker" || got["rating"] != "Cold" {
		t.Errorf("without the field: %v", got)
	}
	if got := stands("salesforce", "org", theOrg, "Lead", "MobilePhone"); got != "+14155550100" {
		t.Errorf("without the field: the mobile phone is %v", got)
	}
	if got := stands("hubspot", "portal", thePortal, "contacts", "jobtitle"); got != "Head Baker" {
		t.Errorf("without the field: HubSpot's title is %v", got)
	}

	shape["hidden"] = false
	w.web["salesforce"].Own("POST", "fields", shape, nil)
	w.property("POST", "", tier, 201)
	w.described()
	for id, c := range w.items {
		if c.Status != "resolved" {
			t.Errorf("%s is %s", id, c.Status)
		}
	}
	if got := values(); got["rating"] != "Cold" {
		t.Errorf("with the field: %v", got)
	}
	if got := stands("salesforce", "org", theOrg, "Lead", "Rating"); got != "Cold" {
		t.Errorf("with the field: it is %v", got)
	}
	if got := stands("hubspot", "portal", thePortal, "contacts", "tier"); got != "Cold" {
		t.Errorf("with the field: HubSpot's is %v", got)
	}
	if len(w.dead) != 0 {
		t.Errorf("dead letters %q", w.dead)
	}
}
