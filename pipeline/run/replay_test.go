package run

import (
	"errors"
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

// unsorted says its outputs in the order of a map.
type unsorted struct{ counter }

func (u unsorted) Step(tx *pipeline.Tx, in *pipeline.Record) error {
	for k := range map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true, "f": true} {
		tx.Emit(schemas.TopicSyncChanges, in.Tenant+"/"+k, &schemas.SyncCall{CallID: k})
	}
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

	cfg := ReplayConfig{Brokers: h.addrs, Codec: h.codec, Task: counter{}, Partitions: testN}
	rep, err := Replay(h.ctx(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range rep.Differences {
		t.Error(d)
	}
	if rep.Records != 22 {
		t.Errorf("%d records were replayed in %d transactions, want 22", rep.Records, rep.Transactions)
	}
	cfg.Task = other{}
	if rep, err = Replay(h.ctx(), cfg); err != nil || len(rep.Differences) == 0 {
		t.Errorf("another rule gave no differences, %v", err)
	}

}

// A task that depends on more than its input is caught by replaying it (P9).
func TestReplayCatchesMapOrder(t *testing.T) {
	h := newHarness(t)
	h.task = unsorted{}
	h.send("acme", -1, 20, "")
	_, stop := h.start("a", mem.New())
	h.read(schemas.TopicSyncChanges, 120)
	stop()
	rep, err := Replay(h.ctx(), ReplayConfig{Brokers: h.addrs, Codec: h.codec, Task: h.task, Only: []int32{schemas.PartitionOf("acme", testN)}, Partitions: testN})
	if err != nil || len(rep.Differences) == 0 {
		t.Errorf("outputs in the order of a map gave no differences, %v", err)
	}
}

// A journal whose inputs are gone is not compared with a part of them.
func TestReplayNeedsItsInputs(t *testing.T) {
	h := newHarness(t)
	h.send("acme", -1, 20, "")
	_, stop := h.start("a", mem.New())
	h.counted(map[string]int{"acme": 20})
	stop()
	p := schemas.PartitionOf("acme", testN)
	h.truncate(schemas.TopicDialerCalls, p, 5)
	cfg := ReplayConfig{Brokers: h.addrs, Codec: h.codec, Task: counter{}, Partitions: testN}
	if _, err := Replay(h.ctx(), cfg); !errors.Is(err, ErrNotReplayable) {
		t.Errorf("got %v, want ErrNotReplayable", err)
	}
}
