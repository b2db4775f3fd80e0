package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

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
	ends, err := s.produce(ctx, mine, batches)
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

// produce sends outputs, journal and changelog, and returns the next changelog
// offset of each partition.
func (s *session) produce(ctx context.Context, mine map[int32]*owned, batches map[int32]*batch) (map[int32]*atomic.Int64, error) {
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
		value, err := s.r.cfg.Codec.Append(nil, schemas.TopicJournal, b.journal)
		if err != nil {
			return nil, err
		}
		outs := slices.Concat(mine[p].lost, b.out, []produced{{topic: schemas.TopicJournal, partition: p, key: fmt.Append(nil, p), value: value}})
		for i := range outs {
			send(outs[i].record(), promise)
		}
		if s.boot.Boot > 0 {
			var kept []state.Write
			kept, b.chunks = tornWrites(p, s.boot.Boot, outs, mine[p].chunks)
			b.writes = append(b.writes, kept...)
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
		o.chunks, o.lost = b.chunks, nil
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
