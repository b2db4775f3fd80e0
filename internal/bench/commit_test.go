package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crmstream/crmstream/internal/bench/load"
	"github.com/crmstream/crmstream/schemas"
)

// commits watches a client's requests: a commit is from the first byte of the offsets
// to the answer that ends the transaction, and a transaction begins with its first
// request.
type commits struct {
	mu           sync.Mutex
	begun, ended time.Time
	took, whole  []time.Duration
}

func (c *commits) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e kgo.BrokerE2E) {
	now := time.Now()
	began := now.Add(-e.DurationE2E())
	c.mu.Lock()
	defer c.mu.Unlock()
	switch kmsg.Key(key) {
	case kmsg.Produce, kmsg.AddPartitionsToTxn:
		if c.begun.IsZero() {
			c.begun = began
		}
	case kmsg.TxnOffsetCommit:
		c.ended = began
	case kmsg.EndTxn:
		if !c.begun.IsZero() && !c.ended.IsZero() {
			c.took, c.whole = append(c.took, now.Sub(c.ended)), append(c.whole, now.Sub(c.begun))
		}
		c.begun, c.ended = time.Time{}, time.Time{}
	}
}

// BenchmarkCommit measures commits with all partitions touched: a change for each
// partition is produced at once, every 50 ms.
func BenchmarkCommit(b *testing.B) {
	const rounds = 200
	for range b.N {
		d := newBed(b, onKafka, tenants, load.People)
		db := d.open()
		d.configure(db)
		of := make(map[int32]int) // a person of each partition
		for i := range tenants {
			of[schemas.PartitionOf(d.Tenant(i), d.Partitions)] = i
		}
		if len(of) != int(d.Partitions) {
			b.Fatalf("%d tenants have %d of %d partitions", tenants, len(of), d.Partitions)
		}
		cl, err := d.Client(kgo.ProducerLinger(5 * time.Millisecond)) // one request for all
		d.must(err)
		var c commits
		r, stop := d.start(db, nil, kgo.WithHooks(&c))
		d.until("all partitions", d.owned(r))
		began := r.Status()
		tick := time.NewTicker(50 * time.Millisecond)
		for i := range rounds {
			<-tick.C
			var rs []*kgo.Record
			for p, n := range of {
				value, err := d.Codec.Append(nil, schemas.TopicDialerContacts, load.Contact(n, i, time.Now().UnixMilli()))
				d.must(err)
				rs = append(rs, &kgo.Record{Topic: schemas.TopicDialerContacts, Partition: p, Key: []byte(d.Tenant(n)), Value: value})
			}
			d.must(cl.ProduceSync(context.Background(), rs...).FirstErr())
		}
		tick.Stop()
		d.until("the last change", func() bool { return r.Status().Records-began.Records >= int64(rounds*len(of)) })
		touched := r.Status().Transactions - began.Transactions
		stop()
		cl.Close()
		d.must(db.Close())
		c.mu.Lock()
		n := len(c.took)
		b.ReportMetric(float64(touched)/float64(n), "partitions/commit")
		report(b, "commit", c.took)
		report(b, "transaction", c.whole)
		c.mu.Unlock()
	}
}

// report reports the middle, the 99th percentile and the highest in ms.
func report(b *testing.B, what string, took []time.Duration) {
	b.Helper()
	if len(took) == 0 {
		b.Fatalf("no %s was seen", what)
	}
	slices.Sort(took)
	for name, i := range map[string]int{"p50": len(took) / 2, "p99": len(took) * 99 / 100, "max": len(took) - 1} {
		b.ReportMetric(took[i].Seconds()*1000, fmt.Sprintf("%s-%s-ms", what, name))
	}
}
