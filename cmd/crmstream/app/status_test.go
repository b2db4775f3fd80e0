package app_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/app"
	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/cmd/crmstream/status"
	"github.com/crmstream/crmstream/schemas"
)

// A whole process on its own broker: status shows it as the one member that runs every
// partition, and a record that was forwarded leaves no lag behind, though a marker is the
// last thing on its topic.
func TestStatusOfARunningProcess(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := config.Default()
	cfg.Data, cfg.Embedded.Listen, cfg.Embedded.Registry, cfg.HTTP.Listen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	p, err := app.Start(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	runCtx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- p.Run(runCtx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	cl, err := kgo.NewClient(append(status.ClientOpts(), kgo.SeedBrokers(p.Addresses().Broker), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	n := int32(cfg.Kafka.Partitions)
	foreign := (schemas.PartitionOf("acme", n) + 1) % n
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: schemas.TopicDialerCalls, Partition: foreign, Key: []byte("acme"), Value: []byte("no Avro")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for p.Status().DeadLetters == 0 { // forwarded, and found to be no Avro where it belongs
		select {
		case <-ctx.Done():
			t.Fatal("it did not come")
		case <-tick.C:
		}
	}
	r, err := status.Gather(ctx, cl, p.Codec(), cfg.Kafka.Group)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Members) != 1 || r.Members[0].Problem != "" || len(r.Members[0].Partitions) != int(n) {
		t.Errorf("members %+v", r.Members)
	}
	if len(r.Partitions) != int(n) {
		t.Fatalf("%d partitions", len(r.Partitions))
	}
	for _, p := range r.Partitions {
		if p.State != status.Running || p.Lag != 0 || p.Owner != r.Members[0].Instance {
			t.Errorf("%+v", p)
		}
	}
}

// A secret of a CRM that there is not is a slip: nothing is started, and the name is said.
func TestWebhooksOfNoCRM(t *testing.T) {
	cfg := config.Default()
	cfg.Data = t.TempDir()
	cfg.Webhooks = map[string]map[string]string{"hubspt": {"1": "env:X"}}
	if _, err := app.Start(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), `names the CRM "hubspt": did you mean hubspot?`) {
		t.Error(err)
	}
}
