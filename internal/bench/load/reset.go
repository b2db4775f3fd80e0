package load

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// Reset deletes the catalogue's topics, and with them all that was in them: for a
// broker of tests that several benchmarks use one after the other.
func Reset(ctx context.Context, brokers []string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer cl.Close()
	var names []string
	for _, t := range schemas.Topics() {
		names = append(names, t.Name)
	}
	gone, err := kadm.NewClient(cl).DeleteTopics(ctx, names...)
	if err != nil {
		return err
	}
	for _, t := range gone {
		if t.Err != nil && !errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("deleting %s: %w", t.Topic, t.Err)
		}
	}
	return nil
}

// ready waits until the broker has all topics with their partitions: the controller
// has made them, the broker still learns it.
func (d *Bed) ready(ctx context.Context, cl *kgo.Client) error {
	adm := kadm.NewClient(cl)
	_, err := Until(ctx, "the topics", func() bool {
		there, err := adm.ListTopics(ctx)
		if err != nil {
			return false
		}
		for _, t := range schemas.Topics() {
			if t.Name == schemas.TopicBoot {
				continue
			}
			want := int(d.Partitions)
			if t.Single {
				want = 1
			}
			of, ok := there[t.Name]
			if !ok || of.Err != nil || len(of.Partitions) != want {
				return false
			}
			for _, p := range of.Partitions {
				if p.Err != nil || p.Leader < 0 {
					return false
				}
			}
		}
		return true
	})
	return err
}
