package bench

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// prompt is a host that answers at once: what is written is taken, and every page is the
// last and empty. It knows when it was asked.
type prompt struct {
	d   *bed
	cl  *kgo.Client
	ctx context.Context

	mu    sync.Mutex
	asked map[string]time.Time // by the item's key
	wrong error
}

func (p *prompt) Own(int32)    {}
func (p *prompt) Disown(int32) {}

func (p *prompt) Do(partition int32, effects []pipeline.Effect) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range effects {
		s, ok := e.(pipeline.Start)
		if !ok {
			continue
		}
		for i := range s.Attempt.Items {
			if k := s.Attempt.Items[i].Key; p.asked[k].IsZero() {
				p.asked[k] = now
			}
		}
		if s.Attempt.Page != nil {
			p.empty(partition, s.Attempt)
		}
		p.answer(partition, s.Attempt)
	}
}

func (p *prompt) answer(partition int32, a *schemas.Attempt) {
	res := &schemas.AttemptResult{AttemptID: a.ID, Provider: a.Provider, Account: a.Account, Kind: a.Kind, Object: a.Object, FinishedAt: time.Now().UnixMilli(), Status: 200}
	for i, it := range a.Items {
		if it.ID == "" {
			it.ID = fmt.Sprintf("00T5g0000%06d%02dAAA", len(p.asked), i)[:18]
		}
		res.Items = append(res.Items, schemas.ItemResult{Key: it.Key, Outcome: schemas.Sent, ID: it.ID, Created: true, Linked: true})
	}
	p.produce(schemas.TopicCRMResults, partition, a.Tenant, res)
}

// empty says of a page that its source has nothing more at the moment.
func (p *prompt) empty(partition int32, a *schemas.Attempt) {
	p.produce(schemas.TopicCRMChanges, partition, a.Tenant, &schemas.CRMChange{Provider: a.Provider, Account: a.Account, Object: a.Object, ObservedAt: time.Now().UnixMilli(),
		PageEnd: &schemas.PageMarker{Source: a.Page.Source, From: a.Page.Cursor, To: a.Page.Cursor, AttemptID: a.ID, Last: true}})
}

func (p *prompt) produce(topic string, partition int32, tenant string, v any) {
	value, err := p.d.Codec.Append(nil, topic, v)
	if err != nil {
		p.wrong = err
		return
	}
	p.cl.Produce(p.ctx, &kgo.Record{Topic: topic, Partition: partition, Key: []byte(tenant), Value: value}, func(_ *kgo.Record, err error) {
		if err != nil {
			p.mu.Lock()
			p.wrong = err
			p.mu.Unlock()
		}
	})
}

func (p *prompt) when(key string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[key]
}

// BenchmarkIdleLatency measures, on an idle system, how long it takes from the
// beginning of the produce request of a call to the moment that the host is asked to
// write it. From there to the request at the CRM it is the host's: the demo shows it.
func BenchmarkIdleLatency(b *testing.B) {
	const (
		rounds  = 200
		tenant  = "tenant-00"
		account = "00D5g000000001EAA"
		lead    = "00Q5g000000001AAA"
		number  = "+14155550100"
	)
	for range b.N {
		d := newBed(b, onKafka, tenants, 1)
		db := d.open()
		d.configure(db)
		ctx := context.Background()
		cl, err := d.Client(kgo.ProducerLinger(0))
		d.must(err)
		host := &prompt{d: d, cl: cl, ctx: ctx, asked: make(map[string]time.Time)}
		send := func(topic string, v any) {
			b.Helper()
			value, err := d.Codec.Append(nil, topic, v)
			d.must(err)
			d.must(cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: schemas.PartitionOf(tenant, d.Partitions), Key: []byte(tenant), Value: value}).FirstErr())
		}
		r, stop := d.start(db, host)
		d.until("all partitions", d.owned(r))
		send(schemas.TopicControlTenants, &schemas.TenantConfig{Tenant: tenant, Version: 2, TimeZone: "UTC", Country: "US",
			Accounts: []schemas.Account{{Provider: "salesforce", ID: account}}})
		now := time.Now().UnixMilli()
		send(schemas.TopicCRMChanges, &schemas.CRMChange{Provider: "salesforce", Account: account, Object: "Lead", ID: lead, ObservedAt: now,
			Record: &schemas.RecordRead{ModifiedAt: now, Cause: "read", Fields: []schemas.Field{schemas.Text("LastName", "Doe"), schemas.Text("Phone", number)}}})
		var took []time.Duration
		tick := time.NewTicker(40 * time.Millisecond)
		for i := range rounds + 10 {
			<-tick.C
			id := fmt.Sprintf("call-%d", i)
			began := time.Now()
			end, length := began.UnixMilli(), int32(60)
			send(schemas.TopicDialerCalls, &schemas.CallEvent{CallID: id, Revision: 1, Direction: schemas.Outbound, StartedAt: end - 60_000, EndedAt: &end, DurationSeconds: &length, ToNumber: number})
			d.until(id, func() bool { return !host.when("call:" + id).IsZero() })
			if i >= 10 { // the first ones find cold caches
				took = append(took, host.when("call:"+id).Sub(began))
			}
		}
		tick.Stop()
		stop()
		cl.Close()
		d.must(db.Close())
		host.mu.Lock()
		d.must(host.wrong)
		host.mu.Unlock()
		report(b, "to-host", took)
	}
}
