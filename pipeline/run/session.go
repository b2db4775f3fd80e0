package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// anchor is the topic whose partitions are balanced; the others follow it.
const anchor = schemas.TopicControlTenants

// idle is the longest that a poll waits: timers are looked at no later.
const idle = 500 * time.Millisecond

// session is the life of one client.
type session struct {
	r    *Runner
	txn  *kgo.GroupTransactSession
	cl   *kgo.Client
	adm  *kadm.Client
	boot boot

	mu       sync.Mutex
	restored map[int32]*owned // waiting for the loop
	revoked  bool             // something was taken from us: End before anything else
	refused  error
	wake     context.CancelFunc // of the poll under way

	paused map[string]map[int32]time.Time // waiting for the registry
}

func (r *Runner) session(ctx context.Context) error {
	s := &session{r: r, restored: make(map[int32]*owned), paused: make(map[string]map[int32]time.Time)}
	if err := s.open(ctx); err != nil {
		return err
	}
	defer s.close()
	for ctx.Err() == nil {
		// P12: the session passes on no further revoke until End has been called, even
		// where no transaction was begun.
		if s.takeRevoked() {
			if _, err := s.txn.End(context.WithoutCancel(ctx), kgo.TryAbort); err != nil {
				return fmt.Errorf("ending a transaction after a rebalance: %w", err)
			}
		}
		if err := s.adopt(); err != nil {
			return err
		}
		fetches := s.poll(ctx)
		err := s.work(ctx, fetches)
		s.cl.AllowRebalance()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *session) open(ctx context.Context) error {
	r := s.r
	plain, err := kgo.NewClient(r.clientOpts()...)
	if err != nil {
		return fmt.Errorf("connecting to Kafka: %w", err)
	}
	defer plain.Close()
	octx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if s.boot, err = r.readBoot(octx, kadm.NewClient(plain)); err != nil {
		return err
	}
	n, err := CheckTopics(octx, plain)
	if err != nil {
		return fmt.Errorf("checking topics: %w", err)
	}
	if n != r.cfg.Partitions {
		return fmt.Errorf("%w: the topics have %d partitions, this process was told %d: another number is a migration", ErrRefused, n, r.cfg.Partitions)
	}
	id := "crmstream-" + r.cfg.Instance
	if s.boot.Boot > 0 {
		id = fmt.Sprintf("%s-b%d", id, s.boot.Boot)
	}
	var topics []string
	for _, t := range schemas.Inputs() {
		topics = append(topics, t.Name)
	}
	opts := append(r.clientOpts(),
		kgo.TransactionalID(id), kgo.TransactionTimeout(10*time.Second),
		kgo.ConsumerGroup(r.cfg.Group), kgo.ConsumeTopics(topics...), kgo.Balancers(newAnchorBalancer(anchor, topics)),
		kgo.BlockRebalanceOnPoll(), kgo.SessionTimeout(r.cfg.Session), kgo.HeartbeatInterval(min(500*time.Millisecond, r.cfg.Session/3)),
		kgo.RebalanceTimeout(30*time.Second), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(2<<20),
		kgo.FetchMaxWait(500*time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { s.drop(m) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { s.drop(m) }),
		kgo.AdjustFetchOffsetsFn(s.restoreAssigned),
	)
	if r.cfg.Static {
		opts = append(opts, kgo.InstanceID(r.cfg.Instance))
	}
	if s.txn, err = kgo.NewGroupTransactSession(opts...); err != nil {
		return fmt.Errorf("connecting to Kafka: %w", err)
	}
	s.cl = s.txn.Client()
	s.adm = kadm.NewClient(s.cl)
	return nil
}

func (s *session) close() {
	s.cl.CloseAllowingRebalance()
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	for p := range s.r.owned {
		delete(s.r.owned, p)
		s.r.cfg.Effects.Disown(p)
	}
	s.r.metrics.owned.Set(0)
}

// drop forgets partitions that were revoked or lost.
func (s *session) drop(m map[string][]int32) {
	s.mu.Lock()
	for _, p := range m[anchor] {
		delete(s.restored, p)
		s.revoked = true
	}
	s.mu.Unlock()
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	for _, p := range m[anchor] {
		if _, ok := s.r.owned[p]; ok {
			delete(s.r.owned, p)
			s.r.cfg.Effects.Disown(p)
		}
	}
	s.r.metrics.owned.Set(float64(len(s.r.owned)))
}

func (s *session) takeRevoked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.revoked
	s.revoked = false
	return was
}

// restoreAssigned runs after the group's offsets of newly assigned partitions were
// fetched and before anything of them is: it restores them and moves the offsets
// to where their state stands.
func (s *session) restoreAssigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	var mu sync.Mutex
	for p := range offsets[anchor] {
		g.Go(func() error {
			o, stats, err := s.r.restore(gctx, s.adm, p)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			ahead, err := position(o, offsets)
			if err != nil {
				s.refuse(err)
				return err
			}
			s.mu.Lock()
			s.restored[p] = o
			s.mu.Unlock()
			s.r.count(func(st *Status) {
				st.RestoredCount += stats.Records
				if stats.Full {
					st.RestoredFull++
				} else {
					st.RestoredTail++
				}
				if ahead {
					st.StateAhead++
				}
			})
			s.r.metrics.restored.Add(float64(stats.Records))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.wake != nil {
		s.wake()
	}
	s.mu.Unlock()
	return offsets, nil
}

// position moves the offsets of a restored partition to its state's positions. State
// that is behind the group's offsets, though the changelog was read to its end, has
// lost something: the partition is refused.
func position(o *owned, offsets map[string]map[int32]kgo.Offset) (ahead bool, err error) {
	for topic, ps := range offsets {
		at, ok := ps[o.partition]
		if !ok {
			continue
		}
		next, known := o.pos.Next[topic]
		group := at.EpochOffset().Offset
		switch {
		case !known && group > 0 && o.pos.Sequence == 0:
			return false, fmt.Errorf("%w: partition %d has no state, but the group has read %s up to %d: the changelog was truncated; restore it, or reset the group to start anew", ErrRefused, o.partition, topic, group)
		case known && group > next:
			return false, fmt.Errorf("%w: state of partition %d stands at %s@%d, the group at %d: the changelog lacks committed transactions", ErrRefused, o.partition, topic, next, group)
		case known:
			ahead = ahead || group < next
			ps[o.partition] = kgo.NewOffset().At(next)
		}
	}
	return ahead, nil
}

func (s *session) refuse(err error) {
	s.mu.Lock()
	s.refused = err
	if s.wake != nil {
		s.wake()
	}
	s.mu.Unlock()
}

// adopt takes restored partitions over into the loop.
func (s *session) adopt() error {
	s.mu.Lock()
	fresh, refused := s.restored, s.refused
	s.restored = make(map[int32]*owned)
	s.mu.Unlock()
	if refused != nil {
		return refused
	}
	for p, o := range fresh {
		if err := o.lookAtTimers(); err != nil {
			return err
		}
		s.r.mu.Lock()
		s.r.owned[p] = o
		s.r.metrics.owned.Set(float64(len(s.r.owned)))
		s.r.mu.Unlock()
		s.r.cfg.Effects.Own(p)
	}
	return nil
}

func (o *owned) lookAtTimers() error {
	tm, ok, err := pipeline.NextTimer(o.store, o.partition)
	if err != nil {
		return fmt.Errorf("partition %d: %w", o.partition, err)
	}
	o.due = -1
	if ok {
		o.due = tm.Due
	}
	return nil
}

// caughtUp reports whether crm.results has been applied up to where it stood at the
// assignment.
func (o *owned) caughtUp() bool { return o.pos.Next[schemas.TopicCRMResults] >= o.resultsEnd }

// needs says whether there is something to do without any input.
func (o *owned) needs(now int64) bool {
	return o.caughtUp() && (!o.resumed || o.due >= 0 && o.due <= now)
}

// poll waits for records, until the next timer at the latest.
func (s *session) poll(ctx context.Context) kgo.Fetches {
	now := s.r.cfg.Now().UnixMilli()
	wait := idle
	for _, o := range s.snapshot() {
		if o.needs(now) {
			wait = 0
		} else if o.caughtUp() && o.due >= 0 {
			wait = min(wait, time.Duration(o.due-now)*time.Millisecond)
		}
	}
	if wait <= 0 {
		return s.cl.PollRecords(nil, s.r.cfg.MaxRecords) //nolint:staticcheck // nil: take what is there
	}
	pctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	s.mu.Lock()
	s.wake = cancel
	ready := len(s.restored) > 0 || s.refused != nil
	s.mu.Unlock()
	if ready {
		cancel()
	}
	return s.cl.PollRecords(pctx, s.r.cfg.MaxRecords)
}

func (s *session) snapshot() map[int32]*owned {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	m := make(map[int32]*owned, len(s.r.owned))
	for p, o := range s.r.owned {
		m[p] = o
	}
	return m
}

// work turns what was polled and what is due into one transaction.
func (s *session) work(ctx context.Context, fetches kgo.Fetches) error {
	if err := fetchError(fetches); err != nil {
		return err
	}
	if err := s.adopt(); err != nil { // records of a partition may come before the loop's next turn
		return err
	}
	mine := s.snapshot()
	batches := make(map[int32]*batch)
	get := func(p int32) *batch {
		b := batches[p]
		if b == nil {
			b = &batch{partition: p, n: s.r.cfg.Partitions, task: s.r.cfg.Task, codec: s.r.cfg.Codec}
			batches[p] = b
		}
		return b
	}
	unavailable := make(map[string]map[int32]kgo.EpochOffset)
	for it := fetches.RecordIter(); !it.Done(); {
		rec := it.Next()
		if _, waits := unavailable[rec.Topic][rec.Partition]; waits {
			continue
		}
		if mine[rec.Partition] == nil {
			return fmt.Errorf("a record of %s-%d came, which this member does not own", rec.Topic, rec.Partition)
		}
		in, err := judge(ctx, s.r.cfg.Codec, s.r.cfg.Partitions, rec)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if unavailable[rec.Topic] == nil {
				unavailable[rec.Topic] = make(map[int32]kgo.EpochOffset)
			}
			unavailable[rec.Topic][rec.Partition] = kgo.EpochOffset{Epoch: rec.LeaderEpoch, Offset: rec.Offset}
			s.r.cfg.Log.Warn("waiting for the schema registry", "topic", rec.Topic, "partition", rec.Partition, "why", err)
			continue
		}
		b := get(rec.Partition)
		b.inputs = append(b.inputs, in)
	}
	s.pause(unavailable)
	now := s.r.cfg.Now().UnixMilli()
	for p, o := range mine {
		if !o.needs(now) && batches[p] == nil {
			continue
		}
		b := get(p)
		b.now = now
		if o.caughtUp() && !o.resumed {
			b.resume = true
		}
		b.ticks = o.caughtUp() && o.resumed
	}
	if len(batches) == 0 {
		return nil
	}
	return s.transact(ctx, mine, batches)
}

// fetchError returns what a poll says beside records, but for its own time limit.
func fetchError(fs kgo.Fetches) error {
	var bad error
	fs.EachError(func(topic string, p int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			bad = fmt.Errorf("reading %s-%d: %w", topic, p, err)
		}
	})
	return bad
}

// pause stops reading of topic-partitions whose records can't be judged while the
// registry is away, goes back to the first such record, and resumes them after a
// while.
func (s *session) pause(at map[string]map[int32]kgo.EpochOffset) {
	now := s.r.cfg.Now()
	for t, ps := range s.paused {
		for p, until := range ps {
			if now.After(until) {
				s.cl.ResumeFetchPartitions(map[string][]int32{t: {p}})
				delete(ps, p)
			}
		}
	}
	if len(at) == 0 {
		return
	}
	for t, ps := range at {
		for p := range ps {
			s.cl.PauseFetchPartitions(map[string][]int32{t: {p}})
			if s.paused[t] == nil {
				s.paused[t] = make(map[int32]time.Time)
			}
			s.paused[t][p] = now.Add(idle)
		}
	}
	s.cl.SetOffsets(at)
}

// transact carries out one transaction of all touched partitions.
func (s *session) transact(ctx context.Context, mine map[int32]*owned, batches map[int32]*batch) error {
	began := time.Now()
	if err := s.txn.Begin(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	// What has begun is finished also when the process is told to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for p, b := range batches {
		g.Go(func() error {
			sortInputs(b.inputs)
			return b.run(mine[p].store, mine[p].pos)
		})
	}
	if err := g.Wait(); err != nil {
		_, aerr := s.txn.End(ctx, kgo.TryAbort)
		return errors.Join(err, aerr)
	}
	ends, err := s.produce(ctx, batches)
	if err != nil {
		s.r.metrics.aborts.Inc()
		_, aerr := s.txn.End(ctx, kgo.TryAbort)
		return errors.Join(fmt.Errorf("producing: %w", err), aerr)
	}
	committed, err := s.txn.End(kgo.PreTxnCommitFnContext(ctx, s.fence(mine, batches)), kgo.TryCommit)
	if err != nil {
		return fmt.Errorf("committing: %w", err) // unknown or fenced: only a new client knows
	}
	if !committed {
		s.r.metrics.aborts.Inc()
		return nil // rewound; the overlays are dropped
	}
	s.r.metrics.transactions.Inc()
	s.r.metrics.commit.Observe(time.Since(began).Seconds())
	return s.settle(mine, batches, ends)
}

// produce sends outputs, changelog and journal, and returns the next changelog
// offset of each partition.
func (s *session) produce(ctx context.Context, batches map[int32]*batch) (map[int32]*atomic.Int64, error) {
	var failed atomic.Pointer[error]
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	ends := make(map[int32]*atomic.Int64, len(batches))
	var pending sync.WaitGroup
	send := func(rec *kgo.Record, done func(*kgo.Record, error)) {
		pending.Add(1)
		s.cl.Produce(ctx, rec, func(r *kgo.Record, err error) {
			done(r, err)
			pending.Done()
		})
	}
	for p, b := range batches {
		for _, o := range b.out {
			rec := &kgo.Record{Topic: o.topic, Partition: o.partition, Key: o.key, Value: o.value}
			for _, h := range o.headers {
				rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
			send(rec, promise)
		}
		end := new(atomic.Int64)
		ends[p] = end
		changelog := func(r *kgo.Record, err error) {
			promise(r, err)
			if err == nil && r.Offset+1 > end.Load() {
				end.Store(r.Offset + 1)
			}
		}
		for _, w := range b.writes {
			send(&kgo.Record{Topic: schemas.TopicChangelog, Partition: p, Key: w.Key.Bytes(), Value: w.Value}, changelog)
		}
		value, err := s.r.cfg.Codec.Append(nil, schemas.TopicJournal, b.journal)
		if err != nil {
			return nil, err
		}
		send(&kgo.Record{Topic: schemas.TopicJournal, Partition: p, Key: fmt.Append(nil, p), Value: value}, promise)
	}
	pending.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return ends, nil
}

// fence puts an offset of the anchor topic into the commit for every touched
// partition (P12): the group's coordinator refuses it from a member that was
// thrown out; a commit without offsets would pass.
func (s *session) fence(mine map[int32]*owned, batches map[int32]*batch) func(*kmsg.TxnOffsetCommitRequest) error {
	return func(req *kmsg.TxnOffsetCommitRequest) error {
		var topic *kmsg.TxnOffsetCommitRequestTopic
		for i := range req.Topics {
			if req.Topics[i].Topic == anchor {
				topic = &req.Topics[i]
			}
		}
		if topic == nil {
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic = anchor
			req.Topics = append(req.Topics, t)
			topic = &req.Topics[len(req.Topics)-1]
		}
		have := make(map[int32]bool)
		for _, p := range topic.Partitions {
			have[p.Partition] = true
		}
		for p, b := range batches {
			if have[p] {
				continue
			}
			tp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			tp.Partition, tp.Offset, tp.LeaderEpoch = p, b.pos.Next[anchor], -1
			topic.Partitions = append(topic.Partitions, tp)
		}
		return nil
	}
}

// settle takes a committed transaction over: store first, then effects (P1, P2).
func (s *session) settle(mine map[int32]*owned, batches map[int32]*batch, ends map[int32]*atomic.Int64) error {
	for p, b := range batches {
		o := mine[p]
		o.mark.Next = max(o.mark.Next, ends[p].Load())
		o.mark.AppliedAt, o.mark.Restoring = s.r.cfg.Now().UnixMilli(), false
		if err := o.store.Apply(b.writes, o.mark); err != nil {
			return fmt.Errorf("%w: partition %d: %w", ErrRefused, p, err)
		}
		s.r.mu.Lock()
		o.pos = b.pos
		if b.resume {
			o.resumed = true
		}
		s.r.stats.Transactions++
		s.r.stats.Records += int64(len(b.inputs))
		s.r.stats.DeadLetters += int64(len(b.journal.Isolated))
		s.r.stats.Forwarded += int64(b.forwarded)
		_, still := s.r.owned[p]
		s.r.mu.Unlock()
		s.r.metrics.records.Add(float64(len(b.inputs)))
		s.r.metrics.forwarded.Add(float64(b.forwarded))
		s.r.metrics.timers.Add(float64(b.journal.Timers))
		for _, i := range b.journal.Isolated {
			s.r.metrics.deadLetters.WithLabelValues(i.Reason).Inc()
		}
		if err := o.lookAtTimers(); err != nil {
			return err
		}
		if effects := b.tx.Effects(); len(effects) > 0 && still {
			s.r.cfg.Effects.Do(p, effects) // P1: after the commit
		}
	}
	return nil
}

func (r *Runner) count(fn func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn(&r.stats)
}
