package run

import (
	"testing"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/mem"
)

// other is counter with one rule changed.
type other struct{ counter }

func (o other) Step(tx *pipeline.Tx, in *pipeline.Record) error {
	if err := o.counter.Step(tx, in); err != nil {
		return err
	}
	tx.Store.Put(tx.Tenant(in.Tenant).Key('o', "x"), []byte{1})
	return nil
}

// A replay of a run with timers, dead letters and a restart comes out the same; a
// task with another rule does not (P9).
func TestReplay(t *testing.T) {
	h := newHarness(t)
	db := mem.New()
	h.send("acme", -1, 20, "")
	h.send("acme", -1, 1, "panic")
	_, stop := h.start("a", db)
	h.counted(map[string]int{"acme": 20})
	stop()
	h.send("acme", -1, 1, "timer")
	_, stop = h.start("a", db)
	h.read(schemas.TopicSyncChanges, 22)
	stop()

	cfg := ReplayConfig{Brokers: h.c.ListenAddrs(), Codec: h.codec, Task: counter{}, Partition: schemas.PartitionOf("acme", testN), Partitions: testN}
	diffs, err := Replay(h.ctx(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diffs {
		t.Errorf("transaction %d: %s", d.Sequence, d.What)
	}
	cfg.Task = other{}
	if diffs, err = Replay(h.ctx(), cfg); err != nil || len(diffs) == 0 {
		t.Errorf("another rule gave %d differences, %v", len(diffs), err)
	}
}
