package run

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// queue is what was polled of one partition and waits for its transaction: by topic in
// the order in which they are applied, each by offset. The client gives a poll's
// records partition by partition; a transaction that took them so would be at work on
// one core.
type queue struct {
	topics [][]*kgo.Record
	turns  []int64 // by topic; see share
	n      int
	bytes  int
}

const (
	// queuedBatches is how many transactions' records wait at most: enough for several
	// partitions' fetches.
	queuedBatches = 3
	// batchBytes bounds what goes into one transaction, but for one record of each topic,
	// and queuedBytes what waits when more is polled.
	batchBytes  = 16 << 20
	queuedBytes = 2 * batchBytes
)

func (q *queue) add(rec *kgo.Record) {
	if q.topics == nil {
		q.topics, q.turns = make([][]*kgo.Record, len(schemas.Inputs())), make([]int64, len(schemas.Inputs()))
	}
	i := orders[rec.Topic]
	q.topics[i] = append(q.topics[i], rec)
	q.n++
	q.bytes += size(rec)
}

func size(rec *kgo.Record) int { return len(rec.Key) + len(rec.Value) }

// clone returns a queue that stays as it is while q goes on.
func (q *queue) clone() queue { return queue{slices.Clone(q.topics), q.turns, q.n, q.bytes} }

// take removes the first n records of one topic, fewer where they are large.
func (q *queue) take(topic, n, most int) []*kgo.Record {
	recs, bytes := q.topics[topic], 0
	for i, rec := range recs[:n] {
		if bytes+size(rec) > most && i > 0 {
			n = i
			break
		}
		bytes += size(rec)
	}
	q.topics[topic] = recs[n:]
	q.n, q.bytes = q.n-n, q.bytes-bytes
	return recs[:n:n]
}

// first removes the record that comes first, if there is one.
func (q *queue) first() []*kgo.Record {
	for i := range q.topics {
		if len(q.topics[i]) > 0 {
			return q.take(i, 1, batchBytes)
		}
	}
	return nil
}

// controls reports whether such are there as control removes.
func (q *queue) controls() bool {
	for i := range q.topics {
		if i <= orders[schemas.TopicControlActions] && len(q.topics[i]) > 0 {
			return true
		}
	}
	return false
}

// control removes what comes before everything else: configurations and actions.
func (q *queue) control() (recs []*kgo.Record) {
	for i := range q.topics {
		if i <= orders[schemas.TopicControlActions] {
			recs = append(recs, q.take(i, len(q.topics[i]), batchBytes)...)
		}
	}
	return recs
}

// forget drops what waits of one topic.
func (q *queue) forget(topic string) {
	if q.topics != nil {
		i := orders[topic]
		for _, rec := range q.topics[i] {
			q.n, q.bytes = q.n-1, q.bytes-size(rec)
		}
		q.topics[i] = nil
	}
}

// line is what waits of one topic of one partition.
type line struct {
	partition int32
	topic     int // by the order in which topics are applied
	n         int
	turn      int64 // in which some of it was taken last
}

// share takes about n records from the queues, by partition in the order in which they
// are applied. What is short goes whole: neither a flooded partition nor a flooded
// topic keeps the others waiting (P8, B35). What is long takes turns, one partition for
// each core: all cores are at work, and of a person who changes often only the last
// state is written.
func share(queues map[int32]*queue, n, cores int, turn int64) map[int32][]*kgo.Record {
	var lines []line
	for p, q := range queues {
		for t := range q.topics {
			if k := len(q.topics[t]); k > 0 {
				lines = append(lines, line{p, t, k, q.turns[t]})
			}
		}
	}
	short := n / max(1, len(lines))
	var chosen, long []line
	for _, l := range lines {
		if l.n <= short {
			chosen = append(chosen, l)
			n -= l.n
		} else {
			long = append(long, l)
		}
	}
	slices.SortFunc(long, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.turn, b.turn), cmp.Compare(a.partition, b.partition), cmp.Compare(a.topic, b.topic))
	})
	lanes := make(map[int32]bool, cores)
	long = slices.DeleteFunc(long, func(l line) bool {
		lanes[l.partition] = lanes[l.partition] || len(lanes) < cores
		return !lanes[l.partition]
	})
	slices.SortStableFunc(long, func(a, b line) int { return cmp.Compare(a.n, b.n) })
	for i, l := range long {
		l.n = min(l.n, max(1, n/(len(long)-i)))
		n -= l.n
		queues[l.partition].turns[l.topic] = turn
		chosen = append(chosen, l)
	}
	slices.SortFunc(chosen, func(a, b line) int { return cmp.Compare(a.topic, b.topic) })
	bytes := batchBytes / max(1, len(chosen))
	took := make(map[int32][]*kgo.Record, len(queues))
	for _, l := range chosen {
		took[l.partition] = append(took[l.partition], queues[l.partition].take(l.topic, l.n, bytes)...)
	}
	return took
}
