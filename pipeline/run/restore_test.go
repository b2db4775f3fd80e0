package run

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/mem"
)

// A store that lags reads the changelog's tail, one that is up to date reads
// nothing, and an empty one reads all of it (P2).
func TestRestoreReadsWhatIsMissing(t *testing.T) {
	h := newHarness(t)
	db := mem.New()
	run := func(what string, n int) Status {
		r, stop := h.start("a", db)
		h.eventually(what, func() bool {
			s := r.Status()
			resumed := 0
			for _, p := range s.Partitions {
				if p.Resumed {
					resumed++
				}
			}
			return s.Records == int64(n) && resumed == testN
		})
		stop()
		return r.Status()
	}
	h.send("acme", -1, 20, "")
	if s := run("first", 20); s.RestoredFull != testN || s.RestoredCount != 0 {
		t.Errorf("the first start: %+v", s)
	}
	old := db
	db = mem.New()
	h.send("acme", -1, 20, "")
	full := run("empty", 20)
	if full.RestoredFull != testN || full.RestoredCount == 0 {
		t.Errorf("an empty store: %+v", full)
	}
	db = old
	tail := run("lagging", 0)
	if tail.RestoredFull != 0 || tail.RestoredTail != testN || tail.RestoredCount == 0 {
		t.Errorf("a store that lags: %+v", tail)
	}
	if s := run("idle", 0); s.RestoredFull != 0 || s.RestoredCount != 0 {
		t.Errorf("a store that is up to date: %+v", s)
	}
	h.send("acme", -1, 1, "")
	run("last", 1)
	h.counted(map[string]int{"acme": 41})
}

// A store that is older than tombstones are kept is made anew (P2).
func TestOldStoreIsWiped(t *testing.T) {
	h := newHarness(t)
	db := mem.New()
	h.send("acme", -1, 5, "")
	_, stop := h.start("a", db)
	h.counted(map[string]int{"acme": 5})
	stop()
	r, _ := h.start("a", db, func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(tombstoneAge()) }
	})
	h.eventually("restore", func() bool { return r.Status().RestoredFull == testN })
}

// Without its changelog a partition is refused: going on would count from zero. The
// others go on; where there are none, the run ends.
func TestTruncatedChangelogIsRefused(t *testing.T) {
	h := newHarness(t)
	for p := range int32(testN) {
		h.send("acme", p, 5, "") // forwarded, but for one, to that one
	}
	_, stop := h.start("a", mem.New())
	h.counted(map[string]int{"acme": 5 * testN})
	stop()
	empty := func(p int32) {
		_, _, high := h.offsets(schemas.TopicChangelog, p)
		h.truncate(schemas.TopicChangelog, p, high)
	}
	p := schemas.PartitionOf("acme", testN)
	empty(p)
	r, stop := h.start("a", mem.New())
	h.eventually("one is refused, the others are owned", func() bool {
		s := r.Status()
		return len(s.Refused) == 1 && s.Refused[0].Partition == p && len(s.Partitions) == testN-1
	})
	stop()
	for q := range int32(testN) {
		if q != p {
			empty(q)
		}
	}
	r, err := New(Config{Brokers: h.addrs, Group: h.group, Instance: "a", Partitions: testN, Codec: h.codec, Task: h.task, Effects: believer{h.all, "a"}, DB: mem.New()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(h.ctx(), 10*time.Second)
	defer cancel()
	if err := r.Run(ctx); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
}

// Timers fire in the order of (due, key), and only once crm.results has been applied
// up to where it stood: else an attempt that was answered would expire.
func TestTimersWaitForResults(t *testing.T) {
	h := newHarness(t)
	db := mem.New()
	h.send("acme", -1, 8, "later")
	_, stop := h.start("a", db)
	h.counted(map[string]int{"acme": 8})
	stop()
	p := schemas.PartitionOf("acme", testN)
	var recs []*kgo.Record
	for range 100 {
		recs = append(recs, &kgo.Record{Topic: schemas.TopicCRMResults, Partition: p, Key: []byte("acme/0-1"), Value: []byte(`{}`)})
	}
	if err := h.cl.ProduceSync(h.ctx(), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r, _ := h.start("a", db, func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Hour) }
		c.MaxRecords = 7
	})
	outs := h.read(schemas.TopicSyncChanges, 8+100+8)
	if s := r.Status(); s.Transactions < 10 {
		t.Errorf("%d transactions: too few to show an order", s.Transactions)
	}
	var ids []string
	for _, o := range outs[108:] {
		var v schemas.SyncCall
		if err := json.Unmarshal(o.Value, &v); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v.CallID)
	}
	for i, want := range []string{"tick-2", "tick-3", "tick-4", "tick-5", "tick-6", "tick-7", "tick-8", "tick-9"} {
		if ids[i] != want {
			t.Fatalf("timers fired as %v", ids)
		}
	}
}

// A timer that panics is dead-lettered and waits; the others go on (P5, P8).
func TestBadTimerIsPostponed(t *testing.T) {
	h := newHarness(t)
	h.send("acme", -1, 1, "bad timer")
	h.send("acme", -1, 1, "timer")
	h.start("a", mem.New())
	h.read(schemas.TopicSyncChanges, 3)
	var d schemas.DeadLetter
	if err := json.Unmarshal(h.read(schemas.TopicDeadLetters, 1)[0].Value, &d); err != nil {
		t.Fatal(err)
	}
	if d.Reason != schemas.ReasonPanic || d.Tenant != "acme" {
		t.Errorf("dead letter: %+v", d)
	}
}

// A transaction that a dead owner left open does not keep its successor waiting for
// the broker's timeout; a stranger's is not touched (P12).
func TestDeadOwnerIsFenced(t *testing.T) {
	h := newHarness(t)
	p := schemas.PartitionOf("acme", testN)
	for topic, id := range map[string]string{schemas.TopicChangelog: transactionalPrefix + "dead", schemas.TopicSyncCalls: "stranger"} {
		cl, err := kgo.NewClient(kgo.SeedBrokers(h.addrs...), kgo.TransactionalID(id), kgo.TransactionTimeout(time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(h.ctx(), &kgo.Record{Topic: topic, Partition: p, Key: positionsKey(p).Bytes(), Value: []byte("never committed")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	h.send("acme", -1, 5, "")
	h.start("a", mem.New())
	h.counted(map[string]int{"acme": 5}) // within the helper's 30 s, half the transaction's timeout
	if _, stable, high := h.offsets(schemas.TopicSyncCalls, p); stable == high {
		t.Error("the stranger's transaction was ended")
	}
}

// Where crm.results ends in a transaction's marker it is caught up with its last
// record: a marker is never polled.
func TestMarkerAtTheEndOfResults(t *testing.T) {
	h := newHarness(t)
	p := schemas.PartitionOf("acme", testN)
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.addrs...), kgo.TransactionalID("stranger"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(h.ctx(), &kgo.Record{Topic: schemas.TopicCRMResults, Partition: p, Key: []byte("acme/0-1"), Value: []byte(`{}`)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(h.ctx(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	h.eventually("the marker", func() bool {
		_, stable, high := h.offsets(schemas.TopicCRMResults, p)
		return stable == 2 && high == 2
	})
	r, _ := h.start("a", mem.New())
	h.eventually("resume", func() bool {
		s := r.Status()
		for _, p := range s.Partitions {
			if !p.Resumed {
				return false
			}
		}
		return len(s.Partitions) == testN
	})
}

// A transaction without input commits an offset of each of its partitions: else a
// member that was thrown out of the group would commit unfenced (P12).
func TestEveryCommitIsFenced(t *testing.T) {
	h := newHarness(t)
	r, _ := h.start("a", mem.New())
	h.eventually("a transaction of each partition", func() bool { return r.Status().Transactions >= testN })
	// Nothing was polled: what the group has is what the commits took along.
	offsets, err := kadm.NewClient(h.cl).FetchOffsets(h.ctx(), h.group)
	if err != nil {
		t.Fatal(err)
	}
	if fenced := offsets[anchor]; len(fenced) != testN {
		t.Errorf("offsets of partitions %v were committed, want all %d", fenced, testN)
	}
}
