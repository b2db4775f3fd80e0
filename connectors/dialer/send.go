package dialer

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// Encoder encodes records; *registry.Codec is one.
type Encoder interface {
	Append(dst []byte, topic string, v any) ([]byte, error)
}

// ClientOpts are the options that Send's client needs: every acknowledged call is
// on all replicas, and a retry makes no second one.
func ClientOpts() []kgo.Opt {
	return []kgo.Opt{kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerLinger(0), kgo.RequiredAcks(kgo.AllISRAcks())}
}

// Record returns a call as a record of dialer.calls.
func Record(enc Encoder, c Call) (*kgo.Record, error) {
	value, err := enc.Append(nil, schemas.TopicDialerCalls, &c.Event)
	if err != nil {
		return nil, err
	}
	return &kgo.Record{Topic: schemas.TopicDialerCalls, Key: []byte(c.Tenant), Value: value}, nil
}

// Send produces calls in order and returns how many were acknowledged.
func Send(ctx context.Context, cl *kgo.Client, enc Encoder, calls []Call) (int, error) {
	recs := make([]*kgo.Record, 0, len(calls))
	for _, c := range calls {
		r, err := Record(enc, c)
		if err != nil {
			return 0, fmt.Errorf("call %s: %w", c.Event.CallID, err)
		}
		recs = append(recs, r)
	}
	sent := 0
	var first error
	for _, res := range cl.ProduceSync(ctx, recs...) {
		if res.Err == nil {
			sent++
		} else if first == nil {
			first = res.Err
		}
	}
	if first != nil {
		return sent, fmt.Errorf("producing calls: %w", first)
	}
	return sent, nil
}
