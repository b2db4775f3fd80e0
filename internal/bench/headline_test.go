package bench

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/pipeline/run/embedded"
	"github.com/crmstream/crmstream/pipeline/task"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/schemas/registry"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/disk"
)

const (
	partitions = 8
	tenants    = 64
	people     = 20_000  // contacts that the merges go to
	merges     = 200_000 // records
)

// contact is one change of person n: about 300 bytes, of which a third says nothing
// that another contact says too.
func contact(n, i int, at int64) *schemas.ContactChange {
	own := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, n)))
	return &schemas.ContactChange{ContactID: fmt.Sprintf("c%d", n), ModifiedAt: at, Fields: []schemas.Field{
		schemas.Text("address", own[:4]+" Market Street, "+own[4:24]+", 12th floor, San Francisco, CA 94103, United States of America"),
		schemas.Text("company", own[24:40]+" Incorporated"), schemas.Text("email", own[40:52]+"@example.com"),
		schemas.Text("first_name", own[52:58]), schemas.Text("last_name", own[58:64]),
		schemas.Text("phone", fmt.Sprintf("(415) 555-%04d", n%10_000)), schemas.Text("title", fmt.Sprintf("Title %d", i)),
	}}
}

// nobody is a host that has nothing to do: the benchmark's tenants have no accounts.
type nobody struct{}

func (nobody) Own(int32)                   {}
func (nobody) Disown(int32)                {}
func (nobody) Do(int32, []pipeline.Effect) {}

// bed is a broker with its topics, and a codec.
type bed struct {
	b     *testing.B
	addr  string
	codec *registry.Codec
}

func newBed(b *testing.B) *bed {
	b.Helper()
	ctx := context.Background()
	br, err := embedded.Start(ctx, embedded.Config{Dir: b.TempDir(), Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Partitions: partitions})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := br.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	cl := client(b, br.Addr())
	if err := run.EnsureTopics(ctx, cl, partitions, 1); err != nil {
		b.Fatal(err)
	}
	codec := registry.NewCodec(br.RegistryURL())
	if err := codec.Register(ctx); err != nil {
		b.Fatal(err)
	}
	return &bed{b, br.Addr(), codec}
}

func client(b *testing.B, addr string, opts ...kgo.Opt) *kgo.Client {
	b.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cl.Close)
	return cl
}

func tenantName(i int) string { return fmt.Sprintf("tenant-%02d", i%tenants) }

// fill puts the tenants, or the merges, on their topic.
func (d *bed) fill(configs bool) {
	d.b.Helper()
	cl := client(d.b, d.addr, kgo.MaxBufferedRecords(1<<20))
	var failed error
	var mu sync.Mutex
	send := func(topic, tenant string, v any) {
		value, err := d.codec.Append(nil, topic, v)
		if err != nil {
			d.b.Fatal(err)
		}
		cl.Produce(context.Background(), &kgo.Record{Topic: topic, Partition: schemas.PartitionOf(tenant, partitions), Key: []byte(tenant), Value: value},
			func(_ *kgo.Record, err error) {
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			})
	}
	for i := range tenants {
		if !configs {
			break
		}
		send(schemas.TopicControlTenants, tenantName(i), &schemas.TenantConfig{Tenant: tenantName(i), Version: 1, TimeZone: "UTC", Country: "US"})
	}
	now := time.Now().UnixMilli()
	for i := range merges {
		if configs {
			break
		}
		n := (i * 7919) % people
		send(schemas.TopicDialerContacts, tenantName(n), contact(n, i, now+int64(i)))
	}
	if err := cl.Flush(context.Background()); err != nil || failed != nil {
		d.b.Fatal(err, failed)
	}
}

// rawCopy copies the contacts exactly once with nothing but the client: the bound.
func (d *bed) rawCopy() time.Duration {
	d.b.Helper()
	s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(d.addr), kgo.TransactionalID("raw"), kgo.ConsumerGroup("raw"), kgo.ConsumeTopics(schemas.TopicDialerContacts),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(1<<20))
	if err != nil {
		d.b.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	var began time.Time
	for n := 0; n < merges; {
		fs := s.PollRecords(ctx, 10_000)
		if began.IsZero() {
			began = time.Now()
		}
		if err := s.Begin(); err != nil {
			d.b.Fatal(err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			n++
			s.Produce(ctx, &kgo.Record{Topic: schemas.TopicSyncHealth, Partition: r.Partition, Key: r.Key, Value: r.Value}, nil)
		})
		if ok, err := s.End(ctx, kgo.TryCommit); !ok || err != nil {
			d.b.Fatal(ok, err)
		}
	}
	return time.Since(began)
}

// start runs the whole shell with the whole task; stop ends it.
func (d *bed) start(db state.DB) (r *run.Runner, stop func()) {
	d.b.Helper()
	var profiles []*profile.Profile
	for _, p := range all.Providers() {
		profiles = append(profiles, p.Profile())
	}
	r, err := run.New(run.Config{Brokers: []string{d.addr}, Instance: "bench", Partitions: partitions, Codec: d.codec, Task: task.New(profiles), Effects: nobody{}, DB: db})
	if err != nil {
		d.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return r, func() {
		cancel()
		if err := <-done; err != nil {
			d.b.Error(err)
		}
	}
}

// until polls a condition that a running shell brings about.
func until(b *testing.B, what string, done func() bool) time.Duration {
	b.Helper()
	began := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if done() {
			return time.Since(began)
		}
		if time.Since(began) > 3*time.Minute {
			b.Fatalf("waiting for %s: gave up", what)
		}
	}
	return 0
}

// BenchmarkHeadline measures the merge against the raw copy, then a restart with
// the store at hand, then a restore of a lost store against a raw read of the
// changelog, all on one broker.
func BenchmarkHeadline(b *testing.B) {
	for range b.N {
		d := newBed(b)
		d.fill(true)
		db := open(b, b.TempDir())
		r, stop := d.start(db)
		until(b, "the tenants", func() bool { return r.Status().Records >= tenants })
		stop()
		d.fill(false)
		raw := d.rawCopy()
		r, stop = d.start(db)
		until(b, "the first record", func() bool { return r.Status().Records > 0 })
		first := r.Status().Records
		began := time.Now()
		until(b, "the merge", func() bool { return r.Status().Records >= merges })
		merge := time.Duration(float64(time.Since(began)) * float64(merges) / float64(merges-first))
		stop()
		if n := r.Status().DeadLetters; n > 0 {
			b.Fatalf("%d dead letters", n)
		}
		b.ReportMetric(float64(merges)/raw.Seconds(), "raw-copy-rec/s")
		b.ReportMetric(float64(merges)/merge.Seconds(), "merge-rec/s")
		b.ReportMetric(100*raw.Seconds()/merge.Seconds(), "merge-%-of-raw")

		r, stop = d.start(db)
		b.ReportMetric(until(b, "a restart", func() bool { return len(r.Status().Partitions) == partitions }).Seconds(), "warm-restart-s")
		stop()
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}

		read, took := d.readChangelog()
		lost := open(b, b.TempDir())
		r, stop = d.start(lost)
		restore := until(b, "a restore", func() bool { return len(r.Status().Partitions) == partitions })
		stop()
		if got := r.Status().RestoredCount; got == 0 {
			b.Fatal("nothing was restored")
		}
		b.ReportMetric(float64(read)/took.Seconds(), "raw-read-rec/s")
		b.ReportMetric(float64(r.Status().RestoredCount)/restore.Seconds(), "restore-rec/s")
		b.ReportMetric(100*took.Seconds()/restore.Seconds(), "restore-%-of-raw")
		if err := lost.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func open(b *testing.B, dir string) *disk.DB {
	b.Helper()
	db, err := disk.Open(disk.Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// readChangelog reads the changelog with nothing but the client.
func (d *bed) readChangelog() (records int64, took time.Duration) {
	d.b.Helper()
	cl := client(d.b, d.addr, kgo.ConsumeTopics(schemas.TopicChangelog), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxPartitionBytes(8<<20), kgo.FetchMaxBytes(50<<20))
	began := time.Now()
	last := began
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		fs := cl.PollFetches(ctx)
		cancel()
		if fs.NumRecords() == 0 {
			return records, last.Sub(began)
		}
		records += int64(fs.NumRecords())
		last = time.Now()
	}
}
