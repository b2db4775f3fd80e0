package run

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// boot is the newest start of an embedded broker; zero where the broker is none.
type boot struct {
	Boot  int64 `json:"boot"`
	Clean bool  `json:"clean"`
}

// readBoot reads the topic crmstream.boot, which only an embedded broker writes.
// Its producers' ids come back after a crash, so that each boot needs a
// transactional id of its own.
func (r *Runner) readBoot(ctx context.Context, adm *kadm.Client) (boot, error) {
	var b boot
	topics, err := adm.ListTopics(ctx, schemas.TopicBoot)
	if err != nil {
		return b, fmt.Errorf("looking for %s: %w", schemas.TopicBoot, err)
	}
	if !topics.Has(schemas.TopicBoot) {
		return b, nil
	}
	start, end, err := bounds(ctx, adm, schemas.TopicBoot, 0)
	if err != nil || start == end {
		return b, err
	}
	cl, err := kgo.NewClient(append(r.clientOpts(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{schemas.TopicBoot: {0: kgo.NewOffset().At(start)}}))...)
	if err != nil {
		return b, err
	}
	defer cl.Close()
	for next := start; next < end; {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			return b, fmt.Errorf("reading %s: %w", schemas.TopicBoot, err)
		}
		fs.EachRecord(func(rec *kgo.Record) {
			next = rec.Offset + 1
			var got boot
			if json.Unmarshal(rec.Value, &got) == nil && got.Boot > b.Boot {
				b = got
			}
		})
	}
	return b, nil
}
