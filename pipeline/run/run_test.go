package run

import (
	"encoding/json"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/mem"
)

// Each input is counted once over a restart, with the store kept and with the
// store lost (P2).
func TestExactlyOnceOverRestart(t *testing.T) {
	h := newHarness(t)
	db := mem.New()
	h.send("acme", -1, 50, "")
	_, stop := h.start("a", db)
	h.counted(map[string]int{"acme": 50})
	stop()

	h.send("acme", -1, 50, "")
	r, stop := h.start("a", db)
	h.counted(map[string]int{"acme": 100})
	if s := r.Status(); s.RestoredFull != 0 {
		t.Errorf("%d partitions were restored in full though the store was there", s.RestoredFull)
	}
	stop()

	h.send("acme", -1, 50, "")
	r, _ = h.start("a", mem.New())
	h.counted(map[string]int{"acme": 150})
	if s := r.Status(); s.RestoredCount == 0 {
		t.Error("nothing was restored into an empty store")
	}
}

// A commit that is refused leaves nothing behind, and its inputs are counted by the
// next.
func TestRefusedCommitsCountOnce(t *testing.T) {
	h := newHarness(t)
	h.send("acme", -1, 50, "")
	left := 2
	h.c.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if !req.(*kmsg.EndTxnRequest).Commit || left == 0 {
			return nil, nil, false
		}
		left--
		h.c.KeepControl()
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = kerr.InvalidProducerEpoch.Code
		return resp, nil, true
	})
	h.start("a", mem.New())
	h.counted(map[string]int{"acme": 50})
	if left != 0 {
		t.Errorf("%d commits were not refused: the test did not test", left)
	}
}

// One bad record is dead-lettered; those around it are applied (P5).
func TestBadRecordsAreIsolated(t *testing.T) {
	h := newHarness(t)
	h.send("acme", -1, 2, "")
	h.send("acme", -1, 1, "panic")
	h.send("acme", -1, 1, "huge")
	h.send("acme", -1, 2, "")
	h.start("a", mem.New())
	h.counted(map[string]int{"acme": 4})
	reasons := make(map[string]int)
	for _, r := range h.read(schemas.TopicDeadLetters, 2) {
		var d schemas.DeadLetter
		if err := json.Unmarshal(r.Value, &d); err != nil {
			t.Fatal(err)
		}
		reasons[d.Reason]++
	}
	if reasons[schemas.ReasonPanic] != 1 || reasons[schemas.ReasonTooLarge] != 1 {
		t.Errorf("dead letters: %v", reasons)
	}
}

// A record in a foreign partition is applied in the right one, once.
func TestForeignPartitionIsForwarded(t *testing.T) {
	h := newHarness(t)
	right := schemas.PartitionOf("acme", testN)
	h.send("acme", (right+1)%testN, 10, "")
	r, _ := h.start("a", mem.New())
	h.counted(map[string]int{"acme": 10})
	for _, o := range h.read(schemas.TopicSyncChanges, 10) {
		if o.Partition != right {
			t.Fatalf("an output stands in partition %d, want %d", o.Partition, right)
		}
	}
	if s := r.Status(); s.Forwarded != 10 {
		t.Errorf("%d forwarded, want 10", s.Forwarded)
	}
}

// While the registry is away records wait, and none is dead-lettered (P5).
func TestRegistryAwayPauses(t *testing.T) {
	h := newHarness(t)
	h.codec.away = 2
	h.send("acme", -1, 10, "")
	r, _ := h.start("a", mem.New())
	h.counted(map[string]int{"acme": 10})
	if s := r.Status(); s.DeadLetters != 0 {
		t.Errorf("%d dead letters", s.DeadLetters)
	}
}

// A second member takes partitions over; each input is counted once and no
// partition has two owners (P12).
func TestTwoMembers(t *testing.T) {
	h := newHarness(t)
	want := map[string]int{"a": 0, "b": 0, "c": 0, "d": 0, "e": 0, "f": 0}
	more := func() {
		for tenant := range want {
			h.send(tenant, -1, 20, "")
			want[tenant] += 20
		}
	}
	more()
	_, stop := h.start("one", mem.New())
	h.counted(want)
	h.start("two", mem.New())
	if _, err := h.c.WaitGroupStable(h.ctx(), "crmstream", 2); err != nil {
		t.Fatal(err)
	}
	more()
	h.counted(want)
	stop()
	more()
	h.counted(want)
	h.all.mu.Lock()
	defer h.all.mu.Unlock()
	for _, b := range h.all.bad {
		t.Error(b)
	}
}
