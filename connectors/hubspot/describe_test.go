package hubspot_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/connectortest"
	"github.com/crmstream/crmstream/connectors/hubspot"
	"github.com/crmstream/crmstream/connectors/hubspot/sim"
	"github.com/crmstream/crmstream/schemas"
)

// B38: what properties a kind of record has comes as reference data, as the portal says
// it; what the token may not see holds up nothing.
func TestAKindOfRecordIsDescribed(t *testing.T) {
	server, err := sim.New(sim.Config{SearchLag: -1, Portals: []sim.PortalConfig{{ID: 62515, RateMax: 1000, Tokens: []sim.TokenConfig{{Token: token}}}}})
	if err != nil {
		t.Fatal(err)
	}
	web := connectortest.Serve(t, server.Handler(), server.Close)
	vendor := func(method, path, body string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, web.URL+"/crm/v3/properties/contacts"+path, bytes.NewBufferString(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		res, err := web.Client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); res.StatusCode != want {
			t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, b)
		}
	}
	c, err := hubspot.Provider().Open(connectors.Env{HTTP: &http.Client{}, Servers: map[string]string{"hubspot": web.URL}, Now: time.Now,
		Secret: func(context.Context, string) (string, error) { return token, nil }}, "acme",
		schemas.Account{Provider: "hubspot", ID: "62515", AuthFlow: "token", Auth: []schemas.Field{schemas.Text("token", "env:T")}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	read := func() (got *schemas.Reference, a connectors.Answer) {
		at := schemas.Attempt{ID: "0-1", Account: "62515", Kind: schemas.KindPage, Items: []schemas.AttemptItem{{Key: "~page:schema:contacts"}}, Page: &schemas.PageRequest{Source: "schema:contacts", Limit: 1}}
		a = c.Do(t.Context(), &at, time.Now().Add(time.Minute), func(_ context.Context, ch *schemas.CRMChange) error {
			if ch.Object != "schema" || ch.ID != "contacts" {
				t.Errorf("got %s %s", ch.Object, ch.ID)
			}
			got = ch.Reference
			return nil
		})
		return got, a
	}
	check := func(want map[string]string) {
		t.Helper()
		r, a := read()
		if r == nil || a.Page == nil || !a.Page.Last || r.Kind != schemas.ReferenceSchema {
			t.Fatalf("got %+v, %+v", r, a)
		}
		for name, w := range want {
			got := "none"
			for _, f := range r.Described {
				if f.Name == name {
					got = fmt.Sprintf("%s %s write=%v custom=%v %s", f.Type, f.Kind, f.Updatable && f.Creatable, f.Custom, strings.Join(f.Values, "|"))
				}
			}
			if got != w {
				t.Errorf("%s is %s, want %s", name, got, w)
			}
		}
	}
	vendor("POST", "", `{"name":"tier","label":"Tier","type":"enumeration","fieldType":"checkbox","groupName":"contactinformation",
		"options":[{"label":"A","value":"a"},{"label":"B","value":"b","hidden":true}]}`, 201)
	check(map[string]string{
		"jobtitle":            "string text write=true custom=false ",
		"hs_lead_status":      "enumeration choice write=true custom=false NEW|OPEN|IN_PROGRESS|OPEN_DEAL|UNQUALIFIED|ATTEMPTED_TO_CONTACT|CONNECTED|BAD_TIMING",
		"hubspot_owner_id":    "enumeration reference write=true custom=false ",
		"associatedcompanyid": "number number write=false custom=false ",
		"tier":                "enumeration choices write=true custom=true a",
		"no_such_thing":       "none",
	})
	vendor("PATCH", "/tier", `{"options":[{"label":"A","value":"a"},{"label":"C","value":"c"}]}`, 200)
	check(map[string]string{"tier": "enumeration choices write=true custom=true a|c"})
	vendor("DELETE", "/email", "", 400)
	vendor("DELETE", "/tier", "", 204)
	check(map[string]string{"tier": "none", "email": "string text write=true custom=false "})

	web.Own("POST", "faults", map[string]any{"kind": "status", "status": 403, "count": 1}, nil)
	if r, a := read(); r == nil || !r.Deleted || a.Page == nil || !a.Page.Last || a.Result.Error != "" {
		t.Errorf("without the scope: %+v, %+v", r, a)
	}
}
