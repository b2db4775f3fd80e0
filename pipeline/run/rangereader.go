package run

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// rangeReader reads one partition forwards, up to where it ended when it was opened.
type rangeReader struct {
	cl      *kgo.Client
	topic   string
	buf     []*kgo.Record
	at, end int64 // offset after the last that was taken; the end
}

// openRange reads the committed records of [start, end). The caller closes its client.
func (r *Runner) openRange(topic string, partition int32, start, end int64) (*rangeReader, error) {
	cl, err := kgo.NewClient(append(r.clientOpts(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(start)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	return &rangeReader{cl: cl, topic: topic, at: start, end: end}, nil
}

// next returns the next record, nil at the end. Control records only move it on.
func (rd *rangeReader) next(ctx context.Context) (*kgo.Record, error) {
	for rd.at < rd.end {
		if len(rd.buf) == 0 {
			fs := rd.cl.PollFetches(ctx)
			if err := fs.Err(); err != nil {
				return nil, fmt.Errorf("reading %s: %w", rd.topic, err)
			}
			rd.buf = fs.Records()
			continue
		}
		rec := rd.buf[0]
		rd.buf = rd.buf[1:]
		rd.at = rec.Offset + 1
		if !rec.Attrs.IsControl() {
			return rec, nil
		}
	}
	return nil, nil
}

// read returns the records of [first, next). Both ends were records when they were
// applied; one that is missing was removed by age.
func (rd *rangeReader) read(ctx context.Context, first, next int64) ([]*kgo.Record, error) {
	var recs []*kgo.Record
	for rd.at < next {
		rec, err := rd.next(ctx)
		if err != nil {
			return nil, err
		}
		if rec == nil {
			break
		}
		if rec.Offset >= first {
			recs = append(recs, rec)
		}
	}
	if len(recs) == 0 || recs[0].Offset != first || rd.at != next {
		return nil, fmt.Errorf("%w: %s no longer has all of %d to %d", ErrNotReplayable, rd.topic, first, next)
	}
	return recs, nil
}
