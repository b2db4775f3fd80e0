package run

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/mem"
)

var (
	ownershipRounds = flag.Int("ownership.rounds", 2, "rounds of each scenario of TestOwnership")
	ownershipStory  = flag.Bool("ownership.story", false, "tell what happened in each round, also where all was well")
)

// ledger is a pure task: each call is said once on sync.changes, by its id and its
// place among its tenant's, and is one effect; some set a timer, which is said too.
type ledger struct{}

func (ledger) Step(tx *pipeline.Tx, in *pipeline.Record) error {
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
	tx.Emit(schemas.TopicSyncChanges, in.Tenant+"/"+call.CallID, &schemas.SyncCall{CallID: fmt.Sprint(n)})
	tx.Do(pipeline.Start{Attempt: &schemas.Attempt{ID: call.CallID}})
	if call.Direction != "" {
		after, err := time.ParseDuration(call.Direction)
		if err != nil {
			return err
		}
		tx.Schedule(pipeline.Timer{Due: tx.Now + after.Milliseconds(), Tenant: in.Tenant, Kind: tickKind, ID: call.CallID})
	}
	return nil
}

func (ledger) Tick(tx *pipeline.Tx, tm pipeline.Timer) error {
	tx.Emit(schemas.TopicSyncChanges, tm.Tenant+"/tick-"+tm.ID, &schemas.SyncCall{})
	tx.Do(pipeline.Start{Attempt: &schemas.Attempt{ID: "tick-" + tm.ID}})
	return nil
}

func (ledger) Resume(*pipeline.Tx) error { return nil }

// round is one group of members through one scenario.
type round struct {
	*harness
	rnd     *rand.Rand // of what happens
	calls   *rand.Rand // of what is sent meanwhile
	session time.Duration
	check   *ownerCheck
	members map[string]*member
	sent    map[string][]string // tenant -> ids in order
	ticks   int
}

type member struct {
	r    *Runner
	net  *network
	db   state.DB
	stop func()
	dead bool
}

func newRound(t *testing.T, seed uint64) *round {
	h := newHarness(t)
	h.task = ledger{}
	r := &round{harness: h, rnd: rand.New(rand.NewPCG(seed, 1)), calls: rand.New(rand.NewPCG(seed, 2)), session: shortSession, check: newOwnerCheck(),
		members: make(map[string]*member), sent: make(map[string][]string)}
	if kafkaBrokers != "" {
		r.session = kafkaSession(t, h)
	}
	return r
}

// kafkaSession is the shortest session that the broker lets a member have, but at
// least 2 s.
func kafkaSession(t *testing.T, h *harness) time.Duration {
	configs, err := kadm.NewClient(h.cl).DescribeBrokerConfigs(h.ctx(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range configs[0].Configs {
		if c.Key == "group.min.session.timeout.ms" {
			var ms int
			if _, err := fmt.Sscan(*c.Value, &ms); err != nil {
				t.Fatal(err)
			}
			return max(2*time.Second, time.Duration(ms)*time.Millisecond)
		}
	}
	t.Fatal("the broker does not say its shortest session")
	return 0
}

// join starts a member; one that was there before comes back with its store.
func (r *round) join(name string) {
	r.t.Helper()
	m := r.members[name]
	if m == nil {
		m = &member{db: mem.New()}
		r.members[name] = m
	}
	r.check.note("%s joins", name)
	m.net, m.dead = newNetwork(), false
	m.r, m.stop = r.start(name, m.db, func(c *Config) {
		c.Effects, c.Session, c.Log = r.check.as(name), r.session, r.check.logger(name)
		c.Opts = []kgo.Opt{kgo.Dialer(m.net.dial), kgo.ClientID(name), kgo.RequestTimeoutOverhead(2 * time.Second)}
	})
	r.t.Cleanup(func() {
		if m.dead {
			m.net.set(netRefuses) // its end waits for no answer
		}
	})
}

// leave stops a member cleanly.
func (r *round) leave(name string) {
	r.check.note("%s leaves", name)
	r.members[name].stop()
}

// send produces n calls.
func (r *round) send(n int) {
	r.t.Helper()
	if err := r.produce(n); err != nil {
		r.t.Fatal(err)
	}
}

// produce spreads n calls over tenants and so over partitions; some set a timer.
func (r *round) produce(n int) error {
	var recs []*kgo.Record
	for range n {
		tenant := fmt.Sprintf("t%d", r.calls.IntN(3*testN))
		id := fmt.Sprintf("%s-%d", tenant, len(r.sent[tenant])+1)
		r.sent[tenant] = append(r.sent[tenant], id)
		call := &schemas.CallEvent{CallID: id}
		if r.calls.IntN(3) == 0 {
			call.Direction = fmt.Sprintf("%dms", r.calls.IntN(1500))
			r.ticks++
		}
		v, err := json.Marshal(call)
		if err != nil {
			return err
		}
		recs = append(recs, &kgo.Record{Topic: schemas.TopicDialerCalls, Partition: schemas.PartitionOf(tenant, testN), Key: []byte(tenant), Value: v})
	}
	return r.cl.ProduceSync(r.ctx(), recs...).FirstErr()
}

// busy sends calls all the time that do takes.
func (r *round) busy(do func()) {
	r.t.Helper()
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			if err := r.produce(1 + r.calls.IntN(10)); err != nil {
				done <- err
				return
			}
			select {
			case <-stop:
				done <- nil
				return
			case <-tick.C:
			}
		}
	}()
	defer func() {
		close(stop)
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	}()
	do()
}

// shared waits until the named members own all partitions, each at least one of them,
// and nobody else any.
func (r *round) shared(names ...string) {
	r.t.Helper()
	r.check.note("%v should share", names)
	r.eventually(fmt.Sprintf("%v share the partitions", names), func() bool {
		sum := 0
		for _, name := range names {
			mine, all := r.check.of(name)
			if mine == 0 || all != testN {
				return false
			}
			sum += mine
		}
		return sum == testN
	})
	r.check.note("%v share", names)
}

// verify stops all members and counts: each call said once, in order, each timer
// fired once, each effect of something that was said.
func (r *round) verify() {
	r.t.Helper()
	want := r.ticks
	for _, ids := range r.sent {
		want += len(ids)
	}
	r.read(schemas.TopicSyncChanges, want) // all came
	var stopping sync.WaitGroup
	for _, m := range r.members {
		if !m.dead {
			stopping.Go(m.stop)
		}
	}
	stopping.Wait()
	said, place := make(map[string]int), make(map[string]int)
	for _, o := range r.readAll(schemas.TopicSyncChanges) {
		tenant, id, _ := strings.Cut(string(o.Key), "/")
		if said[id]++; said[id] > 1 {
			r.check.mu.Lock()
			r.check.fail("%s was said twice", id)
			r.check.mu.Unlock()
		}
		if strings.HasPrefix(id, "tick-") {
			continue
		}
		var v schemas.SyncCall
		if err := json.Unmarshal(o.Value, &v); err != nil {
			r.t.Fatal(err)
		}
		place[tenant]++
		if n := place[tenant]; n > len(r.sent[tenant]) || r.sent[tenant][n-1] != id || v.CallID != fmt.Sprint(n) {
			r.t.Errorf("%s says %s as its number %d, in place %d", tenant, id, len(said), n)
		}
	}
	if len(said) != want {
		r.t.Errorf("%d were said, want %d", len(said), want)
	}
	r.check.mu.Lock()
	for id, who := range r.check.effects {
		if said[id] == 0 {
			r.check.fail("%s handed over the effect of %s, which was not committed", who, id)
		}
	}
	r.check.mu.Unlock()
}

// readAll returns all committed records of a topic.
func (h *harness) readAll(topic string) []*kgo.Record {
	h.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.addrs...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		h.t.Fatal(err)
	}
	defer cl.Close()
	ends := make(map[int32]int64)
	for p := range int32(testN) {
		if _, _, high := h.offsets(topic, p); high > 0 {
			ends[p] = high
		}
	}
	ctx := h.ctx()
	var recs []*kgo.Record
	for len(ends) > 0 {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			h.t.Fatalf("reading %s to %v: %v", topic, ends, err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= ends[r.Partition] {
				delete(ends, r.Partition)
			}
			if !r.Attrs.IsControl() {
				recs = append(recs, r)
			}
		})
	}
	return recs
}

// eject throws a member out of the group behind its back.
func (r *round) eject(name string) {
	r.t.Helper()
	adm := kadm.NewClient(r.cl)
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = r.group
	r.eventually("a stable group with "+name, func() bool {
		groups, err := adm.DescribeGroups(r.ctx(), r.group)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, m := range groups[r.group].Members {
			if m.ClientID == name && groups[r.group].State == "Stable" {
				lm := kmsg.NewLeaveGroupRequestMember()
				lm.MemberID = m.MemberID
				req.Members = append(req.Members, lm)
			}
		}
		return len(req.Members) > 0
	})
	r.check.excuse(name, time.Now().Add(2*time.Second))
	r.check.note("%s is thrown out", name)
	if _, err := req.RequestWith(r.ctx(), r.cl); err != nil {
		r.t.Fatal(err)
	}
}

// pause lets some time go by, of which the test wants that nothing happens.
func (r *round) pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(r.t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

// dies kills a member at its next commit: with all of it sent but the commit, or with
// the commit sent and its answer lost.
func (r *round) dies(name string, committed bool) (at <-chan struct{}) {
	gone := make(chan struct{})
	m := r.members[name]
	m.dead = true
	m.net.armCut(int16(kmsg.EndTxn), netSilent, committed, func() {
		r.check.died(name)
		close(gone)
	})
	return gone
}

var scenarios = []struct {
	name string
	run  func(r *round)
}{
	{"members join and leave under load", func(r *round) {
		r.join("a")
		r.shared("a")
		r.busy(func() { r.join("b"); r.shared("a", "b") })
		r.busy(func() { r.join("c"); r.shared("a", "b", "c") })
		gone := []string{"a", "b", "c"}[r.rnd.IntN(3)]
		var stay []string
		for _, n := range []string{"a", "b", "c"} {
			if n != gone {
				stay = append(stay, n)
			}
		}
		r.busy(func() { r.leave(gone); r.shared(stay...) })
		r.busy(func() { r.join(gone); r.shared("a", "b", "c") })
	}},
	{"a busy member is cut off", func(r *round) { cutOff(r, netRefuses, true) }},
	{"an idle member is cut off", func(r *round) { cutOff(r, netRefuses, false) }},
	{"a busy member hears nothing", func(r *round) { cutOff(r, netSilent, true) }},
	{"an idle member hears nothing", func(r *round) { cutOff(r, netSilent, false) }},
	{"a member dies before its commit", func(r *round) { dead(r, false) }},
	{"a member dies after its commit", func(r *round) { dead(r, true) }},
	{"members are thrown out", func(r *round) {
		r.join("a")
		r.join("b")
		r.shared("a", "b")
		for range 4 {
			name := []string{"a", "b"}[r.rnd.IntN(2)]
			if r.rnd.IntN(2) == 0 {
				r.busy(func() { r.eject(name); r.harness.members(2) })
			} else {
				r.send(200) // their timers fire with nothing polled
				r.pause(time.Duration(r.rnd.IntN(700)) * time.Millisecond)
				r.eject(name)
				r.harness.members(2)
			}
			r.shared("a", "b")
		}
	}},
}

// cutOff cuts one of two members off for longer than its session, and heals it.
func cutOff(r *round, as netState, busy bool) {
	r.join("a")
	r.join("b")
	r.shared("a", "b")
	r.send(50)
	cut := func() {
		r.check.note("a is cut off")
		r.members["a"].net.set(as)
		r.shared("b")
		r.pause(time.Duration(r.rnd.IntN(500)) * time.Millisecond)
		r.check.note("a is back")
		r.members["a"].net.set(netUp)
		r.shared("a", "b")
	}
	if busy {
		r.busy(cut)
		return
	}
	r.pause(time.Duration(r.rnd.IntN(1000)) * time.Millisecond)
	cut()
	r.send(50)
}

// dead kills one of two members amid its commit; the other must not wait for the
// transaction's timeout, and the dead one comes back.
func dead(r *round, committed bool) {
	r.join("a")
	r.join("b")
	r.shared("a", "b")
	gone := r.dies("a", committed)
	var took time.Duration
	r.busy(func() {
		<-gone
		died := time.Now()
		r.shared("b")
		took = time.Since(died)
	})
	r.t.Logf("taken over after %v, with a session of %v", took.Round(time.Millisecond), r.session)
	// 10 s after its begin the broker itself begins to look for the transaction.
	if limit := r.session + 3*time.Second; took > limit {
		r.t.Errorf("taken over after %v, want less than %v", took, limit)
	}
}

// Whatever happens to members of a group: each call is applied once and in order,
// each timer fires once, no effect leaves without its commit, and no partition has
// two believers (P1, P6, P12).
func TestOwnership(t *testing.T) {
	rounds := *ownershipRounds
	if testing.Short() {
		rounds = 1
	}
	for _, s := range scenarios {
		for seed := range rounds {
			t.Run(fmt.Sprintf("%s/%d", s.name, seed), func(t *testing.T) {
				if kafkaBrokers == "" {
					t.Parallel() // each has a broker of its own
				}
				r := newRound(t, uint64(seed))
				defer r.check.report(t)
				s.run(r)
				r.verify()
			})
		}
	}
}
