package run

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// advice is a setting of Apache Kafka that costs something at a value of its own.
type advice struct {
	key    string
	most   int64  // what is well
	wanted string // as the file of the deployment has it
	cost   func(v int64) string
}

func ms(v int64) string { return (time.Duration(v) * time.Millisecond).String() }

var advices = []advice{
	{"add.partitions.to.txn.retry.backoff.ms", 5, "1", func(v int64) string {
		return "a transaction that follows another at once waits in steps of " + ms(v) + ": about 70 transactions a second instead of 300"
	}},
	{"group.min.session.timeout.ms", 4000, "1000", func(v int64) string {
		return "a killed process keeps its partitions for " + ms(v) + " at least"
	}},
	{"transaction.abort.timed.out.transaction.cleanup.interval.ms", 1000, "1000", func(v int64) string {
		return "a dead producer's transaction holds up a partition for " + ms(v) + " beyond its timeout"
	}},
	{"group.initial.rebalance.delay.ms", 500, "100", func(v int64) string { return "the first process starts " + ms(v) + " later" }},
	{"transaction.max.timeout.ms", 60_000, "60000", func(v int64) string {
		return "a foreign producer that dies may hold up a partition for " + ms(v)
	}},
}

// Advise returns one line for each setting of the brokers that costs something, with
// what it costs and what is recommended. A broker that does not tell its settings gets
// none.
func Advise(ctx context.Context, cl *kgo.Client) ([]string, error) {
	adm := kadm.NewClient(cl)
	brokers, err := adm.ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the brokers: %w", err)
	}
	configs, err := adm.DescribeBrokerConfigs(ctx, brokers.NodeIDs()...)
	if err != nil {
		return nil, fmt.Errorf("asking for the brokers' settings: %w", err)
	}
	worst := make(map[string]int64)
	for _, c := range configs {
		if c.Err != nil {
			continue
		}
		for _, s := range c.Configs {
			if v, err := strconv.ParseInt(s.MaybeValue(), 10, 64); err == nil {
				worst[s.Key] = max(worst[s.Key], v)
			}
		}
	}
	var lines []string
	for _, a := range advices {
		if v, ok := worst[a.key]; ok && v > a.most {
			lines = append(lines, fmt.Sprintf("%s=%d: %s (recommended: %s)", a.key, v, a.cost(v), a.wanted))
		}
	}
	return lines, nil
}
