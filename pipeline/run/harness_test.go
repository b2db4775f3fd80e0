package run

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
	"github.com/crmstream/crmstream/state"
)

const testN = 4

// jsonCodec stands in for the registry: JSON, no network.
type jsonCodec struct {
	mu   sync.Mutex
	away int // how many more Decodes find the registry away
	// amid is called in each transaction of a partition, after its outputs were made.
	amid atomic.Pointer[func()]
}

func (c *jsonCodec) Append(dst []byte, topic string, v any) ([]byte, error) {
	if amid := c.amid.Load(); amid != nil && topic == schemas.TopicJournal {
		(*amid)()
	}
	b, err := json.Marshal(v)
	return append(dst, b...), err
}

func (c *jsonCodec) Decode(_ context.Context, topic string, b []byte) (any, error) {
	if topic == schemas.TopicJournal {
		v := new(schemas.JournalEntry)
		return v, json.Unmarshal(b, v)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away > 0 {
		c.away--
		return nil, fmt.Errorf("test: %w", registry.ErrUnavailable)
	}
	if string(b) == "strange" {
		return nil, fmt.Errorf("test: %w", registry.ErrUnknownSchema)
	}
	if a := new(schemas.ControlAction); topic == schemas.TopicControlActions && json.Unmarshal(b, a) == nil && a.ActionID != "" {
		return a, nil
	}
	v := new(schemas.CallEvent)
	if err := json.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("%w: %w", registry.ErrNotAvro, err)
	}
	return v, nil
}

// counter is a pure task: it counts the records of each tenant, says each number
// once, and does what the record's direction names.
type counter struct{}

const tickKind = 1

func (counter) Step(tx *pipeline.Tx, in *pipeline.Record) error {
	call := in.Decoded.(*schemas.CallEvent)
	k := tx.Tenant(in.Tenant).Key('c', "n")
	v, _, err := tx.Store.Get(k)
	if err != nil {
		return err
	}
	n := uint64(1)
	if len(v) == 8 {
		n += binary.BigEndian.Uint64(v)
	}
	tx.Store.Put(k, binary.BigEndian.AppendUint64(nil, n))
	out := &schemas.SyncCall{CallID: fmt.Sprint(n)}
	if call.Direction == "huge" {
		out.CallID = strings.Repeat("x", schemas.RecordLimit)
	}
	tx.Emit(schemas.TopicSyncChanges, in.Tenant+"/"+call.CallID, out)
	switch call.Direction {
	case "panic":
		panic("asked to")
	case "later":
		n, err := strconv.Atoi(call.CallID)
		if err != nil {
			return err
		}
		// Of two a minute the one with the greater number is set first.
		tx.Schedule(pipeline.Timer{Due: tx.Now + int64(10-n/2)*60_000, Tenant: in.Tenant, Kind: tickKind, ID: fmt.Sprint(9 - n)})
	case "bad timer":
		tx.Schedule(pipeline.Timer{Due: tx.Now, Tenant: in.Tenant, Kind: tickKind, ID: "bad"})
	case "timer":
		tx.Schedule(pipeline.Timer{Due: tx.Now, Tenant: in.Tenant, Kind: tickKind, ID: call.CallID})
	}
	return nil
}

func (counter) Tick(tx *pipeline.Tx, tm pipeline.Timer) error {
	if tm.ID == "bad" {
		panic("a bad timer")
	}
	tx.Emit(schemas.TopicSyncChanges, tm.Tenant+"/tick", &schemas.SyncCall{CallID: "tick-" + tm.ID})
	return nil
}

func (counter) Resume(*pipeline.Tx) error { return nil }

// believers checks that no partition has two owners (P12).
type believers struct {
	mu  sync.Mutex
	who map[int32]string
	bad []string
}

type believer struct {
	all  *believers
	name string
}

func (b believer) Own(p int32) {
	b.all.mu.Lock()
	defer b.all.mu.Unlock()
	if o := b.all.who[p]; o != "" {
		b.all.bad = append(b.all.bad, fmt.Sprintf("partition %d: %s and %s", p, o, b.name))
	}
	b.all.who[p] = b.name
}

func (b believer) Disown(p int32) {
	b.all.mu.Lock()
	defer b.all.mu.Unlock()
	if b.all.who[p] == b.name {
		delete(b.all.who, p)
	}
}

func (b believer) Do(int32, []pipeline.Effect) {}

type harness struct {
	t     *testing.T
	c     *kfake.Cluster // nil where the broker is another
	addrs []string
	group string
	cl    *kgo.Client
	codec *jsonCodec
	task  pipeline.Task
	all   *believers
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	if kafkaBrokers != "" {
		return kafkaHarness(t)
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	h := harnessAt(t, c.ListenAddrs())
	h.c = c
	return h
}

// harnessAt is a harness on a broker of the test's own.
func harnessAt(t *testing.T, addrs []string) *harness {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	h := &harness{t: t, addrs: addrs, group: "crmstream", cl: cl, codec: &jsonCodec{}, task: counter{}, all: &believers{who: make(map[int32]string)}}
	if err := EnsureTopics(h.ctx(), cl, testN, 1); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *harness) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	h.t.Cleanup(cancel)
	return ctx
}

// start runs a member; stop ends it and waits.
func (h *harness) start(name string, db state.DB, with ...func(*Config)) (r *Runner, stop func()) {
	h.t.Helper()
	cfg := Config{Brokers: h.addrs, Group: h.group, Instance: name, Partitions: testN, Codec: h.codec, Task: h.task, Effects: believer{h.all, name}, DB: db}
	for _, w := range with {
		w(&cfg)
	}
	r, err := New(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				h.t.Errorf("%s: %v", name, err)
			}
		})
	}
	h.t.Cleanup(stop)
	return r, stop
}

// send produces calls of a tenant to a partition; negative = the right one.
func (h *harness) send(tenant string, partition int32, n int, direction string) {
	h.t.Helper()
	if partition < 0 {
		partition = schemas.PartitionOf(tenant, testN)
	}
	var recs []*kgo.Record
	for i := range n {
		v, _ := json.Marshal(&schemas.CallEvent{CallID: fmt.Sprint(i), Direction: direction})
		recs = append(recs, &kgo.Record{Topic: schemas.TopicDialerCalls, Partition: partition, Key: []byte(tenant), Value: v})
	}
	if err := h.cl.ProduceSync(h.ctx(), recs...).FirstErr(); err != nil {
		h.t.Fatal(err)
	}
}

// read returns the committed records of a topic once there are at least n.
func (h *harness) read(topic string, n int) []*kgo.Record {
	h.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.addrs...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		h.t.Fatal(err)
	}
	defer cl.Close()
	ctx := h.ctx()
	var recs []*kgo.Record
	for len(recs) < n {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			h.t.Fatalf("%s: %d of %d records came", topic, len(recs), n)
		}
		recs = append(recs, fs.Records()...)
	}
	return recs
}

// counted checks that each tenant's numbers 1..n stand on sync.changes once each.
func (h *harness) counted(want map[string]int) {
	h.t.Helper()
	total := 0
	for _, n := range want {
		total += n
	}
	got := make(map[string][]string)
	for _, r := range h.read(schemas.TopicSyncChanges, total) {
		var v schemas.SyncCall
		if err := json.Unmarshal(r.Value, &v); err != nil {
			h.t.Fatal(err)
		}
		tenant, _, _ := strings.Cut(string(r.Key), "/")
		got[tenant] = append(got[tenant], v.CallID)
	}
	for tenant, n := range want {
		if len(got[tenant]) != n {
			h.t.Errorf("%s: %d outputs, want %d", tenant, len(got[tenant]), n)
		}
		for i, id := range got[tenant] {
			if id != fmt.Sprint(i+1) {
				h.t.Fatalf("%s: output %d says %s", tenant, i+1, id)
			}
		}
	}
}

// eventually waits for a condition.
func (h *harness) eventually(what string, ok func() bool) {
	h.t.Helper()
	ctx := h.ctx()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			h.t.Fatalf("%s: it did not come", what)
		case <-tick.C:
		}
	}
}
