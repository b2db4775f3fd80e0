package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/run/embedded"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
	"github.com/crmstream/crmstream/state/mem"
)

// ticking is a task that has a timer due in every millisecond.
type ticking struct{ counter }

func (ticking) Resume(tx *pipeline.Tx) error {
	tx.Schedule(pipeline.Timer{Due: tx.Now, Tenant: "acme", Kind: tickKind, ID: "again"})
	return nil
}

func (ticking) Tick(tx *pipeline.Tx, _ pipeline.Timer) error {
	tx.Schedule(pipeline.Timer{Due: tx.Now + 1, Tenant: "acme", Kind: tickKind, ID: "again"})
	return nil
}

// awayOnce is a codec whose registry is away at one call, once.
type awayOnce struct {
	*jsonCodec
	call string
	done atomic.Bool
}

func (c *awayOnce) Decode(ctx context.Context, topic string, b []byte) (any, error) {
	v, err := c.jsonCodec.Decode(ctx, topic, b)
	if ev, ok := v.(*schemas.CallEvent); ok && ev.CallID == c.call && !c.done.Swap(true) {
		return nil, fmt.Errorf("test: %w", registry.ErrUnavailable)
	}
	return v, err
}

// The registry is away amid a poll, and the transaction of what stood before is taken
// back: all of it is read again (P5).
func TestAbortAfterAPauseLosesNothing(t *testing.T) {
	h := newHarness(t)
	onlyFake(t, "it answers requests in the broker's place")
	codec := &awayOnce{jsonCodec: h.codec, call: "6"}
	r, _ := h.start("a", mem.New(), func(c *Config) { c.Codec = codec })
	h.eventually("resumed", func() bool {
		s := r.Status()
		return len(s.Partitions) == testN && !slices.ContainsFunc(s.Partitions, func(p PartitionStatus) bool { return !p.Resumed })
	})
	fault := h.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, TxnID: "crmstream-a", Err: kerr.IllegalGeneration, Count: 1})
	h.send("acme", -1, 10, "")
	h.counted(map[string]int{"acme": 10})
	if fault.Hits() != 1 || !codec.done.Load() {
		t.Errorf("%d commits refused, registry away: %v", fault.Hits(), codec.done.Load())
	}
}

// large sends a record with headers beside the harness's own limit.
func (h *harness) large(partition int32, value []byte, headers int) {
	h.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1050000))
	if err != nil {
		h.t.Fatal(err)
	}
	defer cl.Close()
	rec := &kgo.Record{Topic: schemas.TopicDialerCalls, Partition: partition, Key: []byte("acme"), Value: value,
		Headers: []kgo.RecordHeader{{Key: "trace", Value: make([]byte, headers)}}}
	if err := cl.ProduceSync(h.ctx(), rec).FirstErr(); err != nil {
		h.t.Fatal(err)
	}
}

// Headers count: a record that is too large with them, in its own partition or in a
// foreign one, is one dead letter, and what follows is applied (P5, P8).
func TestLargeHeadersAreOneDeadLetter(t *testing.T) {
	h := newHarness(t)
	own := schemas.PartitionOf("acme", testN)
	h.large(own, []byte(strings.Repeat("x", 840_000)), 150_000)
	call, err := json.Marshal(&schemas.CallEvent{CallID: strings.Repeat("c", 880_000)})
	if err != nil {
		t.Fatal(err)
	}
	h.large((own+1)%testN, call, 120_000)
	h.send("acme", own, 3, "")
	h.send("acme", (own+1)%testN, 3, "")
	r, _ := h.start("a", mem.New())
	h.counted(map[string]int{"acme": 6})
	for _, rec := range h.read(schemas.TopicDeadLetters, 2) {
		var d schemas.DeadLetter
		if err := json.Unmarshal(rec.Value, &d); err != nil || d.Reason != schemas.ReasonTooLarge {
			t.Errorf("dead letter %v: %v", d.Reason, err)
		}
	}
	if s := r.Status(); s.DeadLetters != 2 {
		t.Errorf("%d dead letters", s.DeadLetters)
	}
}

// Timers go on after the machine's clock was set back (P8).
func TestTimersGoOnAfterTheClockIsSetBack(t *testing.T) {
	h := newHarness(t)
	h.task = ticking{}
	var ahead atomic.Int64
	ahead.Store(int64(time.Hour))
	r, _ := h.start("a", mem.New(), func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	h.eventually("timers", func() bool { return r.Status().Transactions > 200 })
	ahead.Store(0)
	was := r.Status().Transactions
	h.eventually("more of them", func() bool { return r.Status().Transactions > was+200 })
}

// A broker that takes no more records does not keep the process.
func TestStopWhileTheBrokerTakesNothing(t *testing.T) {
	h := newHarness(t)
	onlyFake(t, "it answers requests in the broker's place")
	_, stop := h.start("a", mem.New(), func(c *Config) { c.StopWithin = 500 * time.Millisecond })
	h.send("acme", -1, 5, "")
	h.counted(map[string]int{"acme": 5})
	hit := make(chan struct{})
	var once sync.Once
	h.c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		h.c.KeepControl()
		if req.(*kmsg.ProduceRequest).TransactionID == nil {
			return nil, nil, false
		}
		once.Do(func() { close(hit) })
		return nil, errors.New("the connection is gone"), true
	})
	h.send("acme", -1, 5, "")
	<-hit
	done := make(chan struct{})
	go func() {
		stop()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("not stopped after 20 s")
		h.c.Close()
		<-done
	}
}

// What is given again is not restored again, and what was taken meanwhile is not
// owned (P9, P12).
func TestAssignmentsThatOverlap(t *testing.T) {
	h := newHarness(t)
	r, err := New(Config{Brokers: h.addrs, Instance: "a", Partitions: testN, Codec: h.codec, Task: h.task, Effects: believer{h.all, "a"}, DB: mem.New()})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := kgo.NewClient(r.clientOpts()...)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	s := &session{r: r, adm: kadm.NewClient(plain), silenced: make(map[int32]bool)}
	s.held = newHeld(s.prune)
	give := func(ps ...int32) map[string]map[int32]kgo.Offset {
		t.Helper()
		m := map[string]map[int32]kgo.Offset{anchor: {}, schemas.TopicDialerCalls: {}}
		for _, p := range ps {
			m[anchor][p], m[schemas.TopicDialerCalls][p] = kgo.NewOffset().At(0), kgo.NewOffset().At(0)
		}
		got, err := s.restoreAssigned(h.ctx(), m)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	s.held.synced([]int32{0, 1})
	give(0, 1)
	first := r.owned[0]
	first.pos.Next[schemas.TopicDialerCalls] = 7
	s.held.synced([]int32{0, 1, 2})
	if got := give(0, 1, 2)[schemas.TopicDialerCalls][0].EpochOffset().Offset; got != 7 || r.owned[0] != first {
		t.Errorf("given again, partition 0 is read from %d, want 7; restored anew: %v", got, r.owned[0] != first)
	}
	s.held.synced([]int32{1, 2}) // the client's callback may never come
	if r.owned[0] != nil || len(r.owned) != 2 {
		t.Errorf("partition 0 was given away and is among the %d owned", len(r.owned))
	}
	if got := give(0); len(got[anchor]) != 0 || r.owned[0] != nil {
		t.Error("a partition that is not held was restored and owned")
	}
	s.held.synced([]int32{0, 1, 2})
	give(0)
	if r.owned[0] == nil || r.owned[0] == first {
		t.Error("a partition that came back was not restored anew")
	}
	s.held.joining(nil) // after a loss nothing is claimed
	if len(r.owned) != 0 {
		t.Errorf("%d owned after a loss", len(r.owned))
	}
	h.all.mu.Lock()
	defer h.all.mu.Unlock()
	for _, bad := range h.all.bad {
		t.Error(bad)
	}
}

// A pipeline that outlives the embedded broker, idle, goes on under a transactional id
// of the new boot.
func TestANewBootIsNoticed(t *testing.T) {
	onlyFake(t, "it is about boots of the embedded broker")
	dir, ctx := t.TempDir(), context.Background()
	start := func(listen string) *embedded.Broker {
		b, err := embedded.Start(ctx, embedded.Config{Dir: dir, Listen: listen, RegistryListen: "127.0.0.1:0", Partitions: testN})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := start("127.0.0.1:0")
	addr := b.Addr()
	h := harnessAt(t, []string{addr})
	h.send("acme", -1, 5, "")
	_, stop := h.start("a", mem.New())
	h.counted(map[string]int{"acme": 5})
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	b = start(addr)
	h.send("acme", -1, 5, "")
	h.counted(map[string]int{"acme": 10})
	txns, err := kadm.NewClient(h.cl).ListTransactions(h.ctx(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, x := range txns.Sorted() {
		ids = append(ids, x.TxnID)
	}
	if !slices.Contains(ids, "crmstream-a-b2") {
		t.Errorf("after the second boot the transactional ids are %q", ids)
	}
	stop()
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
}
