package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/mem"
)

// recorder is the effects of a member and a watch over its store: what left, and how
// often something of a tenant was written.
type recorder struct {
	mu      sync.Mutex
	effects map[string]int // attempt id -> how often it was handed over
	stored  int
	taken   []int32
}

func newRecorder() *recorder { return &recorder{effects: make(map[string]int)} }

func (r *recorder) Own(int32) {}

func (r *recorder) Disown(p int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken = append(r.taken, p)
}

func (r *recorder) Do(_ int32, effects []pipeline.Effect) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range effects {
		r.effects[e.(pipeline.Start).Attempt.ID]++
	}
}

func (r *recorder) seen() (effects map[string]int, stored int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.effects), r.stored
}

type watchedDB struct {
	state.DB
	r *recorder
}

func (d watchedDB) Store(p int32) state.Store { return watchedStore{d.DB.Store(p), d.r} }

type watchedStore struct {
	state.Store
	r *recorder
}

func (s watchedStore) Apply(ws []state.Write, wm state.Watermark) error {
	if slices.ContainsFunc(ws, func(w state.Write) bool { return w.Key.TenantName() != "" }) {
		s.r.mu.Lock()
		s.r.stored++
		s.r.mu.Unlock()
	}
	return s.Store.Apply(ws, wm)
}

// Whether the commit is refused or taken back: as long as none has succeeded, no effect
// was handed over and nothing was written to the store; then each leaves once (P1, P2).
func TestNothingLeavesBeforeItsCommit(t *testing.T) {
	onlyFake(t, "it answers requests in the broker's place")
	for name, refuse := range map[string]func(h *harness, left *atomic.Int64){
		"the commit is refused": func(_ *harness, left *atomic.Int64) { left.Store(2) },
		"the offsets are refused": func(h *harness, _ *atomic.Int64) {
			h.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, TxnID: "crmstream-a", Err: kerr.IllegalGeneration, Count: 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.task = ledger{}
			rec := newRecorder()
			r, _ := h.start("a", watchedDB{mem.New(), rec}, func(c *Config) { c.Effects = rec })
			h.eventually("resumed", func() bool {
				s := r.Status()
				return len(s.Partitions) == testN && !slices.ContainsFunc(s.Partitions, func(p PartitionStatus) bool { return !p.Resumed })
			})
			var left, commits atomic.Int64
			refuse(h, &left)
			h.c.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
				if !req.(*kmsg.EndTxnRequest).Commit || left.Load() < 0 {
					return nil, nil, false
				}
				commits.Add(1)
				if effects, stored := rec.seen(); len(effects) > 0 || stored > 0 {
					t.Errorf("before the first commit %d effects were handed over, and %d batches written to the store", len(effects), stored)
				}
				if left.Add(-1) < 0 {
					return nil, nil, false // this one succeeds
				}
				h.c.KeepControl()
				resp := req.ResponseKind().(*kmsg.EndTxnResponse)
				resp.ErrorCode = kerr.InvalidProducerEpoch.Code
				return resp, nil, true
			})
			want := left.Load() + 1
			h.send("acme", -1, 10, "")
			h.eventually("a commit", func() bool { return left.Load() < 0 || t.Failed() })
			if t.Failed() {
				return // what came of it is another matter
			}
			h.counted(map[string]int{"acme": 10})
			h.eventually("ten effects", func() bool { effects, _ := rec.seen(); return len(effects) == 10 })
			effects, _ := rec.seen()
			for id, n := range effects {
				if n != 1 {
					t.Errorf("the effect of %s was handed over %d times", id, n)
				}
			}
			if n := commits.Load(); n < want {
				t.Errorf("%d commits came, want %d: the test did not test", n, want)
			}
		})
	}
}

// ran is a batch of these calls that was run.
func ran(t *testing.T, task pipeline.Task, store state.Store, ids ...string) *batch {
	t.Helper()
	b := &batch{n: testN, task: task, codec: &jsonCodec{}, now: 1000}
	for i, id := range ids {
		b.inputs = append(b.inputs, &input{Record: pipeline.Record{Topic: schemas.TopicDialerCalls, Offset: int64(i), Tenant: "acme", Key: []byte("acme"),
			Decoded: &schemas.CallEvent{CallID: id}}})
	}
	if err := b.run(store, &positions{Next: make(map[string]int64)}); err != nil {
		t.Fatal(err)
	}
	return b
}

// hasty hands an effect over and then panics on the call "bad".
type hasty struct{ ledger }

func (h hasty) Step(tx *pipeline.Tx, in *pipeline.Record) error {
	if err := h.ledger.Step(tx, in); err != nil {
		return err
	}
	if in.Decoded.(*schemas.CallEvent).CallID == "bad" {
		panic("asked to")
	}
	return nil
}

// The effect of a record that was given up is taken back with it (P1).
func TestNoEffectOfARecordThatWasGivenUp(t *testing.T) {
	b := ran(t, hasty{}, mem.New().Store(0), "1", "bad", "2")
	var ids []string
	for _, e := range b.tx.Effects() {
		ids = append(ids, e.(pipeline.Start).Attempt.ID)
	}
	if fmt.Sprint(ids) != "[1 2]" || len(b.journal.Isolated) != 1 {
		t.Errorf("effects %q, %d records given up; want those of 1 and 2, and one", ids, len(b.journal.Isolated))
	}
}

// offline is a session that reaches no broker.
func offline(t *testing.T, rec *recorder) *session {
	t.Helper()
	r, err := New(Config{Brokers: []string{"127.0.0.1:1"}, Instance: "a", Partitions: testN, Codec: &jsonCodec{}, Task: ledger{}, Effects: rec, DB: mem.New()})
	if err != nil {
		t.Fatal(err)
	}
	return &session{r: r, silenced: make(map[int32]bool)}
}

// What was committed at the moment that its partition was taken away is the next
// owner's: it is not written to our store, and its effects are not ours to hand over
// (P12).
func TestATakenPartitionIsNotSettled(t *testing.T) {
	for name, c := range map[string]struct {
		owned func(o *owned) *owned
		want  int
	}{
		"owned":               {func(o *owned) *owned { return o }, 1},
		"taken":               {func(*owned) *owned { return nil }, 0},
		"taken and back anew": {func(o *owned) *owned { anew := *o; return &anew }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder()
			s := offline(t, rec)
			o := &owned{store: watchedDB{mem.New(), rec}.Store(0), pos: &positions{Next: make(map[string]int64)}}
			b := ran(t, ledger{}, o.store, "1")
			if now := c.owned(o); now != nil {
				s.r.owned[0] = now
			}
			if err := s.settle(map[int32]*owned{0: o}, map[int32]*batch{0: b}); err != nil {
				t.Fatal(err)
			}
			if effects, stored := rec.seen(); len(effects) != c.want || stored != c.want {
				t.Errorf("%d effects handed over, %d batches written, want %d of each", len(effects), stored, c.want)
			}
		})
	}
}

// A transaction of timers, too, is not committed once one of its partitions was taken
// away (P12).
func TestNoCommitOfWhatWasTaken(t *testing.T) {
	s := offline(t, newRecorder())
	o := &owned{pos: &positions{Next: make(map[string]int64)}}
	mine, batches := map[int32]*owned{0: o}, map[int32]*batch{0: ran(t, ledger{}, mem.New().Store(0))}
	s.r.owned[0] = o
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	if err := s.fence(mine, batches)(req); err != nil || len(req.Topics) != 1 || req.Topics[0].Topic != anchor || len(req.Topics[0].Partitions) != 1 {
		t.Errorf("owned: %v, with %+v; want the anchor's partition in the commit", err, req.Topics)
	}
	delete(s.r.owned, 0)
	if err := s.fence(mine, batches)(kmsg.NewPtrTxnOffsetCommitRequest()); !errors.Is(err, kerr.RebalanceInProgress) {
		t.Errorf("taken: %v", err)
	}
}

// A member that has heard nothing for a session believes in none of its partitions any
// more, and says so to what runs for them (P12).
func TestALeaseThatRanOutEndsAll(t *testing.T) {
	rec := newRecorder()
	s := offline(t, rec)
	s.held = newHeld(s.prune)
	s.held.synced([]int32{2})
	number, _ := s.held.assignment(2)
	s.r.owned[2] = &owned{partition: 2, assignment: number}
	var now time.Duration
	s.lease = newLease(func() time.Duration { return now }, time.Second, time.Second)
	now = time.Second + 1
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s.guardLease(ctx)
	if len(s.r.owned) != 0 || s.held.size() != 0 || !slices.Equal(rec.taken, []int32{2}) || s.failure() == nil {
		t.Errorf("%d owned, %d held, taken from the effects %v, the session ends with %v", len(s.r.owned), s.held.size(), rec.taken, s.failure())
	}
}

// A restore reads to the high watermark: what is being committed while it begins is
// part of the group's offsets, and the last stable offset stands before it (P12).
func TestRestoreReadsWhatIsBeingCommitted(t *testing.T) {
	onlyFake(t, "it looks at requests on their way")
	h := newHarness(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.addrs...), kgo.TransactionalID("slow"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	key := state.TenantIn(1, "acme").Key('k', "x")
	if err := cl.ProduceSync(h.ctx(), &kgo.Record{Topic: schemas.TopicChangelog, Partition: 1, Key: key.Bytes(), Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	reading := make(chan struct{})
	var once sync.Once
	h.c.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		once.Do(func() { close(reading) })
		return nil, nil, false
	})
	r, err := New(Config{Brokers: h.addrs, Instance: "a", Partitions: testN, Codec: h.codec, Task: h.task, Effects: newRecorder(), DB: mem.New()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, done := h.ctx(), make(chan error, 1)
	go func() {
		_, _, err := r.restore(ctx, kadm.NewClient(h.cl), boot{}, 1)
		done <- err
	}()
	select {
	case <-reading:
	case err := <-done:
		t.Fatalf("restored without what is being committed: %v", err)
	}
	if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if v, ok, err := r.cfg.DB.Store(1).Get(key); string(v) != "v" || !ok || err != nil {
		t.Errorf("restored %q, %v, %v", v, ok, err)
	}
}

// hookedDB calls a function when a store is asked for.
type hookedDB struct {
	state.DB
	asked func()
}

func (d hookedDB) Store(p int32) state.Store { d.asked(); return d.DB.Store(p) }

// What is taken away while it is being restored is not owned, also where it came back
// before the restore was done (P12).
func TestTakenWhileRestored(t *testing.T) {
	for name, again := range map[string]bool{"taken": false, "taken and back": true} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			var s *session
			db := hookedDB{mem.New(), func() {
				s.held.synced([]int32{0})
				if again {
					s.held.synced([]int32{0, 1})
				}
			}}
			r, err := New(Config{Brokers: h.addrs, Instance: "a", Partitions: testN, Codec: h.codec, Task: h.task, Effects: newRecorder(), DB: db})
			if err != nil {
				t.Fatal(err)
			}
			s = &session{r: r, adm: kadm.NewClient(h.cl), silenced: make(map[int32]bool)}
			s.held = newHeld(s.prune)
			s.held.synced([]int32{0, 1})
			offsets := map[string]map[int32]kgo.Offset{anchor: {1: kgo.NewOffset().At(0)}}
			got, err := s.restoreAssigned(h.ctx(), offsets)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.owned) != 0 || len(got[anchor]) != 0 {
				t.Errorf("%d partitions are owned, and %v is read", len(r.owned), got)
			}
		})
	}
}

// A store that may lack something, or that has what is not ours, is made anew (P2).
func TestAStoreThatCannotBeTrustedIsWiped(t *testing.T) {
	h := newHarness(t)
	adm := kadm.NewClient(h.cl)
	md, err := adm.Metadata(h.ctx(), schemas.TopicChangelog)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	good := state.Watermark{Cluster: md.Cluster, TopicID: md.Topics[schemas.TopicChangelog].ID, AppliedAt: now.UnixMilli()}
	for name, c := range map[string]struct {
		change func(*state.Watermark)
		wiped  bool
	}{
		"ours and new":                     {func(*state.Watermark) {}, false},
		"older than tombstones are kept":   {func(wm *state.Watermark) { wm.AppliedAt = now.Add(-tombstoneAge()).UnixMilli() }, true},
		"of another cluster":               {func(wm *state.Watermark) { wm.Cluster += "x" }, true},
		"of a changelog that was replaced": {func(wm *state.Watermark) { wm.TopicID[0]++ }, true},
		"ahead of the changelog":           {func(wm *state.Watermark) { wm.Next = 1 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			db, wm := mem.New(), good
			c.change(&wm)
			key := state.TenantIn(1, "acme").Key('k', "x")
			if err := db.Store(1).Apply([]state.Write{{Key: key, Value: []byte("old")}}, wm); err != nil {
				t.Fatal(err)
			}
			r, err := New(Config{Brokers: h.addrs, Instance: "a", Partitions: testN, Codec: h.codec, Task: h.task, Effects: newRecorder(), DB: db, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			_, stats, err := r.restore(h.ctx(), adm, boot{}, 1)
			if err != nil {
				t.Fatal(err)
			}
			if _, has, err := db.Store(1).Get(key); has == c.wiped || stats.Full != c.wiped || err != nil {
				t.Errorf("wiped: %v, restored in full: %v, want %v; %v", !has, stats.Full, c.wiped, err)
			}
		})
	}
}

// However many timers are due, one transaction fires so many and no more (P8).
func TestTimersOfOneTransactionAreBounded(t *testing.T) {
	store := mem.New().Store(0)
	tx := pipeline.NewTx(0, 0, store)
	for i := range maxTicks + 500 {
		tx.Schedule(pipeline.Timer{Due: 1, Tenant: "acme", Kind: tickKind, ID: fmt.Sprint(i)})
	}
	if err := store.Apply(tx.Store.Writes(), state.Watermark{}); err != nil {
		t.Fatal(err)
	}
	b := &batch{n: testN, task: ledger{}, codec: &jsonCodec{}, now: 1000, ticks: true}
	if err := b.run(store, &positions{Next: make(map[string]int64)}); err != nil {
		t.Fatal(err)
	}
	if b.journal.Timers != maxTicks {
		t.Errorf("%d timers fired, want %d", b.journal.Timers, maxTicks)
	}
}
