package deliver

import (
	"fmt"
	"testing"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state/mem"
)

// A partition has at most so many open attempts, whatever its tenants want; a place
// that becomes free goes to who has waited longest, and in the end all were served.
func TestOpenAttemptsOfAPartitionAreBounded(t *testing.T) {
	const tenants = 100
	d := New([]*profile.Profile{{Provider: "crm", Limits: profile.Limits{Update: 1, InFlight: 4}}})
	tx := pipeline.NewTx(0, 1000, mem.New().Store(0))
	for i := range tenants {
		name := fmt.Sprintf("t%03d", i)
		want := pipeline.Intents{Accounts: &schemas.TenantConfig{Tenant: name, Version: 1, Accounts: []schemas.Account{{Provider: "crm", ID: "o"}}}}
		for j := range 8 {
			id := fmt.Sprint(j)
			want.Writes = append(want.Writes, pipeline.Write{Provider: "crm", Object: "Lead", Key: "person:" + id, ID: id, Fields: []schemas.Field{schemas.Text("A", "b")}, Revision: 1})
		}
		if _, err := d.Take(tx, name, want); err != nil {
			t.Fatal(err)
		}
	}
	var open []*schemas.Attempt
	seen := 0
	served := make(map[string]int)
	collect := func() {
		t.Helper()
		for range 10_000 {
			tm, ok, err := pipeline.NextTimer(tx.Store, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !ok || tm.Due > tx.Now {
				break
			}
			tx.Cancel(tm)
			if _, ok, err := d.Tick(tx, tm); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
		for _, e := range tx.Effects()[seen:] {
			open = append(open, e.(pipeline.Start).Attempt)
		}
		seen = len(tx.Effects())
		if len(open) > maxOpen {
			t.Fatalf("%d attempts are open", len(open))
		}
	}
	collect()
	if len(open) != maxOpen {
		t.Fatalf("%d attempts are open at first, room is for %d", len(open), maxOpen)
	}
	for n := 0; len(open) > 0; n++ {
		at := open[0]
		open = open[1:]
		served[at.Tenant]++
		r := &schemas.AttemptResult{AttemptID: at.ID, Provider: "crm", Kind: at.Kind, Items: []schemas.ItemResult{{Key: at.Items[0].Key, Outcome: schemas.Sent}}}
		if _, err := d.Step(tx, &pipeline.Record{Tenant: at.Tenant, Decoded: r}, pipeline.Intents{}); err != nil {
			t.Fatal(err)
		}
		collect()
		if n == maxOpen-1 { // each of those that had no place at first has one by now
			have := make(map[string]bool)
			for _, at := range open {
				have[at.Tenant] = true
			}
			for i := range tenants {
				if name := fmt.Sprintf("t%03d", i); !have[name] && served[name] == 0 {
					t.Errorf("%s starves", name)
				}
			}
		}
	}
	for i := range tenants {
		if name := fmt.Sprintf("t%03d", i); served[name] != 8 {
			t.Errorf("%s: %d of 8 writes were sent", name, served[name])
		}
	}
	if _, _, _, ok, err := d.box(tx, "t000").firstInLine(); ok || err != nil {
		t.Errorf("somebody still stands in line: %v", err)
	}
	if n, err := d.box(tx, "t000").open(); n != 0 || err != nil {
		t.Errorf("%d attempts are counted as open: %v", n, err)
	}
}
