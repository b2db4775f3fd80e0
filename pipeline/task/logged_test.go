package task_test

import (
	"testing"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/task"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

// A call is logged once, a repeat of its revision sends nothing, and a later
// revision is an update by id (B12).
func TestCallIsLoggedOnceThenUpdated(t *testing.T) {
	p := &profile.Profile{Provider: "crm", Limits: profile.Limits{Upsert: 10, Update: 10, Create: 10, Read: 10, InFlight: 4},
		Objects: []profile.Object{{Name: "Lead", Mappings: []profile.Mapping{{Dialer: "phone", CRM: "Phone", Direction: profile.Bidirectional, Role: profile.Phone}}}},
		Activity: profile.Activity{Object: "Task", IdentityField: "Call_Id", Render: func(c profile.Call) ([]schemas.Field, []schemas.Link) {
			return []schemas.Field{schemas.Text("Disposition", c.Disposition), schemas.Text("Who", c.Person.ID)}, nil
		}}}
	k := task.New([]*profile.Profile{p})
	tx := pipeline.NewTx(0, 1_000_000, empty{})
	seen := 0
	step := func(v any) []*schemas.Attempt {
		t.Helper()
		if err := k.Step(tx, &pipeline.Record{Tenant: "acme", Decoded: v}); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			tm, ok, err := pipeline.NextTimer(tx.Store, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !ok || tm.Due > tx.Now {
				break
			}
			tx.Cancel(tm)
			if err := k.Tick(tx, tm); err != nil {
				t.Fatal(err)
			}
		}
		var out []*schemas.Attempt
		for _, e := range tx.Effects()[seen:] {
			if s, ok := e.(pipeline.Start); ok {
				out = append(out, s.Attempt)
			}
		}
		seen = len(tx.Effects())
		return out
	}
	end, connected := int64(990_000), "Connected"
	call := schemas.CallEvent{CallID: "c1", Revision: 1, Direction: schemas.Outbound, StartedAt: 900_000, EndedAt: &end, ToNumber: "+14155551234"}
	step(&schemas.TenantConfig{Tenant: "acme", Version: 1, Country: "US", TimeZone: "UTC", Accounts: []schemas.Account{{Provider: "crm", ID: "org"}}})
	if at := step(&call); len(at) != 0 {
		t.Fatalf("a call to an unknown number was sent: %+v", at)
	}
	at := step(&schemas.CRMChange{Provider: "crm", Object: "Lead", ID: "L1", Record: &schemas.RecordRead{ModifiedAt: 5, Fields: []schemas.Field{schemas.Text("Phone", "(415) 555-1234")}}})
	if len(at) != 1 || at[0].Operation != schemas.OpUpsert || at[0].Items[0].Identity != "c1" {
		t.Fatalf("released: %+v", at)
	}
	if again := step(&call); len(again) != 0 {
		t.Fatalf("a duplicate was sent: %+v", again)
	}
	step(&schemas.AttemptResult{AttemptID: at[0].ID, Provider: "crm", Kind: schemas.KindWrite, Items: []schemas.ItemResult{{Key: at[0].Items[0].Key, Outcome: schemas.Sent, ID: "T1", Linked: true}}})
	call.Revision, call.Disposition = 2, &connected
	at = step(&call)
	if len(at) != 1 || at[0].Operation != schemas.OpUpdate || at[0].Items[0].ID != "T1" || len(at[0].Items[0].Fields) != 1 {
		t.Fatalf("the edit: %+v", at)
	}
}

// empty is the committed state of a partition that never ran.
type empty struct{}

func (empty) Get(state.Key) ([]byte, bool, error) { return nil, false, nil }

func (empty) Scan(_, _ state.Key, _ func(state.Key, []byte) (bool, error)) error { return nil }
