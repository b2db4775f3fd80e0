package salesforce_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/connectortest"
	"github.com/crmstream/crmstream/connectors/salesforce"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// A position that the CRM lost is said, in a new epoch, before anything else.
func TestLostPositionIsReset(t *testing.T) {
	_, account, env, _ := start(t)
	c, err := salesforce.Provider().Open(env, "acme", account)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	enough := errors.New("enough")
	err = c.(connectors.Streamer).Stream(ctx, 3, "999999999", func(_ context.Context, ch *schemas.CRMChange) error {
		if e := ch.Stream; !e.Reset || e.Epoch != 4 || e.From != "" || e.To != "" {
			t.Errorf("got %+v", e)
		}
		return enough
	})
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

// B15: 23:30 in Los Angeles on the 15th is the 15th. B14: no WhatId beside a Lead.
func TestCallAsTask(t *testing.T) {
	zone := time.FixedZone("LA", -8*3600)
	zero := int32(0)
	fields, _ := salesforce.Provider().Profile().Activity.Render(profile.Call{StartedAt: time.Date(2026, 1, 15, 23, 30, 0, 0, zone).UnixMilli(),
		TimeZone: zone, Disposition: "Interested", Duration: &zero, Person: schemas.Link{Object: "Lead", ID: "00Q1"}, AccountID: "0011"})
	got := make(map[string]string)
	for _, f := range fields {
		got[f.Name] = *f.Value
	}
	if got["ActivityDate"] != "2026-01-15" || got["Subject"] != "Call - Interested" || got["CallDurationInSeconds"] != "0" || got["WhatId"] != "" || got["WhoId"] != "00Q1" {
		t.Errorf("got %v", got)
	}
	if id := salesforce.NormalizeID("00D000000000001"); id != org {
		t.Errorf("normalized to %s", id)
	}
}

// Whatever happens to sessions, tokens and the server, every edit comes, in order and
// with no place left out; only events that the CRM itself has lost cost an epoch.
func TestStreamOverFaults(t *testing.T) {
	for name, fault := range map[string]map[string]any{
		"unknown client":    {"kind": "unknown_client", "count": 3},
		"busy":              {"kind": "server_busy", "count": 2},
		"tokens end":        {"kind": "expire_sessions"},
		"connections break": {"kind": "drop", "contains": "/cometd/", "count": 3},
		"answers are lost":  {"kind": "drop_after_apply", "contains": "/cometd/", "count": 2},
		"gateway":           {"kind": "status", "status": 503, "contains": "/cometd/", "count": 2},
		"slow":              {"kind": "delay", "delay_ms": 20_000, "contains": "/cometd/", "count": 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, account, env, _ := startBy(t, connectortest.Inside)
				c, err := salesforce.Provider().Open(env, "acme", account)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				events := make(chan schemas.StreamEvent, 100)
				done := make(chan error, 1)
				go func() {
					done <- c.(connectors.Streamer).Stream(ctx, 1, "", func(_ context.Context, ch *schemas.CRMChange) error {
						events <- *ch.Stream
						return nil
					})
				}()
				time.Sleep(time.Second) // it follows from now on
				cursor := ""
				expect := func(id string) {
					t.Helper()
					select {
					case e := <-events:
						if e.Reset || e.Epoch != 1 || e.From != cursor || len(e.RecordIDs) != 1 || e.RecordIDs[0] != id {
							t.Fatalf("got %+v after %q, want one of %s", e, cursor, id)
						}
						cursor = e.To
					case err := <-done:
						t.Fatalf("the stream ended: %v", err)
					case <-time.After(5 * time.Minute):
						t.Fatalf("nothing came of %s", id)
					}
				}
				lead := func(n int) string {
					return s.write("Lead", "", map[string]any{"LastName": fmt.Sprint("L", n), "Company": "Acme"})
				}
				expect(lead(0))
				for round := range 3 {
					s.Fault(fault)()
					first := lead(10 * round)
					time.Sleep(500 * time.Millisecond)
					second := lead(10*round + 1)
					expect(first)
					expect(second)
				}
				s.Fault(map[string]any{"kind": "expire_events"})()
				s.Fault(map[string]any{"kind": "unknown_client"})()
				select {
				case e := <-events:
					if !e.Reset || e.Epoch != 2 {
						t.Errorf("after events were lost: %+v", e)
					}
				case <-time.After(5 * time.Minute):
					t.Error("nobody was told that events were lost")
				}
				cancel()
				<-done
			})
		})
	}
}

// Users come as reference data, page by page, with who has left.
func TestUsersPage(t *testing.T) {
	_, account, env, _ := start(t)
	c, err := salesforce.Provider().Open(env, "acme", account)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got []string
	at := schemas.Attempt{ID: "0-1", Account: account.ID, Kind: schemas.KindPage, Page: &schemas.PageRequest{Source: "users", Limit: 100}}
	a := c.Do(t.Context(), &at, time.Now().Add(time.Minute), func(_ context.Context, ch *schemas.CRMChange) error {
		got = append(got, fmt.Sprintf("%s %s", ch.Object, ch.ID))
		for _, f := range ch.Reference.Fields {
			got = append(got, f.Name+"="+*f.Value)
		}
		return nil
	})
	if a.Page == nil || !a.Page.Last || strings.Join(got, ",") != "owner 005000000000001AAA,active=true,email=admin@acme.test,id=005000000000001AAA,time_zone=America/Los_Angeles" {
		t.Errorf("got %q, %+v", got, a)
	}
}
