package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// given is called for partitions that were assigned, before the group's offsets are
// fetched: those can't be while a dead owner's transaction has staged some.
func (s *session) given(ctx context.Context, _ *kgo.Client, m map[string][]int32) {
	if len(m[anchor]) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.r.fenceLastOwners(ctx, s.adm, m[anchor]); err != nil {
		s.r.cfg.Log.Warn("looking for transactions left open; the restore looks again", "why", err)
	}
}

// taken is called for partitions that were revoked or lost.
func (s *session) taken(ps []int32) {
	s.mu.Lock()
	s.revoked = true
	s.mu.Unlock()
	s.held.forget(ps)
}

// prune drops what is no longer held (P12).
func (s *session) prune() {
	s.r.mu.Lock()
	for p, o := range s.r.owned {
		if number, ok := s.held.assignment(p); !ok || number != o.assignment {
			delete(s.r.owned, p)
			s.r.cfg.Effects.Disown(p)
		}
	}
	for p := range s.r.refused {
		if _, ok := s.held.assignment(p); !ok {
			delete(s.r.refused, p)
		}
	}
	s.r.metrics.owned.Set(float64(len(s.r.owned)))
	s.r.metrics.refused.Set(float64(len(s.r.refused)))
	var why error
	if n := len(s.r.refused); n > 0 && n >= s.held.size() {
		for _, why = range s.r.refused {
			break
		}
	}
	s.r.mu.Unlock()
	if why != nil {
		s.fail(why) // what is left are refused ones alone
	}
	s.interrupt()
}

// interrupt ends the poll under way.
func (s *session) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake != nil {
		s.wake()
	}
}

// abandonTransaction cancels the transaction under way; its outcome is not known then.
func (s *session) abandonTransaction() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abandon != nil {
		s.abandon()
	}
}

func (s *session) takeRevoked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.revoked
	s.revoked = false
	return was
}

func (s *session) fail(err error) {
	s.mu.Lock()
	s.failed = err
	s.mu.Unlock()
	s.interrupt()
}

func (s *session) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// restoreAssigned runs after the group's offsets of newly assigned partitions were
// fetched and before anything of them is: it restores them and moves the offsets
// to where their state stands. The client calls it again for the same partitions
// where a rebalance cut it off; those that are restored stay as they are.
func (s *session) restoreAssigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	var mu sync.Mutex
	var fresh []*owned
	for p := range offsets[anchor] {
		number, ok := s.held.assignment(p)
		if !ok || s.r.has(p, number) {
			continue
		}
		g.Go(func() error {
			o, stats, err := s.r.restore(gctx, s.adm, s.boot, p)
			mu.Lock()
			defer mu.Unlock()
			ahead := false
			if err == nil {
				o.assignment = number
				ahead, err = position(o, offsets)
			}
			if errors.Is(err, ErrRefused) {
				s.refuse(p, err)
				return nil
			}
			if err != nil {
				return err
			}
			fresh = append(fresh, o)
			s.r.metrics.restored.Add(float64(stats.Records))
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
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		if ctx.Err() == nil {
			s.fail(err) // the client would try again for ever, and say nothing
		}
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.own(fresh)
	for topic, ps := range offsets {
		for p := range ps {
			next, known, ours := s.r.next(topic, p)
			switch {
			case !ours:
				delete(ps, p) // refused, or taken again: nothing of it is read
			case known:
				ps[p] = kgo.NewOffset().At(next)
			default:
				ps[p] = kgo.NewOffset().AtStart()
			}
		}
	}
	return offsets, nil
}

// own takes restored partitions over, those that are held still.
func (s *session) own(fresh []*owned) {
	s.r.mu.Lock()
	for _, o := range fresh {
		if number, ok := s.held.assignment(o.partition); ok && number == o.assignment {
			s.r.owned[o.partition] = o
			s.r.cfg.Effects.Own(o.partition)
			if s.silenced[o.partition] {
				delete(s.silenced, o.partition)
				s.cl.ResumeFetchPartitions(allOf(o.partition))
			}
		}
	}
	s.r.metrics.owned.Set(float64(len(s.r.owned)))
	s.r.mu.Unlock()
	s.interrupt()
}

// refuse leaves a partition out: going on with it would do harm, and the others can
// go on. When none is left, the session ends with the reason.
func (s *session) refuse(p int32, why error) {
	s.r.cfg.Log.Error("partition refused: its tenants wait until a person has looked and the process is started again", "partition", p, "why", why)
	s.r.mu.Lock()
	if _, had := s.r.owned[p]; had {
		delete(s.r.owned, p)
		s.r.cfg.Effects.Disown(p)
	}
	s.r.refused[p] = why
	all := len(s.r.refused) >= s.held.size()
	s.r.metrics.owned.Set(float64(len(s.r.owned)))
	s.r.metrics.refused.Set(float64(len(s.r.refused)))
	s.r.mu.Unlock()
	if all {
		s.fail(why)
	}
}

// silence stops reading of a partition.
func (s *session) silence(p int32) {
	s.r.mu.Lock()
	s.silenced[p] = true
	s.r.mu.Unlock()
	s.cl.PauseFetchPartitions(allOf(p))
}

// allOf is the partition of every input topic.
func allOf(p int32) map[string][]int32 {
	m := make(map[string][]int32)
	for _, t := range schemas.Inputs() {
		m[t.Name] = []int32{p}
	}
	return m
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

// snapshot returns what the loop may touch now.
func (r *Runner) snapshot() map[int32]*owned {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := make(map[int32]*owned, len(r.owned))
	for p, o := range r.owned {
		m[p] = o
	}
	return m
}

// next returns where reading of a partition goes on; ours is false if it is not
// owned, known if its state has a position.
func (r *Runner) next(topic string, p int32) (offset int64, known, ours bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.owned[p]
	if o == nil {
		return 0, false, false
	}
	offset, known = o.pos.Next[topic]
	return offset, known, true
}

func (r *Runner) has(p int32, assignment uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.owned[p]
	return o != nil && o.assignment == assignment
}

// still reports whether the partition is owned as it was when o was restored.
func (r *Runner) still(o *owned) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owned[o.partition] == o
}

func (r *Runner) refusal(p int32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused[p]
}
