package run

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
	"github.com/crmstream/crmstream/state/mem"
)

// teller is a pure task whose outputs are of their topics' records.
type teller struct{}

func (teller) Step(tx *pipeline.Tx, in *pipeline.Record) error {
	call, ok := in.Decoded.(*schemas.CallEvent)
	if !ok {
		return pipeline.Rejectf(schemas.ReasonInvalid, "a %T", in.Decoded)
	}
	tx.Emit(schemas.TopicSyncCalls, in.Tenant+"/"+call.CallID, &schemas.SyncCall{Tenant: in.Tenant, CallID: call.CallID})
	return nil
}

func (teller) Tick(*pipeline.Tx, pipeline.Timer) error { return nil }
func (teller) Resume(*pipeline.Tx) error               { return nil }

// Records, journal and dead letters go through a schema registry that is really
// asked: ours on kfake, Apicurio beside Apache Kafka. What one codec wrote is read by
// another that has only the registry.
func TestWithARegistry(t *testing.T) {
	h := newHarness(t)
	url := kafkaRegistry
	if kafkaBrokers == "" {
		s, err := registry.NewServer(h.ctx(), registry.ServerConfig{Brokers: h.addrs})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		web := httptest.NewServer(s.Handler())
		t.Cleanup(web.Close)
		url = web.URL
	} else if url == "" {
		t.Skip("CRMSTREAM_TEST_REGISTRY is not set")
	}
	writer := registry.NewCodec(url)
	for range 2 { // the second finds everything there
		if err := writer.Register(h.ctx()); err != nil {
			t.Fatal(err)
		}
	}
	const n = 20
	p := schemas.PartitionOf("acme", testN)
	var recs []*kgo.Record
	for i := range n {
		v, err := writer.Append(nil, schemas.TopicDialerCalls, &schemas.CallEvent{CallID: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, &kgo.Record{Topic: schemas.TopicDialerCalls, Partition: p, Key: []byte("acme"), Value: v})
	}
	unknown := append([]byte{0, 0x7f, 0, 0, 1}, recs[0].Value[5:]...)
	recs = append(recs, &kgo.Record{Topic: schemas.TopicDialerCalls, Partition: p, Key: []byte("acme"), Value: unknown})
	if err := h.cl.ProduceSync(h.ctx(), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	own := registry.NewCodec(url)
	if err := own.Register(h.ctx()); err != nil {
		t.Fatal(err)
	}
	h.start("a", mem.New(), func(c *Config) { c.Codec, c.Task = own, teller{} })
	reader := registry.NewCodec(url)
	decode := func(topic string, rec *kgo.Record) any {
		v, err := reader.Decode(h.ctx(), topic, rec.Value)
		if err != nil {
			t.Fatalf("%s: %v", topic, err)
		}
		return v
	}
	for i, rec := range h.read(schemas.TopicSyncCalls, n) {
		if c := decode(schemas.TopicSyncCalls, rec).(*schemas.SyncCall); c.CallID != fmt.Sprint(i) || c.Tenant != "acme" {
			t.Errorf("output %d: %+v", i, c)
		}
	}
	if d := decode(schemas.TopicDeadLetters, h.read(schemas.TopicDeadLetters, 1)[0]).(*schemas.DeadLetter); d.Reason != schemas.ReasonUnknownSchema {
		t.Errorf("an id that nobody knows: %s %s", d.Reason, d.Message)
	}
	rep, err := Replay(h.ctx(), ReplayConfig{Brokers: h.addrs, Codec: own, Task: teller{}, Partitions: testN})
	if err != nil || len(rep.Differences) > 0 {
		t.Errorf("replay: %+v %v", rep, err)
	}
}
