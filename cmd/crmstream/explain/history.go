package explain

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

// History returns the changes of a tenant's person that stand on sync.changes since a
// moment, the oldest first. cl must read committed records, with control records.
func History(ctx context.Context, cl *kgo.Client, codec *registry.Codec, partition int32, tenant, person string, since time.Time) ([]*schemas.FieldChange, error) {
	topic := schemas.TopicSyncChanges
	fail := func(err error) ([]*schemas.FieldChange, error) { return nil, fmt.Errorf("reading %s: %w", topic, err) }
	adm := kadm.NewClient(cl)
	from, err := adm.ListOffsetsAfterMilli(ctx, since.UnixMilli(), topic)
	if err != nil {
		return fail(err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return fail(err)
	}
	start, ok := from.Lookup(topic, partition)
	end, ok2 := ends.Lookup(topic, partition)
	if !ok || !ok2 || start.Err != nil || end.Err != nil {
		return fail(fmt.Errorf("partition %d is not known", partition))
	}
	if start.Offset < 0 || start.Offset >= end.Offset {
		return nil, nil
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(start.Offset)}})
	defer cl.PurgeTopicsFromConsuming(topic)
	var changes []*schemas.FieldChange
	for next := start.Offset; next < end.Offset; {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			return fail(err)
		}
		for it := fs.RecordIter(); !it.Done(); {
			rec := it.Next()
			next = rec.Offset + 1
			if rec.Attrs.IsControl() || string(rec.Key) != tenant+"/"+person {
				continue
			}
			v, err := codec.Decode(ctx, topic, rec.Value)
			if err != nil {
				return fail(fmt.Errorf("offset %d: %w", rec.Offset, err))
			}
			if c, ok := v.(*schemas.FieldChange); ok {
				changes = append(changes, c)
			}
		}
	}
	return changes, nil
}
