package run

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// Sizes, in bytes, at which restored records go to the store: as a batch, or as a table
// of their own where there are many, of which each key's last value counts.
const (
	restoreTable = 16 << 20
	restoreBatch = 1 << 20
)

// owned is a partition that this member owns and has restored.
type owned struct {
	partition  int32
	assignment uint64 // that brought it; see held
	clock      *clock
	store      state.Store
	pos        *positions
	mark       state.Watermark // cluster and topic id of the changelog, and how far the store is
	due        int64           // ms, of the earliest timer; negative = none
	// resultsEnd is where crm.results stood at the assignment: timers wait until it
	// has been applied, else an attempt that was answered would expire.
	resultsEnd int64
	resumed    bool
	queue      queue      // what was polled and waits for its transaction
	suspect    bool       // its records are looked at alone
	awaits     int64      // position in control.actions before which nothing else is applied; see quarantine
	chunks     int        // of the last transaction's outputs that stand in state
	lost       []produced // outputs that are to be produced again
}

// RestoreStats says what a restore did.
type RestoreStats struct {
	Records int64 // records read from the changelog
	Full    bool  // from the beginning, after a wipe or into an empty store
}

// restore brings the partition's store to the changelog's high watermark. It is
// called after the group's offsets have been fetched, so that every transaction
// that they include stands below that mark; the last stable offset is no measure:
// a commit's markers reach partitions one by one.
func (r *Runner) restore(ctx context.Context, adm *kadm.Client, b boot, p int32) (*owned, RestoreStats, error) {
	defer r.lockStore(p)()
	var stats RestoreStats
	fail := func(err error) (*owned, RestoreStats, error) {
		return nil, stats, fmt.Errorf("restoring partition %d: %w", p, err)
	}
	md, err := adm.Metadata(ctx, schemas.TopicChangelog)
	if err != nil {
		return fail(err)
	}
	detail := md.Topics[schemas.TopicChangelog]
	if detail.Err != nil {
		return fail(fmt.Errorf("%s: %w", schemas.TopicChangelog, detail.Err))
	}
	start, end, err := bounds(ctx, adm, schemas.TopicChangelog, p)
	if err != nil {
		return fail(err)
	}
	store := r.cfg.DB.Store(p)
	wm, ok, err := store.Watermark()
	if err != nil {
		return fail(err)
	}
	now := r.cfg.Now()
	same := wm.Cluster == md.Cluster && wm.TopicID == [16]byte(detail.ID)
	switch {
	case ok && !same && r.cfg.RefuseForeignState:
		return fail(fmt.Errorf("%w: the state folder belongs to another cluster or changelog: use another folder, or remove it", ErrRefused))
	case !ok || !same || wm.Next > end || wm.Next < start ||
		// P2: a store that is older than tombstones are kept would miss deletions.
		now.Sub(time.UnixMilli(wm.AppliedAt)) > tombstoneAge()-time.Hour:
		if ok {
			r.cfg.Log.Warn("the store of a partition is made anew from the changelog: it is too old, or of another history", "partition", p,
				"store_at", wm.Next, "changelog_from", start, "changelog_to", end, "same_history", same)
		}
		if err := store.Drop(); err != nil {
			return fail(err)
		}
		wm = state.Watermark{Cluster: md.Cluster, TopicID: detail.ID, Next: start}
		stats.Full = true
	}
	if wm.Next < end {
		if err := r.fenceLastOwners(ctx, adm, []int32{p}); err != nil {
			return fail(err)
		}
		at := Restoring{p, wm.Next, wm.Next, end}
		stats.Records, err = r.copyChangelog(ctx, store, &wm, p, end, func(next int64) {
			at.Next = next
			r.progress(p, &at)
		})
		r.progress(p, nil)
		if err != nil {
			return fail(err)
		}
	}
	pos, err := readPositions(store, p)
	if err != nil {
		return fail(err)
	}
	if err := r.checkInputs(ctx, adm, p, pos); err != nil {
		return fail(err)
	}
	resultsEnd, err := r.afterLast(ctx, adm, schemas.TopicCRMResults, p, pos.Next[schemas.TopicCRMResults])
	if err != nil {
		return fail(err)
	}
	kept, err := readTorn(store, p)
	if err != nil {
		return fail(err)
	}
	o := &owned{partition: p, clock: newClock(r.wall.now, steadyTime, pos.Now, slog.New(slog.DiscardHandler)), store: store, pos: pos, mark: wm, due: -1,
		resultsEnd: resultsEnd, chunks: kept.chunks, lost: kept.lost(b)}
	if err := o.lookAtTimers(); err != nil {
		return fail(err)
	}
	return o, stats, nil
}

// progress notes how far the restore of a partition is; nil = it is over.
func (r *Runner) progress(p int32, at *Restoring) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at == nil {
		delete(r.restoring, p)
	} else {
		r.restoring[p] = *at
	}
}

// copyChangelog applies the changelog from wm.Next up to end, and tells told of each
// step.
func (r *Runner) copyChangelog(ctx context.Context, store state.Store, wm *state.Watermark, p int32, end int64, told func(next int64)) (int64, error) {
	opts := append(r.clientOpts(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{schemas.TopicChangelog: {p: kgo.NewOffset().At(wm.Next)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset below the mark is often a commit marker
		kgo.FetchMaxBytes(50<<20), kgo.FetchMaxPartitionBytes(8<<20),
	)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var count int64
	var ws []state.Write
	size, next := 0, wm.Next
	flush := func() error {
		wm.Next, wm.AppliedAt, wm.Restoring = next, r.cfg.Now().UnixMilli(), next < end
		write := store.Apply
		if size >= restoreBatch {
			write = store.Load
		}
		err := write(ws, *wm)
		ws, size = ws[:0], 0
		return err
	}
	for next < end {
		fs, err := pollWithin(ctx, cl)
		if err != nil {
			return count, fmt.Errorf("reading %s at %d of %d: %w", schemas.TopicChangelog, next, end, err)
		}
		var bad error
		fs.EachError(func(_ string, _ int32, err error) { bad = err })
		if bad != nil {
			return count, fmt.Errorf("reading %s: %w", schemas.TopicChangelog, bad)
		}
		for it := fs.RecordIter(); !it.Done(); {
			rec := it.Next()
			next = rec.Offset + 1
			if rec.Attrs.IsControl() {
				continue
			}
			k, ok := state.RestoredKey(rec.Key)
			if !ok || k.Partition() != p {
				return count, fmt.Errorf("%s-%d@%d is no state of ours", rec.Topic, rec.Partition, rec.Offset)
			}
			ws = append(ws, state.Write{Key: k, Value: rec.Value})
			size += len(rec.Key) + len(rec.Value)
			count++
			if size >= restoreTable {
				if err := flush(); err != nil {
					return count, err
				}
			}
		}
		told(next)
	}
	return count, flush()
}

// checkInputs compares the state's positions with what the input topics have. A topic
// that ends before the position was made anew, or has lost records: the partition is
// refused, as what comes now would be taken for repeats. Records that were removed
// by age before they were applied are said.
func (r *Runner) checkInputs(ctx context.Context, adm *kadm.Client, p int32, pos *positions) error {
	var topics []string
	for _, t := range schemas.Inputs() {
		topics = append(topics, t.Name)
	}
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return fmt.Errorf("asking for the inputs' offsets: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return fmt.Errorf("asking for the inputs' offsets: %w", err)
	}
	for _, t := range topics {
		next, known := pos.Next[t]
		s, ok := starts.Lookup(t, p)
		e, ok2 := ends.Lookup(t, p)
		switch {
		case !known:
		case !ok || !ok2 || s.Err != nil || e.Err != nil:
			return fmt.Errorf("asking for the offsets of %s-%d: not known", t, p)
		case next > e.Offset:
			return fmt.Errorf("%w: %s-%d ends at %d, its records were applied up to %d: the topic was made anew or has lost records; bring it back, or start anew with another group and new topics of ours", ErrRefused, t, p, e.Offset, next)
		case next < s.Offset:
			r.cfg.Log.Error("records were removed by age before they were applied: they are lost to the pipeline; raise the topic's retention", "topic", t, "partition", p, "from", next, "to", s.Offset-1)
			pos.Next[t] = s.Offset
			r.metrics.expired.Add(float64(s.Offset - next))
		}
	}
	return nil
}

// afterLast returns the offset after the last record of a partition that can be
// polled, at least from. The end offset will not do: markers of transactions stand
// there too, at the restart of an embedded broker for one, and are never polled.
func (r *Runner) afterLast(ctx context.Context, adm *kadm.Client, topic string, p int32, from int64) (int64, error) {
	start, end, err := bounds(ctx, adm, topic, p)
	if err != nil {
		return 0, err
	}
	for window := int64(1000); ; window *= 10 { // from the back: the first window nearly always has one
		at := max(start, from, end-window)
		if at >= end {
			return from, nil
		}
		rd, err := r.openRange(topic, p, at, end)
		if err != nil {
			return 0, err
		}
		last := int64(-1)
		for rec, err := rd.next(ctx); rec != nil || err != nil; rec, err = rd.next(ctx) {
			if err != nil {
				rd.cl.Close()
				return 0, err
			}
			last = rec.Offset
		}
		rd.cl.Close()
		switch {
		case last >= 0:
			return last + 1, nil
		case at == max(start, from):
			return from, nil
		}
	}
}

// bounds returns the first offset and the high watermark of a partition.
func bounds(ctx context.Context, adm *kadm.Client, topic string, p int32) (start, end int64, err error) {
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, 0, fmt.Errorf("asking for offsets of %s: %w", topic, err)
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, 0, fmt.Errorf("asking for offsets of %s: %w", topic, err)
	}
	s, ok := starts.Lookup(topic, p)
	e, ok2 := ends.Lookup(topic, p)
	if !ok || !ok2 || s.Err != nil || e.Err != nil {
		return 0, 0, fmt.Errorf("asking for offsets of %s-%d: not known", topic, p)
	}
	return s.Offset, e.Offset, nil
}
