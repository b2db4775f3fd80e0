package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
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
	restored map[int32]*owned   // waiting for the loop
	revoked  bool               // something was taken from us: End before anything else
	failed   error              // what a restore ended with: ends the session
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

func (s *session) open(ctx context.Context) (err error) {
	r := s.r
	plain, err := kgo.NewClient(r.clientOpts()...)
	if err != nil {
		return fmt.Errorf("connecting to Kafka: %w", err)
	}
	defer func() {
		if err != nil {
			plain.Close()
		}
	}()
	// Restores begin while the group's client is still being made: they have their own.
	s.adm = kadm.NewClient(plain)
	octx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if s.boot, err = r.readBoot(octx, s.adm); err != nil {
		return err
	}
	n, err := CheckTopics(octx, plain)
	if err != nil {
		return fmt.Errorf("checking topics: %w", err)
	}
	if n != r.cfg.Partitions {
		return fmt.Errorf("%w: the topics have %d partitions, this process was told %d: another number is a migration", ErrRefused, n, r.cfg.Partitions)
	}
	id := transactionalPrefix + r.cfg.Instance
	if s.boot.Boot > 0 {
		id = fmt.Sprintf("%s-b%d", id, s.boot.Boot)
	}
	// Our own last transaction is ended now and not at the first record: restoring
	// would wait for it.
	if err = r.fence(octx, id); err != nil {
		return fmt.Errorf("fencing the last session: %w", err)
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
	return nil
}

func (s *session) close() {
	s.cl.CloseAllowingRebalance()
	s.adm.Close()
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
			o, stats, err := s.r.restore(gctx, s.adm, s.boot, p)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			ahead, err := position(o, offsets)
			if err != nil {
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
		if ctx.Err() == nil {
			s.fail(err) // the client would try again for ever, and say nothing
		}
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

func (s *session) fail(err error) {
	s.mu.Lock()
	s.failed = err
	if s.wake != nil {
		s.wake()
	}
	s.mu.Unlock()
}

// adopt takes restored partitions over into the loop.
func (s *session) adopt() error {
	s.mu.Lock()
	fresh, failed := s.restored, s.failed
	s.restored = make(map[int32]*owned)
	s.mu.Unlock()
	if failed != nil {
		return failed
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
	ready := len(s.restored) > 0 || s.failed != nil
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
	polled := make(map[int32][]*kgo.Record)
	for it := fetches.RecordIter(); !it.Done(); {
		rec := it.Next()
		if mine[rec.Partition] == nil {
			return fmt.Errorf("a record of %s-%d came, which this member does not own", rec.Topic, rec.Partition)
		}
		polled[rec.Partition] = append(polled[rec.Partition], rec)
	}
	judged, err := s.judge(ctx, polled)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
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
	for p, j := range judged {
		if len(j.inputs) > 0 {
			get(p).inputs = j.inputs
		}
		for topic, at := range j.unavailable {
			if unavailable[topic] == nil {
				unavailable[topic] = make(map[int32]kgo.EpochOffset)
			}
			unavailable[topic][p] = at
		}
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

// judgement is what came of a partition's polled records.
type judgement struct {
	inputs []*input
	// unavailable is, by topic, the first record that nothing can be said of while the
	// registry is away; those behind it are left out.
	unavailable map[string]kgo.EpochOffset
}

// judge decodes what was polled, partitions side by side: before the transaction, as
// it may ask the registry.
func (s *session) judge(ctx context.Context, polled map[int32][]*kgo.Record) (map[int32]*judgement, error) {
	judged := make(map[int32]*judgement, len(polled))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for p, recs := range polled {
		j := &judgement{inputs: make([]*input, 0, len(recs)), unavailable: make(map[string]kgo.EpochOffset)}
		judged[p] = j
		g.Go(func() error {
			for _, rec := range recs {
				if _, waits := j.unavailable[rec.Topic]; waits {
					continue
				}
				in, err := judge(ctx, s.r.cfg.Codec, s.r.cfg.Partitions, rec)
				if err == nil {
					j.inputs = append(j.inputs, in)
					continue
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				j.unavailable[rec.Topic] = kgo.EpochOffset{Epoch: rec.LeaderEpoch, Offset: rec.Offset}
				s.r.cfg.Log.Warn("waiting for the schema registry", "topic", rec.Topic, "partition", rec.Partition, "why", err)
			}
			return nil
		})
	}
	return judged, g.Wait()
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

func (r *Runner) count(fn func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn(&r.stats)
}
