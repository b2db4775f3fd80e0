package hubspot_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/connectortest"
	"github.com/crmstream/crmstream/connectors/hubspot"
	"github.com/crmstream/crmstream/connectors/hubspot/sim"
	"github.com/crmstream/crmstream/schemas"
)

const token = "pat-na1-11111111-2222-3333-4444-555555555555"

func TestConformance(t *testing.T) {
	server, err := sim.New(sim.Config{SearchLag: -1, Portals: []sim.PortalConfig{{ID: 62515, UniqueCallProperty: true, RateMax: 1000,
		Tokens: []sim.TokenConfig{{Token: token}}, Owners: []sim.OwnerConfig{{ID: 1, UserID: 2, Email: "admin@acme.test"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	web := connectortest.Serve(t, server.Handler(), server.Close)
	put := func(object, id string, props map[string]string) string {
		in := map[string]any{"portal": 62515, "user": "admin@acme.test", "object": object, "properties": props}
		if id != "" {
			in["id"] = id
		}
		var out struct {
			ID string `json:"id"`
		}
		web.Own("POST", "write", in, &out)
		return out.ID
	}
	system := connectortest.System{
		Provider: hubspot.Provider(),
		Account: schemas.Account{Provider: "hubspot", ID: "62515", AuthFlow: "token", Auth: []schemas.Field{schemas.Text("token", "env:T")},
			Settings: []schemas.Field{schemas.Text("call_identity", "dialer_call_id")}},
		Env: connectors.Env{HTTP: &http.Client{}, Servers: map[string]string{"hubspot": web.URL}, Now: time.Now,
			Secret: func(context.Context, string) (string, error) { return token, nil }},
		Bad: schemas.Account{ID: "x", AuthFlow: "jwt"}, BadSettings: []string{"id", "auth_flow", "auth.token"},
		Secrets: []string{token, "Bearer"},
		Object:  "calls", Identity: "dialer_call_id", Source: "contacts", Person: "contacts",
		Fields: func(n int) []schemas.Field {
			return []schemas.Field{schemas.Text("hs_call_title", fmt.Sprint("Call ", n)), schemas.Text("hs_timestamp", "2026-01-02T03:04:05.000Z")}
		},
		BadField: schemas.Text("nonsense", "x"),
		Count:    func(object string) int { return web.Count("portal", "62515", object) },
		Create: func(object string, n int) string {
			return put(object, "", map[string]string{"lastname": fmt.Sprint("L", n)})
		},
		Edit: func(object, id string) {
			put(object, id, map[string]string{"jobtitle": fmt.Sprint(time.Now().UnixNano())})
		},
		Number: func(international, national string) []string {
			return []string{put("contacts", "", map[string]string{"lastname": "N", "phone": international}),
				put("contacts", "", map[string]string{"lastname": "N", "mobilephone": "(" + national[:3] + ") " + national[3:]})}
		},
		DropAfterApply: web.Fault(map[string]any{"kind": "drop_after_apply", "count": 1}),
		Expire:         web.Fault(map[string]any{"kind": "status", "status": 401, "count": 1}),
		Throttle:       web.Fault(map[string]any{"kind": "status", "status": 429, "count": 1}),
	}
	connectortest.Run(t, system)

	t.Run("create with links, link, adopt, poll", func(t *testing.T) {
		c, err := system.Provider.Open(system.Env, "acme", system.Account)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		person := system.Create("contacts", 1)
		links := []schemas.Link{{Provider: "hubspot", Object: "contacts", ID: person}}
		do := func(at schemas.Attempt) schemas.ItemResult {
			at.Kind, at.Object = schemas.KindWrite, "calls"
			return c.Do(t.Context(), &at, time.Now().Add(20*time.Second), nil).Result.Items[0]
		}
		item := schemas.AttemptItem{Key: "k", Associations: links, Fields: append(system.Fields(1), schemas.Text("hs_call_external_id", "call-x"))}
		made := do(schemas.Attempt{Operation: schemas.OpCreate, Items: []schemas.AttemptItem{item}})
		if made.Error != "" || !made.Linked || made.ID == "" {
			t.Fatalf("created: %+v", made)
		}
		before, count := "0-1", system.Count("calls")
		again := do(schemas.Attempt{Operation: schemas.OpCreate, RepeatOf: &before, Items: []schemas.AttemptItem{item}})
		if again.ID != made.ID || again.Error != "" || system.Count("calls") != count {
			t.Errorf("adopted: %+v, made %s", again, made.ID)
		}
		linked := do(schemas.Attempt{Operation: schemas.OpLink, Items: []schemas.AttemptItem{{Key: "k", ID: made.ID, Associations: links}}})
		if linked.Error != "" || !linked.Linked {
			t.Errorf("linked: %+v", linked)
		}
		cursor, found := "", false
		for last, polls := false, 0; polls < 2; {
			at := schemas.Attempt{Kind: schemas.KindPage, Page: &schemas.PageRequest{Source: "contacts", Cursor: cursor, Limit: 100}}
			a := c.Do(t.Context(), &at, time.Now().Add(20*time.Second), func(_ context.Context, ch *schemas.CRMChange) error {
				found = found || polls == 1 && ch.ID == person
				return nil
			})
			if a.Page == nil {
				t.Fatalf("no page: %+v", a.Result)
			}
			if cursor, last = a.Page.Next, a.Page.Last; last {
				polls++
			}
		}
		if !found {
			t.Error("the poll after the load does not reach what has just changed")
		}
	})
}
