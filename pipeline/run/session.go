package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/crmstream/crmstream/schemas"
)

// anchor is the topic whose partitions are balanced; the others follow it.
const anchor = schemas.TopicControlTenants

// idle is the longest that a poll waits: timers are looked at no later.
const idle = 500 * time.Millisecond

// rebalanceTimeout is how long the group waits for a member that is at work.
const rebalanceTimeout = 30 * time.Second

// session is the life of one client.
type session struct {
	r     *Runner
	txn   *kgo.GroupTransactSession
	cl    *kgo.Client
	adm   *kadm.Client
	plain *kgo.Client // of adm: no transactions, no group
	boot  boot
	held  *held
	lease *lease

	mu      sync.Mutex
	revoked bool               // something was taken from us: End before anything else
	failed  error              // what a restore ended with: ends the session
	wake    context.CancelFunc // of the poll under way
	abandon context.CancelFunc // of the transaction under way

	pace     *pace
	turn     int64                          // counts what was chosen from the queues
	paused   map[string]map[int32]time.Time // waiting for the registry
	silenced map[int32]bool                 // refused; guarded by Runner.mu
}

func (r *Runner) session(ctx context.Context) error {
	s := &session{r: r, paused: make(map[string]map[int32]time.Time), silenced: make(map[int32]bool), pace: newPace(r.cfg.MaxRecords)}
	s.held = newHeld(s.prune)
	s.lease = newLease(steadyTime, r.cfg.Session, rebalanceTimeout)
	r.mu.Lock()
	r.lease = s.lease
	r.stats.Session++
	r.mu.Unlock()
	if err := s.open(ctx); err != nil {
		return err
	}
	defer s.close()
	gctx, cancel := context.WithCancel(ctx)
	var guards sync.WaitGroup
	guards.Go(func() { s.guardLease(gctx) })
	guards.Go(func() { s.watchStalls(gctx) })
	defer func() {
		cancel()
		guards.Wait()
	}()
	late := make(chan *time.Timer, 1)
	stop := context.AfterFunc(ctx, func() { late <- time.AfterFunc(r.cfg.StopWithin, s.cl.Close) })
	defer func() {
		if !stop() {
			(<-late).Stop()
		}
	}()
	for ctx.Err() == nil {
		// P12: the session passes on no further revoke until End has been called, even
		// where no transaction was begun.
		if s.takeRevoked() {
			if _, err := s.txn.End(context.WithoutCancel(ctx), kgo.TryAbort); err != nil {
				return fmt.Errorf("ending a transaction after a rebalance: %w", err)
			}
		}
		if err := s.work(ctx, s.poll(ctx)); err != nil {
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
	s.plain, s.adm = plain, kadm.NewClient(plain)
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
		kgo.TransactionalID(id), kgo.TransactionTimeout(transactionTimeout),
		kgo.ConsumerGroup(r.cfg.Group), kgo.ConsumeTopics(topics...), kgo.Balancers(newAnchorBalancer(anchor, topics, s.held)),
		// Rebalances are not held back while the loop is at work: a loss would be told
		// after the transaction only, whose end waits to be told. See held and fence.
		kgo.SessionTimeout(r.cfg.Session), kgo.HeartbeatInterval(min(500*time.Millisecond, r.cfg.Session/3)),
		kgo.RebalanceTimeout(rebalanceTimeout), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(2<<20),
		kgo.FetchMaxWait(500*time.Millisecond),
		// An offset that is not there any more ends the session: the restore says why.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.OnPartitionsAssigned(s.given),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { s.taken(m[anchor]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { s.taken(m[anchor]) }),
		kgo.AdjustFetchOffsetsFn(s.restoreAssigned), kgo.WithHooks(s.lease),
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
	// Before the group is left: the client passes on no second revoke until End (P12).
	s.held.forget(s.held.all())
	s.cl.Close()
	s.adm.Close()
	s.held.forget(s.held.all())
}

// caughtUp reports whether crm.results has been applied up to where it stood at the
// assignment.
func (o *owned) caughtUp() bool { return o.pos.Next[schemas.TopicCRMResults] >= o.resultsEnd }

// wait says how long, in ms, there is nothing to do without any input; negative = as
// far as is known, for ever.
func (o *owned) wait() int64 {
	switch {
	case o.awaits > 0 && !o.queue.controls():
		return -1
	case o.queue.n > 0:
		return 0
	case !o.caughtUp():
		return -1
	case !o.resumed:
		return 0
	case o.due < 0:
		return -1
	}
	return max(0, o.due-o.clock.now())
}

// poll waits for records, until the next timer at the latest.
func (s *session) poll(ctx context.Context) kgo.Fetches {
	wait, room, bytes := idle.Milliseconds(), queuedBatches*s.pace.now, 0
	for _, o := range s.r.snapshot() {
		if w := o.wait(); w >= 0 {
			wait = min(wait, w)
		}
		if o.awaits == 0 {
			room, bytes = room-o.queue.n, bytes+o.queue.bytes
		}
		if o.suspect && o.awaits == 0 && o.queue.n > s.r.cfg.MaxRecords {
			return nil // P8: what waits to be looked at alone does not grow with the backlog
		}
	}
	switch {
	case room <= 0 || bytes >= queuedBytes:
		return nil
	case wait == 0:
		return s.cl.PollRecords(nil, room) //nolint:staticcheck // nil: take what is there
	}
	pctx, cancel := context.WithTimeout(ctx, time.Duration(wait)*time.Millisecond)
	defer cancel()
	s.mu.Lock()
	s.wake = cancel
	now := s.revoked || s.failed != nil
	s.mu.Unlock()
	if now {
		cancel()
	}
	return s.cl.PollRecords(pctx, room)
}

// work turns what was polled and what is due into one transaction.
func (s *session) work(ctx context.Context, fetches kgo.Fetches) error {
	if err := fetchError(fetches); err != nil {
		return err
	}
	if err := s.failure(); err != nil {
		return err
	}
	mine := s.r.snapshot()
	waiting := make(map[int32]queue, len(mine)) // what was polled before this poll
	for p, o := range mine {
		waiting[p] = o.queue.clone()
	}
	for it := fetches.RecordIter(); !it.Done(); {
		rec := it.Next()
		if o := mine[rec.Partition]; o != nil {
			o.queue.add(rec)
		} else if _, ours := s.held.assignment(rec.Partition); ours && s.r.refusal(rec.Partition) == nil {
			return fmt.Errorf("a record of %s-%d came before the partition was restored", rec.Topic, rec.Partition)
		} // else it was taken from us meanwhile, or is refused
	}
	chosen, err := s.choose(mine)
	if err != nil {
		return err
	}
	judged, err := s.judge(ctx, chosen)
	if err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
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
			mine[p].queue.forget(topic) // it is read again from there
		}
	}
	s.pause(unavailable)
	for p, o := range mine {
		if batches[p] == nil && (o.queue.n > 0 || o.wait() != 0) {
			continue // its turn comes, or nothing is due
		}
		b := get(p)
		b.now, b.began = o.clock.now(), time.Now()
		b.resume = o.caughtUp() && !o.resumed
		b.ticks = o.caughtUp() && o.resumed && o.awaits == 0
		if o.suspect {
			b.alone = true
			b.ticks = b.ticks && len(b.inputs) == 0
		}
	}
	if len(batches) > 0 {
		began, n := time.Now(), 0
		for _, b := range batches {
			n += len(b.inputs)
		}
		committed, err := s.transact(ctx, mine, batches)
		s.pace.took(n, time.Since(began))
		if cut := cutOffs(batches); err == nil && len(cut) > 0 {
			err = s.quarantine(ctx, mine, cut)
		}
		if err != nil || !committed {
			// Taken back: the client reads again what this poll gave. What polls before it
			// gave it takes for committed, so that stays here (P5).
			for p, o := range mine {
				o.queue = waiting[p]
			}
			return err
		}
	}
	// Not before the end of the transaction: the client takes it for committed, and an
	// abort would go back to here.
	if len(unavailable) > 0 {
		s.cl.SetOffsets(unavailable)
	}
	return nil
}

// choose takes what the next transaction is about from the queues: of a partition whose
// records ended the process one record, for it to be looked at alone.
func (s *session) choose(mine map[int32]*owned) (map[int32][]*kgo.Record, error) {
	queues := make(map[int32]*queue, len(mine))
	alone := make(map[int32][]*kgo.Record)
	for p, o := range mine {
		var err error
		if o.suspect, err = s.r.killers.suspect(p, o.pos); err != nil {
			return nil, err
		}
		switch {
		case !o.controlled():
			alone[p] = o.queue.control()
		case o.suspect:
			alone[p] = o.queue.first()
		default:
			queues[p] = &o.queue
		}
	}
	s.turn++
	chosen := share(queues, s.pace.now, runtime.GOMAXPROCS(0), s.turn)
	maps.Copy(chosen, alone)
	return chosen, nil
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
			bad = err
			if topic != "" { // else it is about the group
				bad = fmt.Errorf("reading %s-%d: %w", topic, p, err)
			}
		}
	})
	return bad
}

// pause stops reading of topic-partitions whose records can't be judged while the
// registry is away, and resumes them after a while.
func (s *session) pause(at map[string]map[int32]kgo.EpochOffset) {
	now := s.r.cfg.Now()
	for t, ps := range s.paused {
		for p, until := range ps {
			if now.After(until) && s.r.refusal(p) == nil {
				s.cl.ResumeFetchPartitions(map[string][]int32{t: {p}})
				delete(ps, p)
			}
		}
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
}

func (r *Runner) count(fn func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn(&r.stats)
}
