package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// RawCopy copies contact changes to a topic exactly once with nothing but the client,
// until enough says so: the bound of whatever does more. What is there is copied
// again from its beginning when it has been copied whole. The time is from the first
// records polled to the last commit.
func (d *Bed) RawCopy(ctx context.Context, to string, enough func(copied int, took time.Duration) bool) (copied int, took time.Duration, err error) {
	s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(d.Brokers...), kgo.TransactionalID("raw-"+to), kgo.ConsumerGroup("raw-"+to+d.Group), kgo.ConsumeTopics(schemas.TopicDialerContacts),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(1<<20))
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	ends, err := kadm.NewClient(s.Client()).ListEndOffsets(ctx, schemas.TopicDialerContacts)
	if err != nil {
		return 0, 0, err
	}
	var total int
	ends.Each(func(o kadm.ListedOffset) { total += int(o.Offset) })
	if total == 0 {
		return 0, 0, errors.New("nothing to copy")
	}
	var began time.Time
	for left := total; began.IsZero() || !enough(copied, took); {
		if left == 0 {
			s.Client().SetOffsets(map[string]map[int32]kgo.EpochOffset{schemas.TopicDialerContacts: starts(d.Partitions)})
			left = total
		}
		fs := s.PollRecords(ctx, 10_000)
		if err := fs.Err0(); err != nil {
			return 0, 0, fmt.Errorf("reading what is copied: %w", err)
		}
		if began.IsZero() {
			began = time.Now()
		}
		if err := s.Begin(); err != nil {
			return 0, 0, err
		}
		n := 0
		fs.EachRecord(func(r *kgo.Record) {
			n++
			s.Produce(ctx, &kgo.Record{Topic: to, Partition: r.Partition, Key: r.Key, Value: r.Value}, nil)
		})
		if ok, err := s.End(ctx, kgo.TryCommit); !ok || err != nil {
			return 0, 0, fmt.Errorf("committing the copy: %t, %w", ok, err)
		}
		left -= n
		copied, took = copied+n, time.Since(began)
	}
	return copied, took, nil
}

func starts(n int32) map[int32]kgo.EpochOffset {
	m := make(map[int32]kgo.EpochOffset, n)
	for p := range n {
		m[p] = kgo.EpochOffset{Epoch: -1}
	}
	return m
}
