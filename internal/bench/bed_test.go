package bench

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/internal/bench/load"
	"github.com/crmstream/crmstream/internal/kafkalane"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/pipeline/run/embedded"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/disk"
)

// Partitions on the embedded broker, and on Apache Kafka unless a row says otherwise.
const (
	onEmbedded = 8
	onKafka    = 12
	tenants    = 64
)

// kafka returns the brokers and the registry that the environment names; none, and
// the embedded ones are used.
func kafka() (brokers []string, registry string) {
	if s := os.Getenv(kafkalane.EnvBrokers); s != "" {
		brokers = strings.Split(s, ",")
	}
	return brokers, os.Getenv(kafkalane.EnvRegistry)
}

// beds numbers the beds of this process: each has groups of its own, since a deleted
// topic's offsets leave a group some time later.
var beds atomic.Int64

// bed is a load.Bed whose mistakes end the benchmark.
type bed struct {
	*load.Bed
	b *testing.B
}

// newBed makes topics on a broker: on Apache Kafka with n partitions.
func newBed(b *testing.B, n int32, tenants, people int) *bed {
	b.Helper()
	ctx := context.Background()
	brokers, registry := kafka()
	if brokers == nil {
		n = onEmbedded
		br, err := embedded.Start(ctx, embedded.Config{Dir: b.TempDir(), Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Partitions: n})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := br.Close(context.Background()); err != nil {
				b.Error(err)
			}
		})
		brokers, registry = []string{br.Addr()}, br.RegistryURL()
	} else if err := load.Reset(ctx, brokers); err != nil {
		b.Fatal(err)
	}
	l, err := load.New(ctx, brokers, registry, n, tenants)
	if err != nil {
		b.Fatal(err)
	}
	l.People, l.Group = people, fmt.Sprintf("bench-%d-%d", os.Getpid(), beds.Add(1))
	return &bed{l, b}
}

// must ends the benchmark.
func (d *bed) must(err error) {
	d.b.Helper()
	if err != nil {
		d.b.Fatal(err)
	}
}

func (d *bed) until(what string, done func() bool) time.Duration {
	d.b.Helper()
	took, err := load.Until(context.Background(), what, done)
	d.must(err)
	return took
}

// start runs the shell and the task; stop ends them.
func (d *bed) start(db state.DB, effects pipeline.Effects, opts ...kgo.Opt) (r *run.Runner, stop func()) {
	d.b.Helper()
	r, end, err := d.Start(db, effects, opts...)
	d.must(err)
	return r, func() {
		d.b.Helper()
		d.must(end())
		if n := r.Status().DeadLetters; n > 0 {
			d.b.Fatalf("%d dead letters", n)
		}
	}
}

func (d *bed) open() *disk.DB {
	d.b.Helper()
	db, err := disk.Open(disk.Options{Dir: d.b.TempDir()})
	d.must(err)
	return db
}

// owned says that all partitions are at work.
func (d *bed) owned(r *run.Runner) func() bool {
	return func() bool { return len(r.Status().Partitions) == int(d.Partitions) }
}

// configure has the tenants' configurations taken over.
func (d *bed) configure(db state.DB) {
	d.b.Helper()
	d.must(d.FillTenants(context.Background()))
	r, stop := d.start(db, nil)
	d.until("the tenants", func() bool { return r.Status().Records >= int64(d.Tenants) })
	stop()
}

// merge runs the shell until n contact changes are applied and returns how long they
// took, from the first ones on. It is left running.
func (d *bed) merge(db state.DB, n int) (r *run.Runner, stop func(), took time.Duration) {
	d.b.Helper()
	r, stop = d.start(db, nil)
	d.until("the first record", func() bool { return r.Status().Records > 0 })
	first := r.Status().Records
	took = d.until("the merge", func() bool { return r.Status().Records >= int64(n) })
	return r, stop, time.Duration(float64(took) * float64(n) / float64(int64(n)-first))
}

// count reads what was committed of a topic.
func (d *bed) count(topic string) (records int, took time.Duration) {
	d.b.Helper()
	records, took, err := d.Read(context.Background(), topic, nil)
	d.must(err)
	return records, took
}

// committed checks by a reader of its own that a contact was published for each change.
func (d *bed) committed(changes int) {
	d.b.Helper()
	if n, _ := d.count(schemas.TopicSyncContacts); n != changes {
		d.b.Fatalf("%d contacts were committed for %d changes", n, changes)
	}
}
