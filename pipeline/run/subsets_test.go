package run

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/mem"
)

// kinds is counter with an output of each kind: sync.calls is compacted.
type kinds struct{ counter }

func (k kinds) Step(tx *pipeline.Tx, in *pipeline.Record) error {
	if err := k.counter.Step(tx, in); err != nil {
		return err
	}
	call := in.Decoded.(*schemas.CallEvent)
	v, _, err := tx.Store.Get(tx.Tenant(in.Tenant).Key('c', "n"))
	if err != nil {
		return err
	}
	tx.Emit(schemas.TopicSyncCalls, in.Tenant+"/last", &schemas.SyncCall{CallID: call.CallID, Reason: fmt.Sprint(v[7])})
	return nil
}

// once reads a topic to its end and drops what its source header says was read before,
// as docs/topics.md tells its readers to.
func (h *harness) once(topic string) []*kgo.Record {
	h.t.Helper()
	ends, err := kadm.NewClient(h.cl).ListEndOffsets(h.ctx(), topic)
	if err != nil {
		h.t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.addrs...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		h.t.Fatal(err)
	}
	defer cl.Close()
	want := make(map[int32]int64)
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			want[o.Partition] = o.Offset
		}
	})
	var recs []*kgo.Record
	seen := make(map[string]bool)
	for ctx := h.ctx(); len(want) > 0; {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			h.t.Fatalf("%s: its end did not come: %v", topic, want)
		}
		for _, r := range fs.Records() {
			if r.Offset+1 >= want[r.Partition] {
				delete(want, r.Partition)
			}
			src := ""
			for _, hd := range r.Headers {
				if hd.Key == sourceHeader {
					src = string(hd.Value)
				}
			}
			if r.Attrs.IsControl() || src != "" && seen[src] {
				continue
			}
			seen[src] = true
			recs = append(recs, r)
		}
	}
	return recs
}

// A commit that reached any subset of its partitions, and not the group's offsets, is
// made whole after the unclean boot: whatever kind of output was lost.
func TestAnySubsetOfMarkersIsMadeWhole(t *testing.T) {
	onlyFake(t, "a commit there has a log of its own and is whole after any crash")
	topics := []string{schemas.TopicChangelog, schemas.TopicJournal, schemas.TopicSyncChanges, schemas.TopicSyncCalls, schemas.TopicDeadLetters, schemas.TopicEntry}
	var subsets []int
	for s := range 1 << len(topics) {
		subsets = append(subsets, s)
	}
	if testing.Short() {
		rng := rand.New(rand.NewPCG(1, 1))
		rng.Shuffle(len(subsets), func(i, j int) { subsets[i], subsets[j] = subsets[j], subsets[i] })
		subsets = subsets[:8]
	}
	for _, s := range subsets {
		var marked []string
		for i, topic := range topics {
			if s&(1<<i) != 0 {
				marked = append(marked, topic)
			}
		}
		t.Run(strings.Join(marked, "+"), func(t *testing.T) {
			t.Parallel()
			tornBy(t, marked)
		})
	}
}

func tornBy(t *testing.T, marked []string) {
	h := newHarness(t)
	h.task = kinds{}
	h.booted(boot{Boot: 1, Clean: true})
	p := schemas.PartitionOf("acme", testN)
	other := ""
	for i := 0; other == ""; i++ {
		if name := fmt.Sprint("other-", i); schemas.PartitionOf(name, testN) == (p+1)%testN {
			other = name
		}
	}
	h.send("acme", -1, 2, "")
	db := mem.New()
	r, stop := h.start("a", db)
	h.counted(map[string]int{"acme": 2})
	h.eventually("resume", func() bool {
		s := r.Status()
		return len(s.Partitions) == testN && !slices.ContainsFunc(s.Partitions, func(p PartitionStatus) bool { return !p.Resumed })
	})
	torn := h.tearOf(p, other, marked)
	// One transaction: two calls, one that is nothing, one that stands in a foreign partition.
	v, err := json.Marshal(&schemas.CallEvent{CallID: "far"})
	if err != nil {
		t.Fatal(err)
	}
	recs := []*kgo.Record{
		{Topic: schemas.TopicDialerCalls, Partition: p, Key: []byte("acme"), Value: []byte("{")},
		{Topic: schemas.TopicDialerCalls, Partition: p, Key: []byte(other), Value: v},
	}
	for i := range 2 {
		v, err := json.Marshal(&schemas.CallEvent{CallID: fmt.Sprint("t", i)})
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, &kgo.Record{Topic: schemas.TopicDialerCalls, Partition: p, Key: []byte("acme"), Value: v})
	}
	if err := h.cl.ProduceSync(h.ctx(), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	<-torn
	stop()
	// What the broker's own start does with transactions that were left open.
	if err := r.fence(h.ctx(), transactionalPrefix+"a-b1"); err != nil {
		t.Fatal(err)
	}
	h.booted(boot{Boot: 2})
	h.send("acme", -1, 1, "")
	r, stop = h.start("a", db)
	h.eventually("all is applied", func() bool { return h.applied(r) })
	stop()
	var changes, dead []string
	for _, rec := range h.once(schemas.TopicSyncChanges) {
		var c schemas.SyncCall
		if err := json.Unmarshal(rec.Value, &c); err != nil {
			t.Fatal(err)
		}
		changes = append(changes, strings.TrimSuffix(string(rec.Key), "/far")+" "+c.CallID)
	}
	slices.Sort(changes)
	want := []string{"acme/0 1", "acme/0 5", "acme/1 2", "acme/t0 3", "acme/t1 4", other + " 1"}
	if d := cmp.Diff(want, changes); d != "" {
		t.Errorf("sync.changes (-want +got):\n%s", d)
	}
	last := make(map[string]string)
	for _, rec := range h.once(schemas.TopicSyncCalls) {
		var c schemas.SyncCall
		if err := json.Unmarshal(rec.Value, &c); err != nil {
			t.Fatal(err)
		}
		last[string(rec.Key)] = c.CallID + " " + c.Reason
	}
	if d := cmp.Diff(map[string]string{"acme/last": "0 5", other + "/last": "far 1"}, last); d != "" {
		t.Errorf("sync.calls (-want +got):\n%s", d)
	}
	for _, rec := range h.once(schemas.TopicDeadLetters) {
		var d schemas.DeadLetter
		if err := json.Unmarshal(rec.Value, &d); err != nil {
			t.Fatal(err)
		}
		dead = append(dead, d.Reason)
	}
	if d := cmp.Diff([]string{schemas.ReasonBadAvro}, dead); d != "" {
		t.Errorf("dlq (-want +got):\n%s", d)
	}
	rep, err := Replay(h.ctx(), ReplayConfig{Brokers: h.addrs, Codec: h.codec, Task: h.task, Partitions: testN})
	if err != nil || len(rep.Differences) > 0 {
		t.Errorf("replay: %v %v", rep, err)
	}
}

// applied reports whether every partition has applied what stands on the dialer's calls
// and on entry.
func (h *harness) applied(r *Runner) bool {
	h.t.Helper()
	ends, err := kadm.NewClient(h.cl).ListEndOffsets(h.ctx(), schemas.TopicDialerCalls, schemas.TopicEntry)
	if err != nil {
		h.t.Fatal(err)
	}
	ready := 0
	for _, s := range r.Status().Partitions {
		calls, _ := ends.Lookup(schemas.TopicDialerCalls, s.Partition)
		if s.Next[schemas.TopicDialerCalls] < calls.Offset {
			return false
		}
		ready++
	}
	// On entry markers stand behind the records: that the record there was applied shows
	// in a position above zero.
	far := false
	for _, s := range r.Status().Partitions {
		far = far || s.Next[schemas.TopicEntry] > 0
	}
	return ready == testN && far
}
