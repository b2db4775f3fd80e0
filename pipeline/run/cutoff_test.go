package run

import (
	"testing"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/mem"
)

// scripted is a task with a script that never ends, until it is switched off: for a
// record of the direction "script", and for the timer "script".
type scripted struct{ counter }

func (scripted) key(tx *pipeline.Tx, tenant string) (off bool, err error) {
	_, off, err = tx.Store.Get(tx.Tenant(tenant).Key('Q', "abc"))
	return off, err
}

func (s scripted) Step(tx *pipeline.Tx, in *pipeline.Record) error {
	if a, ok := in.Decoded.(*schemas.ControlAction); ok {
		if a.Kind != schemas.ActionScriptQuarantined || a.ActionID != "script-abc" {
			return pipeline.Rejectf(schemas.ReasonInvalid, "an action that nobody sent: %+v", a)
		}
		tx.Store.Put(tx.Tenant(in.Tenant).Key('Q', "abc"), []byte{1})
		return nil
	}
	if call := in.Decoded.(*schemas.CallEvent); call.Direction == "script" {
		if off, err := s.key(tx, in.Tenant); err != nil || !off {
			return cmpOr(err, &pipeline.ScriptCutOff{Tenant: in.Tenant, Script: "abc", Line: "contact.nick", Why: "it took too long"})
		}
	}
	return s.counter.Step(tx, in)
}

func (s scripted) Tick(tx *pipeline.Tx, tm pipeline.Timer) error {
	if off, err := s.key(tx, tm.Tenant); err != nil || !off {
		return cmpOr(err, &pipeline.ScriptCutOff{Tenant: tm.Tenant, Script: "abc", Line: "contact.nick", Why: "it took too long"})
	}
	tx.Emit(schemas.TopicSyncContacts, tm.Tenant+"/tick", &schemas.SyncCall{CallID: tm.ID})
	return nil
}

func cmpOr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// What a clock has cut off becomes an input before anything of the batch is done (P9):
// the script is switched off once, everything else is applied once, in its order, also
// where more is waiting than one transaction takes, and a replay does the same.
func TestAScriptThatIsCutOffIsSwitchedOff(t *testing.T) {
	for _, direction := range []string{"script", "timer"} {
		t.Run(direction, func(t *testing.T) {
			h := newHarness(t)
			h.task = scripted{}
			h.send("acme", -1, 20, "")
			h.send("acme", -1, 1, direction)
			h.send("acme", -1, 40, "")
			r, _ := h.start("a", mem.New(), func(c *Config) { c.MaxRecords = 5 })
			h.counted(map[string]int{"acme": 61})
			if s := r.Status(); len(s.Refused) > 0 || s.DeadLetters > 0 {
				t.Errorf("refused %v, %d dead letters", s.Refused, s.DeadLetters)
			}
			if n := len(h.readAll(schemas.TopicControlActions)); n != 1 {
				t.Errorf("%d actions, want one", n)
			}
			if direction == "timer" {
				h.read(schemas.TopicSyncContacts, 1)
			}
		})
	}
}
