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
	// Each partition's outputs are on their way while others are still at work.
	out := &sending{session: s}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for p, b := range batches {
		g.Go(func() error {
			sortInputs(b.inputs)
			if err := b.run(mine[p].store, mine[p].pos); err != nil {
				return err
			}
			return out.produce(ctx, mine[p], b)
		})
	}
	if err := g.Wait(); err != nil {
		_, aerr := s.txn.End(ctx, kgo.TryAbort)
		return errors.Join(err, aerr)
	}
	if err := out.wait(); err != nil {
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
	return s.settle(mine, batches)
}

// sending is what a transaction has on its way.
type sending struct {
	session *session
	failed  atomic.Pointer[error]
	pending sync.WaitGroup
}

func (out *sending) send(ctx context.Context, rec *kgo.Record, stored *atomic.Int64) {
	out.pending.Add(1)
	out.session.cl.Produce(ctx, rec, func(r *kgo.Record, err error) {
		if err != nil {
			out.failed.CompareAndSwap(nil, &err)
		} else if stored != nil && r.Offset+1 > stored.Load() {
			stored.Store(r.Offset + 1)
		}
		out.pending.Done()
	})
}

// wait returns when all has arrived, or with what went wrong first.
func (out *sending) wait() error {
	out.pending.Wait()
	if err := out.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// produce sends a partition's outputs, journal and changelog.
func (out *sending) produce(ctx context.Context, o *owned, b *batch) error {
	p, s := b.partition, out.session
	value, err := s.r.cfg.Codec.Append(nil, schemas.TopicJournal, b.journal)
	if err != nil {
		return err
	}
	outs := slices.Concat(o.lost, b.out, []produced{{topic: schemas.TopicJournal, partition: p, key: fmt.Append(nil, p), value: value}})
	for i := range outs {
		out.send(ctx, outs[i].record(), nil)
	}
	if s.boot.Boot > 0 {
		var kept []state.Write
		kept, b.chunks = tornWrites(p, s.boot.Boot, outs, o.chunks)
		b.writes = append(b.writes, kept...)
	}
	for _, w := range b.writes {
		out.send(ctx, &kgo.Record{Topic: schemas.TopicChangelog, Partition: p, Key: w.Key.Bytes(), Value: w.Value}, &b.stored)
	}
	return nil
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
func (s *session) settle(mine map[int32]*owned, batches map[int32]*batch) error {
	now := s.r.cfg.Now().UnixMilli()
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for p, b := range batches {
		g.Go(func() error {
			o := mine[p]
			o.mark.Next = max(o.mark.Next, b.stored.Load())
			o.mark.AppliedAt, o.mark.Restoring = now, false
			if err := o.store.Apply(b.writes, o.mark); err != nil {
				return fmt.Errorf("%w: partition %d: %w", ErrRefused, p, err)
			}
			return o.lookAtTimers()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for p, b := range batches {
		o := mine[p]
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
		if effects := b.tx.Effects(); len(effects) > 0 && still {
			s.r.cfg.Effects.Do(p, effects) // P1: after the commit
		}
	}
	return nil
}
