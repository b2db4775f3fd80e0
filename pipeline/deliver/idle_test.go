package deliver

import (
	"testing"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state/mem"
)

// What a record is not to hold any more may still arrive after an attempt without an answer:
// other content waits for that (P6), and once it is over nothing is left of it.
func TestWhatWasTakenBackMayStillArrive(t *testing.T) {
	ref := pipeline.Ref{Provider: "crm", Key: "person:0"}
	for what, want := range map[string]pipeline.Intents{
		"forgotten": {Forget: []pipeline.Ref{ref}},
		"void":      {Void: []pipeline.Void{{Ref: ref, Fields: []string{"A"}}}},
	} {
		for _, later := range []bool{true, false} {
			y := newYard(t, mem.New().Store(0), profile.Limits{Update: 1, InFlight: 1})
			y.configure("acme")
			y.edit(schemas.Text("A", "1"))
			first, _ := y.one()
			y.answer(first, schemas.Unknown, schemas.ErrTransient)
			if _, err := y.d.Take(y.tx, "acme", want); err != nil {
				t.Fatal(err)
			}
			y.tx.Now = first.OverBy - 1
			y.tick()
			if later {
				y.edit(schemas.Text("B", "2"))
			}
			if began := y.tick(); len(began) != 0 {
				t.Errorf("%s: other content left while the first may arrive: %+v", what, began)
			}
			y.tx.Now = first.OverBy
			if !later {
				y.tick()
				_, left, err := y.tx.Store.Get(y.d.box(y.tx, "acme").t.Key(kindEntry, entryID("crm", "person:0")))
				if err != nil || left {
					t.Errorf("%s: something is left of it once it is over: %v", what, err)
				}
			} else if _, said := y.one(); said != "B=2 " {
				t.Errorf("%s: sent %s", what, said)
			}
		}
	}
}
