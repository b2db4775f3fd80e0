package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// transact carries out one transaction of all touched partitions. committed is false
// where it was taken back.
func (s *session) transact(ctx context.Context, mine map[int32]*owned, batches map[int32]*batch) (committed bool, err error) {
	began := time.Now()
	if err := s.txn.Begin(); err != nil {
		return false, fmt.Errorf("beginning a transaction: %w", err)
	}
	// What has begun is finished also when the process is told to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	s.mu.Lock()
	s.abandon = cancel
	s.mu.Unlock()
	// Each partition's outputs are on their way while others are still at work.
	out := &sending{session: s}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, b := range batches {
		if b.alone {
			g.SetLimit(1) // what another partition is at work on would be suspected, too
		}
	}
	for p, b := range batches {
		g.Go(func() error {
			if b.failed = s.r.runNoted(b, mine[p]); b.failed != nil {
				return b.failed
			}
			return out.produce(ctx, mine[p], b)
		})
	}
	err = g.Wait()
	if err == nil {
		err = out.wait(ctx)
	}
	if err != nil {
		s.r.metrics.aborts.Inc()
		if _, aerr := s.txn.End(ctx, kgo.TryAbort); aerr != nil {
			return false, errors.Join(err, aerr)
		}
		return false, s.leaveOut(batches, err)
	}
	committed, err = s.txn.End(kgo.PreTxnCommitFnContext(ctx, s.fence(mine, batches)), kgo.TryCommit)
	if err != nil {
		return false, fmt.Errorf("committing: %w", err) // unknown or fenced: only a new client knows
	}
	if !committed {
		s.r.metrics.aborts.Inc()
		return false, nil // rewound; the overlays are dropped
	}
	s.r.metrics.transactions.Inc()
	s.r.metrics.commit.Observe(time.Since(began).Seconds())
	return true, s.settle(mine, batches)
}

// leaveOut refuses the partitions that could not be worked on, but for those in which a
// script was cut off; without one, err is the session's own.
func (s *session) leaveOut(batches map[int32]*batch, err error) error {
	theirs := false // the error is a partition's, not the session's
	for p, b := range batches {
		var cutOff *pipeline.ScriptCutOff
		switch {
		case errors.As(b.failed, &cutOff):
			theirs = true // quarantine deals with it, and the batch is run again
		case b.failed != nil:
			theirs = true
			s.refuse(p, fmt.Errorf("%w: partition %d: %w", ErrRefused, p, b.failed))
			s.silence(p)
		}
	}
	if theirs {
		return nil
	}
	return fmt.Errorf("producing: %w", err)
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

// wait returns when all has arrived, or with what went wrong first. The client does
// not give records up that may have arrived, so ctx bounds it here.
func (out *sending) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { // ends with the client at the latest
		out.pending.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("Kafka does not take the records: %w", ctx.Err())
	}
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

// fence makes the commit's offsets those of the state, of every topic that the batches
// read, and puts one of the anchor topic in for every touched partition (P12): the
// group's coordinator refuses them from a member that was thrown out; a commit without
// offsets would pass. What the client has polled beyond waits in the queues.
//
// It is called when no join or sync can be under way, so that what is held is what
// the commit's generation stands for.
func (s *session) fence(mine map[int32]*owned, batches map[int32]*batch) func(*kmsg.TxnOffsetCommitRequest) error {
	return func(req *kmsg.TxnOffsetCommitRequest) error {
		topics := make(map[string]*kmsg.TxnOffsetCommitRequestTopic)
		for p, b := range batches {
			if !s.r.still(mine[p]) {
				return fmt.Errorf("partition %d was taken away: %w", p, kerr.RebalanceInProgress)
			}
			read := []string{anchor}
			for i := range b.journal.Inputs {
				read = append(read, b.journal.Inputs[i].Topic)
			}
			slices.Sort(read)
			for _, topic := range slices.Compact(read) {
				t := topics[topic]
				if t == nil {
					t = &kmsg.TxnOffsetCommitRequestTopic{Topic: topic}
					topics[topic] = t
				}
				tp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
				tp.Partition, tp.Offset, tp.LeaderEpoch = p, b.pos.Next[topic], -1
				t.Partitions = append(t.Partitions, tp)
			}
		}
		req.Topics = req.Topics[:0]
		for _, topic := range slices.Sorted(maps.Keys(topics)) {
			req.Topics = append(req.Topics, *topics[topic])
		}
		return nil
	}
}

// leaveSooner takes what the commit took from the time that attempts have to leave:
// when they are over is counted from when they were decided (P6).
func leaveSooner(effects []pipeline.Effect, took time.Duration) []pipeline.Effect {
	effects = slices.Clone(effects)
	for i, e := range effects {
		if start, ok := e.(pipeline.Start); ok {
			at := *start.Attempt
			at.DecidedAt += took.Milliseconds()
			effects[i] = pipeline.Start{Attempt: &at}
		}
	}
	return effects
}

// settle takes a committed transaction over: store first, then effects (P1, P2).
func (s *session) settle(mine map[int32]*owned, batches map[int32]*batch) error {
	now := s.r.cfg.Now().UnixMilli()
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for p, b := range batches {
		g.Go(func() error {
			o := mine[p]
			if !s.r.still(o) {
				return nil // not behind the restore that may hold the store now (P8)
			}
			defer s.r.lockStore(p)()
			if !s.r.still(o) {
				return nil // the store is restored by its next owner, which may be us
			}
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
		s.r.stats.Repeats += int64(b.repeats)
		if effects := b.tx.Effects(); len(effects) > 0 && s.r.owned[p] == o {
			s.r.cfg.Effects.Do(p, leaveSooner(effects, time.Since(b.began))) // P1: after the commit
		}
		s.r.mu.Unlock()
		s.r.metrics.records.Add(float64(len(b.inputs)))
		s.r.metrics.forwarded.Add(float64(b.forwarded))
		s.r.metrics.timers.Add(float64(b.journal.Timers))
		for _, i := range b.journal.Isolated {
			s.r.metrics.deadLetters.WithLabelValues(i.Reason).Inc()
		}
	}
	return nil
}
