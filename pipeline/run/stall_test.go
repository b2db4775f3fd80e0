package run

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/mem"
)

// A dialer's transaction that is left open holds up its own partition alone, is named
// within five seconds, and what it held up is applied when it ends.
func TestAnOpenTransactionIsNamed(t *testing.T) {
	h := newHarness(t)
	stuck := schemas.PartitionOf("acme", testN)
	other := "beta"
	for schemas.PartitionOf(other, testN) == stuck {
		other += "a"
	}
	r, _ := h.start("a", mem.New())
	h.eventually("owned", func() bool { return len(r.Status().Partitions) == testN })
	dialer, err := kgo.NewClient(kgo.SeedBrokers(h.addrs...), kgo.TransactionalID("dialer-7"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer dialer.Close()
	if err := dialer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := dialer.ProduceSync(h.ctx(), &kgo.Record{Topic: schemas.TopicDialerCalls, Partition: stuck, Key: []byte("acme"), Value: []byte(`{"CallID":"0"}`)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	h.send("acme", -1, 2, "")
	h.send(other, -1, 3, "")
	h.counted(map[string]int{other: 3})
	h.eventually("it is named", func() bool { return len(r.Status().Stalled) > 0 })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("named after %v", took)
	}
	if s := r.Status().Stalled; len(s) != 1 || s[0].Topic != schemas.TopicDialerCalls || s[0].Partition != stuck || s[0].Producer != "dialer-7" {
		t.Errorf("held up: %+v", s)
	}
	if err := dialer.EndTransaction(h.ctx(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	h.counted(map[string]int{other: 3, "acme": 3})
	h.eventually("it is over", func() bool { return len(r.Status().Stalled) == 0 })
}
