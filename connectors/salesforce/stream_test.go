package salesforce_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
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
