package load

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Read gives each committed record of a topic to fn (nil = none), from its beginning
// to its end as it is now, and returns their number and the time from the first fetch
// to the last.
func (d *Bed) Read(ctx context.Context, topic string, fn func(*kgo.Record)) (records int, took time.Duration, err error) {
	began := time.Now()
	cl, err := d.Client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxPartitionBytes(8<<20), kgo.FetchMaxBytes(50<<20))
	if err != nil {
		return 0, 0, err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("asking for the end of %s: %w", topic, err)
	}
	left := make(map[int32]int64)
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fs := cl.PollFetches(ctx)
		if err := fs.Err0(); err != nil {
			return 0, 0, fmt.Errorf("reading %s: %w", topic, err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			if end, ok := left[r.Partition]; ok && r.Offset+1 >= end {
				delete(left, r.Partition)
			}
			if r.Attrs.IsControl() {
				return
			}
			records++
			if fn != nil {
				fn(r)
			}
		})
	}
	return records, time.Since(began), nil
}

// Window is a span of committed records of a topic.
type Window struct {
	Records     int       // within
	First, Last time.Time // of the whole topic
	From, To    time.Time // the window's edges
}

// Rate is records per second.
func (w Window) Rate() float64 { return float64(w.Records) / w.To.Sub(w.From).Seconds() }

// Measure counts the committed records of a topic by the broker's own clock, which
// must stamp them (message.timestamp.type=LogAppendTime): those that came from warm
// after the first one on, for the time of span, or to the last one where it came
// earlier.
func (d *Bed) Measure(ctx context.Context, topic string, warm, span time.Duration) (w Window, err error) {
	counts := make(map[int64]int) // by ms
	_, _, err = d.Read(ctx, topic, func(r *kgo.Record) { counts[r.Timestamp.UnixMilli()]++ })
	if err != nil {
		return w, err
	}
	if len(counts) == 0 {
		return w, fmt.Errorf("nothing was committed to %s", topic)
	}
	first, last := int64(1)<<62, int64(0)
	for ms := range counts {
		first, last = min(first, ms), max(last, ms)
	}
	from := first + warm.Milliseconds()
	to := min(from+span.Milliseconds(), last)
	if to <= from {
		return w, fmt.Errorf("%s: what was committed ends after %d ms, within the warm-up", topic, last-first)
	}
	for ms, n := range counts {
		if ms >= from && ms < to {
			w.Records += n
		}
	}
	w.First, w.Last, w.From, w.To = time.UnixMilli(first), time.UnixMilli(last), time.UnixMilli(from), time.UnixMilli(to)
	return w, nil
}
