package run

import (
	"context"
	"errors"
	"fmt"
	"time"

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
			fs, err := pollWithin(ctx, rd.cl)
			if err == nil {
				err = fs.Err()
			}
			if err != nil {
				return nil, fmt.Errorf("reading %s at %d of %d: %w", rd.topic, rd.at, rd.end, err)
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

// errNothingComes is returned where records that should be there do not come: they
// were removed by age meanwhile, or a transaction holds them back.
var errNothingComes = errors.New("nothing comes")

// patience is how long it is waited for the next records of a range that has them: as
// long as a dead producer's transaction can hold them back, and some more.
const patience = 45 * time.Second

func pollWithin(ctx context.Context, cl *kgo.Client) (kgo.Fetches, error) {
	pctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	fs := cl.PollFetches(pctx)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case pctx.Err() != nil:
		return nil, errNothingComes
	}
	return fs, nil
}
