package run

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// The suite runs on kfake, one broker per test, or on the Apache Kafka that these
// variables name: `make test-kafka` sets them.
var (
	kafkaBrokers  = os.Getenv("CRMSTREAM_TEST_BROKERS")
	kafkaRegistry = os.Getenv("CRMSTREAM_TEST_REGISTRY")
)

// onlyFake skips a test of what only the embedded broker does, or only it can be made
// to do.
func onlyFake(t *testing.T, why string) {
	t.Helper()
	if kafkaBrokers != "" {
		t.Skip("not on Apache Kafka: " + why)
	}
}

// groups numbers the groups of this process's tests.
var groups atomic.Int64

// kafkaHarness is a harness on the Apache Kafka of the lane. The names of topics are
// the catalogue's, so each test deletes all of them and makes them again, under new
// ids, in a second; a broker for each test would take four, and records can't be deleted from
// compacted topics alone. A deleted topic's offsets leave a group some time later, so
// each test has a group of its own.
func kafkaHarness(t *testing.T) *harness {
	t.Helper()
	addrs := strings.Split(kafkaBrokers, ",")
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.MetadataMinAge(10*time.Millisecond)) // what it knows of topics is not to be remembered
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	adm := kadm.NewClient(cl)
	var names []string
	for _, topic := range schemas.Topics() {
		names = append(names, topic.Name)
	}
	there, err := adm.ListTopics(ctx, names...)
	if err != nil {
		t.Fatal(err)
	}
	old := make(map[kadm.TopicID]bool)
	for _, d := range there {
		if d.Err == nil {
			old[d.ID] = true
		}
	}
	deleted, err := adm.DeleteTopics(ctx, names...)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deleted {
		if d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			t.Fatalf("deleting %s: %v", d.Topic, d.Err)
		}
	}
	h := harnessAt(t, addrs)
	h.group = fmt.Sprintf("crmstream-test-%d-%d", os.Getpid(), groups.Add(1))
	// The controller has made them; the broker still learns it.
	h.eventually("topics on the broker", func() bool {
		there, err := adm.ListTopics(ctx, names...)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, d := range there {
			if d.Err == nil && !old[d.ID] && len(d.Partitions) == testN {
				n++
			}
			for _, p := range d.Partitions {
				if p.Err != nil {
					return false
				}
			}
		}
		return n == len(names)-1 // all but the embedded broker's own
	})
	return h
}

// offsets returns the log start, the last stable offset and the high watermark.
func (h *harness) offsets(topic string, p int32) (start, stable, high int64) {
	h.t.Helper()
	adm := kadm.NewClient(h.cl)
	for _, q := range []struct {
		list func(context.Context, ...string) (kadm.ListedOffsets, error)
		into *int64
	}{{adm.ListStartOffsets, &start}, {adm.ListCommittedOffsets, &stable}, {adm.ListEndOffsets, &high}} {
		l, err := q.list(h.ctx(), topic)
		if err != nil {
			h.t.Fatal(err)
		}
		o, ok := l.Lookup(topic, p)
		if !ok || o.Err != nil {
			h.t.Fatalf("offsets of %s-%d: %v", topic, p, o.Err)
		}
		*q.into = o.Offset
	}
	return start, stable, high
}

// truncate deletes a partition's records before an offset, those of a compacted topic
// too.
func (h *harness) truncate(topic string, p int32, before int64) {
	h.t.Helper()
	adm := kadm.NewClient(h.cl)
	policy := "compact,delete" // Kafka deletes none where the policy is compact alone
	alter := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &policy}}
	altered, err := adm.AlterTopicConfigs(h.ctx(), alter, topic)
	if err != nil || altered[0].Err != nil {
		h.t.Fatal(err, altered)
	}
	var set kadm.Offsets
	set.Add(kadm.Offset{Topic: topic, Partition: p, At: before})
	h.eventually("records deleted", func() bool {
		got, err := adm.DeleteRecords(h.ctx(), set)
		if err != nil {
			h.t.Fatal(err)
		}
		r, _ := got.Lookup(topic, p)
		if r.Err != nil && !errors.Is(r.Err, kerr.PolicyViolation) { // until the broker knows of the policy
			h.t.Fatal(r.Err)
		}
		return r.Err == nil
	})
}

// members waits until the group is stable with so many members.
func (h *harness) members(n int) {
	h.t.Helper()
	adm := kadm.NewClient(h.cl)
	h.eventually(fmt.Sprintf("a group of %d", n), func() bool {
		groups, err := adm.DescribeGroups(h.ctx(), h.group)
		if err != nil {
			h.t.Fatal(err)
		}
		g := groups[h.group]
		return g.State == "Stable" && len(g.Members) == n
	})
}

// TestMain lets more tests run side by side than there are processors: most of their
// time goes by waiting for sessions to end.
func TestMain(m *testing.M) {
	flag.Parse()
	if p := flag.Lookup("test.parallel"); p != nil && p.Value.String() == p.DefValue {
		_ = p.Value.Set("8")
	}
	os.Exit(m.Run())
}
