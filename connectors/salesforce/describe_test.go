package salesforce_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/salesforce"
	"github.com/crmstream/crmstream/schemas"
)

// field changes a field of the org as an admin does in Setup.
func (s simulator) field(object, field string, shape map[string]any) {
	in := map[string]any{"org": org, "object": object, "field": field}
	for k, v := range shape {
		in[k] = v
	}
	s.Own("POST", "fields", in, nil)
}

// described reads the fields of an object.
func described(t *testing.T, c connectors.Conn, object string) (*schemas.Reference, connectors.Answer) {
	t.Helper()
	var got *schemas.Reference
	at := schemas.Attempt{ID: "0-1", Account: org, Kind: schemas.KindPage, Items: []schemas.AttemptItem{{Key: "~page:schema:" + object}}, Page: &schemas.PageRequest{Source: "schema:" + object, Limit: 1}}
	a := c.Do(t.Context(), &at, time.Now().Add(time.Minute), func(_ context.Context, ch *schemas.CRMChange) error {
		if ch.Object != "schema" || ch.ID != object || got != nil {
			t.Errorf("got %s %s", ch.Object, ch.ID)
		}
		got = ch.Reference
		return nil
	})
	return got, a
}

func fieldOf(t *testing.T, r *schemas.Reference, name string) string {
	t.Helper()
	for _, f := range r.Described {
		if f.Name == name {
			return fmt.Sprintf("%s %s %d create=%v update=%v required=%v custom=%v formula=%v %s", f.Type, f.Kind, f.Length, f.Creatable, f.Updatable, f.Required, f.Custom, f.Formula,
				strings.Join(f.Values, "|"))
		}
	}
	return "none"
}

// B38: what fields an object has comes as reference data, as the org says it.
func TestAnObjectIsDescribed(t *testing.T) {
	s, account, env, _ := start(t)
	c, err := salesforce.Provider().Open(env, "acme", account)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, a := described(t, c, "Lead")
	if r == nil || a.Page == nil || !a.Page.Last || a.Page.Next != "" || r.Kind != schemas.ReferenceSchema || r.Left != 0 {
		t.Fatalf("got %+v, %+v", r, a)
	}
	for name, want := range map[string]string{
		"Title":                   "string text 128 create=true update=true required=false custom=false formula=false ",
		"LastName":                "string text 80 create=true update=true required=true custom=false formula=false ",
		"Status":                  "picklist choice 0 create=true update=true required=false custom=false formula=false Open - Not Contacted|Working - Contacted|Closed - Converted|Closed - Not Converted",
		"Dialer_AI_Score__c":      "double number 0 create=true update=true required=false custom=true formula=false ",
		"DoNotCall":               "boolean boolean 0 create=true update=true required=false custom=false formula=false ",
		"IsConverted":             "boolean boolean 0 create=false update=false required=false custom=false formula=false ",
		"Address":                 "address other 0 create=false update=false required=false custom=false formula=false ",
		"OwnerId":                 "reference reference 0 create=true update=true required=false custom=false formula=false ",
		"There_Is_No_Such_One__c": "none",
	} {
		if got := fieldOf(t, r, name); got != want {
			t.Errorf("%s is\n%s, want\n%s", name, got, want)
		}
	}
	for i := range r.Described[1:] {
		if r.Described[i].Name >= r.Described[i+1].Name {
			t.Errorf("%s stands before %s", r.Described[i].Name, r.Described[i+1].Name)
		}
	}
	s.field("Lead", "Title", map[string]any{"hidden": true})
	s.field("Lead", "Rating", map[string]any{"read_only": true, "values": []string{"Hot"}})
	s.field("Lead", "Dialer_AI_Score__c", map[string]any{"formula": true})
	s.field("Lead", "Company", map[string]any{"type": "textarea", "length": 40})
	r, _ = described(t, c, "Lead")
	for name, want := range map[string]string{
		"Title":              "none",
		"Rating":             "picklist choice 0 create=false update=false required=false custom=false formula=false Hot",
		"Dialer_AI_Score__c": "double number 0 create=false update=false required=false custom=true formula=true ",
		"Company":            "textarea text 40 create=true update=true required=true custom=false formula=false ",
	} {
		if got := fieldOf(t, r, name); got != want {
			t.Errorf("%s is now\n%s, want\n%s", name, got, want)
		}
	}
}

// An object that the org does not have holds up nothing.
func TestAnObjectThatIsNotThereIsUndescribed(t *testing.T) {
	s, account, env, _ := start(t)
	c, err := salesforce.Provider().Open(env, "acme", account)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.Own("POST", "faults", map[string]any{"kind": "status", "status": 404, "code": "NOT_FOUND", "count": 1}, nil)
	if r, a := described(t, c, "Opportunity"); r == nil || !r.Deleted || a.Page == nil || !a.Page.Last || a.Result.Error != "" {
		t.Errorf("got %+v, %+v", r, a)
	}
	if r, a := described(t, c, "User"); r != nil || a.Result.Error != schemas.ErrPermanent {
		t.Errorf("one that is no source: %+v, %+v", r, a)
	}
}

// Before an object is described, a field that the org lacks costs that field alone; once
// the core says what is not there, it is not asked for.
func TestAFieldThatTheOrgLacks(t *testing.T) {
	s, account, env, _ := start(t)
	s.write("Lead", "", map[string]any{"LastName": "Lee", "Company": "Acme", "Rating": "Hot"})
	s.field("Lead", "Title", map[string]any{"hidden": true})
	read := func(c connectors.Conn) (fields string, class string) {
		at := schemas.Attempt{ID: "0-1", Account: org, Kind: schemas.KindPage, Object: "Lead", Items: []schemas.AttemptItem{{Key: "~page:Lead"}}, Page: &schemas.PageRequest{Source: "Lead", Limit: 10}}
		a := c.Do(t.Context(), &at, time.Now().Add(time.Minute), func(_ context.Context, ch *schemas.CRMChange) error {
			for _, f := range ch.Record.Fields {
				if f.Value != nil {
					fields += f.Name + "=" + *f.Value + " "
				}
			}
			return nil
		})
		return fields, a.Result.Error
	}
	account.Settings = []schemas.Field{schemas.Text("columns.Lead", "Nick__c,Rating")}
	c, err := salesforce.Provider().Open(env, "acme", account)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for n := range 2 { // Title, then Nick__c: the org names one at a time
		if got, class := read(c); got != "" || class != schemas.ErrTransient {
			t.Fatalf("the %d. time: %q, %s", n, got, class)
		}
	}
	if got, class := read(c); class != "" || !strings.Contains(got, "LastName=Lee") || !strings.Contains(got, "Rating=Hot") {
		t.Errorf("without what it lacks: %q, %s", got, class)
	}
	account.Settings = []schemas.Field{schemas.Text("columns.Lead", "-Title,Rating")}
	c2, err := salesforce.Provider().Open(env, "acme", account)
	if err != nil {
		t.Fatal(err)
	}
	defer c2.Close()
	if got, class := read(c2); class != "" || !strings.Contains(got, "LastName=Lee") || !strings.Contains(got, "Rating=Hot") {
		t.Errorf("as the core says it: %q, %s", got, class)
	}
}
