package run

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
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
	onlyFake(t, "it answers a commit in the broker's place; TestFencedAmidATransaction asks the broker itself to refuse one")
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

// A commit that the broker refuses, as another has taken the transactional id over
// amid the transaction, leaves nothing behind (P1, P12).
func TestFencedAmidATransaction(t *testing.T) {
	h := newHarness(t)
	r, _ := h.start("a", mem.New())
	h.send("acme", -1, 10, "")
	h.counted(map[string]int{"acme": 10})
	var left atomic.Int64
	left.Store(2)
	amid := func() {
		if left.Add(-1) >= 0 {
			if err := r.fence(h.ctx(), transactionalPrefix+"a"); err != nil {
				t.Error(err)
			}
		}
	}
	h.codec.amid.Store(&amid)
	for i := range 3 {
		h.send("acme", -1, 10, "")
		h.counted(map[string]int{"acme": 20 + 10*i})
	}
	if left.Load() > 0 {
		t.Error("no commit was refused: the test did not test")
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

// Every way to be bad has its reason, and nothing behind waits (P5).
func TestReasons(t *testing.T) {
	h := newHarness(t)
	p := schemas.PartitionOf("acme", testN)
	good := []byte(`{"CallID":"1"}`)
	other := schemas.TopicDialerCalls + "/" + fmt.Sprint((p+1)%testN) + "/7"
	rec := func(topic string, partition int32, key string, value []byte, origin string) *kgo.Record {
		r := &kgo.Record{Topic: topic, Partition: partition, Key: []byte(key), Value: value}
		if origin != "" {
			r.Headers = []kgo.RecordHeader{{Key: originHeader, Value: []byte(origin)}}
		}
		return r
	}
	recs := []*kgo.Record{
		rec(schemas.TopicDialerCalls, p, "acme", []byte("no avro"), ""),
		rec(schemas.TopicDialerCalls, p, "acme", []byte("strange"), ""),
		rec(schemas.TopicDialerCalls, p, "/x", good, ""),
		rec(schemas.TopicControlTenants, (p+1)%testN, "acme", good, ""),
		rec(schemas.TopicEntry, (p+1)%testN, "acme", good, other), // forwarded twice
		rec(schemas.TopicEntry, p, "acme", good, ""),
		rec(schemas.TopicEntry, p, "acme", good, other),
		rec(schemas.TopicEntry, p, "acme", good, other), // repeated
		rec(schemas.TopicDialerCalls, p, "acme", good, ""),
	}
	if err := h.cl.ProduceSync(h.ctx(), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r, _ := h.start("a", mem.New())
	h.eventually("all records", func() bool { return r.Status().Records == int64(len(recs)) })
	h.counted(map[string]int{"acme": 2}) // the one of entry, once, and the last
	got := make(map[string]int)
	for _, r := range h.read(schemas.TopicDeadLetters, 6) {
		var d schemas.DeadLetter
		if err := json.Unmarshal(r.Value, &d); err != nil {
			t.Fatal(err)
		}
		got[d.Reason]++
	}
	want := map[string]int{schemas.ReasonBadAvro: 1, schemas.ReasonUnknownSchema: 1, schemas.ReasonBadKey: 1, schemas.ReasonWrongPartition: 2, schemas.ReasonInvalid: 1}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("dead letters (-want +got):\n%s", d)
	}
}

// Whatever request fails in a transaction, each input counts once, whether a poll is one
// transaction or several, with the rest waiting for its turn.
func TestFaultsCountOnce(t *testing.T) {
	onlyFake(t, "it answers requests in the broker's place")
	for _, f := range []struct {
		key kmsg.Key
		err *kerr.Error
	}{
		{kmsg.TxnOffsetCommit, kerr.IllegalGeneration}, {kmsg.TxnOffsetCommit, kerr.UnknownMemberID}, {kmsg.TxnOffsetCommit, kerr.CoordinatorLoadInProgress},
		{kmsg.Produce, kerr.NotLeaderForPartition}, {kmsg.Produce, kerr.InvalidProducerEpoch}, {kmsg.Produce, kerr.RequestTimedOut},
		{kmsg.EndTxn, kerr.ConcurrentTransactions}, {kmsg.EndTxn, kerr.UnknownServerError}, {kmsg.EndTxn, kerr.ProducerFenced},
	} {
		for _, most := range []int{0, 4} {
			t.Run(fmt.Sprintf("%s %s, at most %d", f.key.Name(), f.err.Message, most), func(t *testing.T) { faultsCountOnce(t, f.key, f.err, most) })
		}
	}
}

func faultsCountOnce(t *testing.T, key kmsg.Key, refusal *kerr.Error, most int) {
	t.Parallel()
	h := newHarness(t)
	h.start("a", mem.New(), func(c *Config) { c.MaxRecords = most })
	h.send("acme", -1, 10, "")
	h.counted(map[string]int{"acme": 10})
	what := kfake.Fault{Keys: []kmsg.Key{key}, TxnID: "crmstream-a", Err: refusal, Count: 2}
	if key == kmsg.Produce {
		what.TxnID, what.Topic = "", schemas.TopicChangelog
	}
	fault := h.c.Fault(what)
	for i := range 3 {
		h.send("acme", -1, 10, "")
		h.counted(map[string]int{"acme": 20 + 10*i})
	}
	if fault.Hits() == 0 {
		t.Error("the fault was not hit: the test did not test")
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
	h.members(2)
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
