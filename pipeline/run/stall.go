package run

import (
	"context"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/crmstream/crmstream/schemas"
)

// How often input topics are looked at for open transactions, and how long one may hold
// its partition up before it is named.
const (
	stallEvery = 500 * time.Millisecond
	stallAfter = 2 * time.Second
)

// Stall is an input partition that an open transaction of another producer holds up:
// what stands behind it can't be read until it ends.
type Stall struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`   // where reading stands
	Producer  string `json:"producer"` // transactional ids, or producer ids
	Since     int64  `json:"since"`    // ms since 1970 UTC
}

type stalled struct {
	offset int64
	since  time.Time
	named  bool
}

type topicPartition struct {
	topic     string
	partition int32
}

// watchStalls looks until ctx ends.
func (s *session) watchStalls(ctx context.Context) {
	tick := time.NewTicker(stallEvery)
	defer tick.Stop()
	defer s.r.setStalls(nil)
	seen := make(map[topicPartition]*stalled)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		lctx, cancel := context.WithTimeout(ctx, stallAfter)
		if err := s.lookForStalls(lctx, seen); err != nil && ctx.Err() == nil {
			s.r.cfg.Log.Debug("looking for open transactions", "why", err)
		}
		cancel()
	}
}

func (s *session) lookForStalls(ctx context.Context, seen map[topicPartition]*stalled) error {
	var topics []string
	for _, t := range schemas.Inputs() {
		topics = append(topics, t.Name)
	}
	stable, err := s.adm.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	ends, err := s.adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	mine, now := s.r.snapshot(), s.r.cfg.Now()
	changed := false
	stable.Each(func(o kadm.ListedOffset) {
		tp := topicPartition{o.Topic, o.Partition}
		end, ok := ends.Lookup(o.Topic, o.Partition)
		was := seen[tp]
		switch {
		case mine[o.Partition] == nil || !ok || o.Err != nil || o.Offset >= end.Offset:
			if was != nil && was.named {
				changed = true
				s.r.cfg.Log.Info("the partition is no longer held up", "topic", o.Topic, "partition", o.Partition)
			}
			delete(seen, tp)
		case was == nil || was.offset != o.Offset:
			changed = changed || was != nil && was.named
			seen[tp] = &stalled{offset: o.Offset, since: now}
		case !was.named && now.Sub(was.since) >= stallAfter:
			was.named, changed = true, true
		}
	})
	if !changed {
		return nil
	}
	var all []Stall
	for tp, st := range seen {
		if !st.named {
			continue
		}
		who, err := s.holders(ctx, tp)
		if err != nil {
			st.named = false // again at the next look
			return err
		}
		all = append(all, Stall{tp.topic, tp.partition, st.offset, who, st.since.UnixMilli()})
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].Topic < all[j].Topic || all[i].Topic == all[j].Topic && all[i].Partition < all[j].Partition
	})
	for _, st := range s.r.setStalls(all) {
		s.r.cfg.Log.Warn("an open transaction of another producer holds up a partition: end it, or wait for its timeout",
			"topic", st.Topic, "partition", st.Partition, "offset", st.Offset, "producer", st.Producer)
	}
	return nil
}

// holders names who has a transaction open in a partition.
func (s *session) holders(ctx context.Context, tp topicPartition) (string, error) {
	set := make(kadm.TopicsSet)
	set.Add(tp.topic, tp.partition)
	producers, err := s.adm.DescribeProducers(ctx, set)
	if err != nil {
		return "", err
	}
	var ids []int64
	for _, p := range producers.SortedProducers() {
		if p.CurrentTxnStartOffset >= 0 {
			ids = append(ids, p.ProducerID)
		}
	}
	if len(ids) == 0 {
		return "unknown", nil
	}
	txns, err := s.adm.ListTransactions(ctx, ids, nil)
	if err != nil {
		return "", err
	}
	var names []string
	for _, t := range txns.Sorted() {
		names = append(names, t.TxnID)
	}
	return strings.Join(names, ", "), nil
}

// setStalls takes over what is held up, and returns what is new of it.
func (r *Runner) setStalls(all []Stall) (fresh []Stall) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, st := range all {
		known := false
		for _, old := range r.stats.Stalled {
			known = known || old.Topic == st.Topic && old.Partition == st.Partition && old.Offset == st.Offset
		}
		if !known {
			fresh = append(fresh, st)
		}
	}
	r.stats.Stalled = all
	r.metrics.stalled.Set(float64(len(all)))
	return fresh
}
