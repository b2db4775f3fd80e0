package hubspot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/connectortest"
	"github.com/crmstream/crmstream/connectors/hubspot"
	"github.com/crmstream/crmstream/connectors/hubspot/sim"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Companies and deals are read by pages, by id and once more; what HubSpot computes of a
// deal comes with it.
func TestCompaniesAndDeals(t *testing.T) {
	server, err := sim.New(sim.Config{SearchLag: -1, Portals: []sim.PortalConfig{{ID: 62515, RateMax: 1000, Tokens: []sim.TokenConfig{{Token: token}}}}})
	if err != nil {
		t.Fatal(err)
	}
	web := connectortest.Serve(t, server.Handler(), server.Close)
	post := func(path string, in any) string {
		t.Helper()
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(http.MethodPost, web.URL+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var out struct {
			ID string `json:"id"`
		}
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil || out.ID == "" {
			t.Fatalf("%s: %d, %v", path, res.StatusCode, err)
		}
		return out.ID
	}
	company := post("/crm/v3/objects/companies", map[string]any{"properties": map[string]string{"name": "Globex", "industry": "FOOD"}})
	deal := post("/crm/v3/objects/deals", map[string]any{
		"properties": map[string]string{"dealname": "20 seats", "dealstage": "closedlost", "amount": "4800", "deal_currency_code": "EUR"},
		"associations": []any{map[string]any{"to": map[string]string{"id": company},
			"types": []any{map[string]any{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}}}}})
	c, err := hubspot.Provider().Open(connectors.Env{HTTP: &http.Client{}, Servers: map[string]string{"hubspot": web.URL}, Now: time.Now,
		Secret: func(context.Context, string) (string, error) { return token, nil }}, "acme",
		schemas.Account{Provider: "hubspot", ID: "62515", AuthFlow: "token", Auth: []schemas.Field{schemas.Text("token", "env:T")}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := map[string]string{
		"companies": company + " industry=FOOD name=Globex",
		"deals":     deal + " amount=4800 deal_currency_code=EUR dealname=20 seats dealstage=closedlost hs_is_closed=true hs_is_closed_won=false hs_primary_associated_company=" + company,
	}
	for object, line := range want {
		for _, at := range []schemas.Attempt{
			{Kind: schemas.KindPage, Page: &schemas.PageRequest{Source: object, Limit: 10}},
			{Kind: schemas.KindPage, Page: &schemas.PageRequest{Source: object + profile.Again, Limit: 10}},
			{Kind: schemas.KindRead, Items: []schemas.AttemptItem{{Key: "k", ID: strings.Fields(line)[0]}}},
		} {
			at.ID, at.Provider, at.Account, at.Object = "1-1", "hubspot", "62515", object
			var got, causes []string
			ans := c.Do(t.Context(), &at, time.Now().Add(10*time.Second), func(_ context.Context, ch *schemas.CRMChange) error {
				got, causes = append(got, ch.ID+some(ch.Record.Fields)), append(causes, ch.Record.Cause)
				if age := time.Since(time.UnixMilli(ch.Record.ModifiedAt)); age > time.Minute || age < -time.Minute {
					t.Errorf("%s was modified %v ago", object, age)
				}
				return nil
			})
			cause := schemas.KindRead
			if at.Page != nil {
				cause = schemas.CausePage
				if strings.HasSuffix(at.Page.Source, profile.Again) {
					cause = schemas.CauseAgain
				}
			}
			if ans.Result.Error != "" || !slices.Equal(got, []string{line}) || !slices.Equal(causes, []string{cause}) {
				t.Errorf("%s of %s: %q by %v, want %q by %s; %s %s", at.Kind, object, got, causes, line, cause, ans.Result.Error, ans.Result.Message)
			}
			if at.Page == nil {
				continue
			}
			// What changes later is found from the cursor on.
			at.Page.Cursor = ans.Page.Next
			if ans = c.Do(t.Context(), &at, time.Now().Add(10*time.Second), func(context.Context, *schemas.CRMChange) error { return nil }); ans.Result.Error != "" || !ans.Page.Last {
				t.Errorf("the page of %s after the last: %s %s", object, ans.Result.Error, ans.Result.Message)
			}
		}
	}
}

// some are the fields that have a value.
func some(fs []schemas.Field) (line string) {
	for _, f := range fs {
		if f.Value != nil {
			line += " " + f.Name + "=" + *f.Value
		}
	}
	return line
}
