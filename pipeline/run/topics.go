package run

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// EnsureTopics creates the topics of the catalogue that are not there, with n
// partitions (single ones with one) and rf replicas.
func EnsureTopics(ctx context.Context, cl *kgo.Client, n int32, rf int16) error {
	adm := kadm.NewClient(cl)
	for _, t := range schemas.Topics() {
		if t.Name == schemas.TopicBoot {
			continue // the embedded broker's own: elsewhere there is none
		}
		partitions := n
		if t.Single {
			partitions = 1
		}
		if _, err := adm.CreateTopic(ctx, partitions, rf, topicConfigs(t), t.Name); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("creating topic %s: %w", t.Name, err)
		}
	}
	return awaitTopics(ctx, adm)
}

// knownWithin is how long brokers may take to know of topics that the controller has
// made.
const knownWithin = 10 * time.Second

// awaitTopics waits until all topics of the catalogue are known. What is wrong with
// them is CheckTopics' to say.
func awaitTopics(ctx context.Context, adm *kadm.Client) error {
	ctx, cancel := context.WithTimeout(ctx, knownWithin)
	defer cancel()
	for {
		topics, err := adm.ListTopics(ctx)
		if err != nil {
			return fmt.Errorf("listing topics: %w", err)
		}
		missing := ""
		for _, t := range schemas.Topics() {
			d, ok := topics[t.Name]
			if t.Name != schemas.TopicBoot && (!ok || d.Err != nil || len(d.Partitions) == 0) {
				missing = t.Name
			}
		}
		if missing == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the topic %s was created, but is not known %s later", missing, knownWithin)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func topicConfigs(t schemas.Topic) map[string]*string {
	cleanup, retention := "delete", "-1"
	if t.Compact {
		cleanup = "compact"
	}
	if t.Retention >= 0 {
		retention = strconv.FormatInt(t.Retention.Milliseconds(), 10)
	}
	c := map[string]*string{
		"cleanup.policy":    &cleanup,
		"max.message.bytes": text(strconv.Itoa(schemas.RecordLimit + (128 << 10))),
		// Without it a new partition stalls for tens of milliseconds at its first index
		// entry, which makes ten-megabyte files.
		"segment.index.bytes": text("262144"),
	}
	if t.Compact {
		c["delete.retention.ms"] = &retention
		c["segment.bytes"] = text(strconv.Itoa(64 << 20))
	} else {
		c["retention.ms"] = &retention
	}
	return c
}

func text(s string) *string { return &s }

// CheckTopics compares the topics with the catalogue and returns their number of
// partitions. The error has one line for each mistake.
func CheckTopics(ctx context.Context, cl *kgo.Client) (int32, error) {
	topics, err := kadm.NewClient(cl).ListTopics(ctx)
	if err != nil {
		return 0, fmt.Errorf("listing topics: %w", err)
	}
	var wrong []string
	counts := make(map[int32][]string)
	for _, t := range schemas.Topics() {
		d, ok := topics[t.Name]
		switch {
		case t.Name == schemas.TopicBoot: // of the embedded broker alone
		case !ok || d.Err != nil:
			wrong = append(wrong, "the topic "+t.Name+" is not there: crmstream topics create")
		case t.Single && len(d.Partitions) != 1:
			wrong = append(wrong, fmt.Sprintf("the topic %s has %d partitions, it must have 1", t.Name, len(d.Partitions)))
		case !t.Single:
			counts[int32(len(d.Partitions))] = append(counts[int32(len(d.Partitions))], t.Name)
		}
	}
	var n int32
	for c, names := range counts {
		if len(names) > len(counts[n]) {
			n = c
		}
	}
	for c, names := range counts {
		if c != n {
			wrong = append(wrong, fmt.Sprintf("%s: %d partitions where the others have %d", strings.Join(names, ", "), c, n))
		}
	}
	if len(wrong) > 0 {
		sort.Strings(wrong)
		return n, errors.New(strings.Join(wrong, "\n"))
	}
	return n, nil
}

// tombstoneAge is how long a deletion can be read from the changelog.
func tombstoneAge() time.Duration {
	t, _ := schemas.TopicByName(schemas.TopicChangelog)
	return t.Retention
}
