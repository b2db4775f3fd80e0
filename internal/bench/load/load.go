package load

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/run"
	"github.com/crmstream/crmstream/pipeline/task"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/schemas/registry"
	"github.com/crmstream/crmstream/state"
)

// People is how many contacts the changes of one round go to, unless a Bed says
// otherwise; Changes is how many changes are one round.
const (
	People  = 20_000
	Changes = 200_000
)

// Bed is a broker with its topics, and who is on it.
type Bed struct {
	Brokers    []string
	Codec      *registry.Codec
	Partitions int32
	Tenants    int
	People     int
	Group      string // of consumers; "" = crmstream's own
	filled     int    // changes that were put on their topic
	first      int64  // ms, of the first of them
}

// New makes the topics on the brokers and registers the schemas.
func New(ctx context.Context, brokers []string, registryURL string, partitions int32, tenants int) (*Bed, error) {
	d := &Bed{Brokers: brokers, Codec: registry.NewCodec(registryURL), Partitions: partitions, Tenants: tenants, People: People}
	cl, err := d.Client(kgo.MetadataMinAge(10 * time.Millisecond)) // what it knows of topics is not to be remembered
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if err := run.EnsureTopics(ctx, cl, partitions, 1); err != nil {
		return nil, err
	}
	if err := d.ready(ctx, cl); err != nil {
		return nil, err
	}
	return d, d.Codec.Register(ctx)
}

// Client returns a client that puts records where they say; the caller closes it.
func (d *Bed) Client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(d.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
}

// Contact is one change of person n: about 300 bytes, of which a third says nothing
// that another contact says too. i tells changes of one person apart; at is ms.
func Contact(n, i int, at int64) *schemas.ContactChange {
	own := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, n)))
	return &schemas.ContactChange{ContactID: fmt.Sprintf("c%d", n), ModifiedAt: at, Fields: []schemas.Field{
		schemas.Text("address", own[:4]+" Market Street, "+own[4:24]+", 12th floor, San Francisco, CA 94103, United States of America"),
		schemas.Text("company", own[24:40]+" Incorporated"), schemas.Text("email", own[40:52]+"@example.com"),
		schemas.Text("first_name", own[52:58]), schemas.Text("last_name", own[58:64]),
		schemas.Text("phone", fmt.Sprintf("(415) %03d-%04d", 200+n/10_000%800, n%10_000)), schemas.Text("title", fmt.Sprintf("Title %d", i)),
	}}
}

// Tenant is the name of the tenant of person i.
func (d *Bed) Tenant(i int) string { return fmt.Sprintf("tenant-%02d", i%d.Tenants) }

// FillTenants puts the configurations of all tenants on their topic.
func (d *Bed) FillTenants(ctx context.Context) error {
	return d.fill(ctx, d.Tenants, func(i int) (topic, tenant string, v any) {
		c := &schemas.TenantConfig{Tenant: d.Tenant(i), Version: 1, TimeZone: "UTC", Country: "US"}
		return schemas.TopicControlTenants, c.Tenant, c
	})
}

// FillContacts puts n more changes on their topic, each a millisecond later than the one
// before it and none in the future, so that each changes something.
func (d *Bed) FillContacts(ctx context.Context, n int) error {
	if d.filled == 0 {
		d.first = time.Now().Add(-24 * time.Hour).UnixMilli()
	}
	before := d.filled
	d.filled += n
	return d.fill(ctx, n, func(i int) (topic, tenant string, v any) {
		who := ((before + i) * 7919) % d.People
		return schemas.TopicDialerContacts, d.Tenant(who), Contact(who, before+i, d.first+int64(before+i))
	})
}

func (d *Bed) fill(ctx context.Context, n int, at func(i int) (topic, tenant string, v any)) error {
	cl, err := d.Client(kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return err
	}
	defer cl.Close()
	var failed error
	var once sync.Once
	for i := range n {
		topic, tenant, v := at(i)
		value, err := d.Codec.Append(nil, topic, v)
		if err != nil {
			return err
		}
		cl.Produce(ctx, &kgo.Record{Topic: topic, Partition: schemas.PartitionOf(tenant, d.Partitions), Key: []byte(tenant), Value: value},
			func(_ *kgo.Record, err error) {
				if err != nil {
					once.Do(func() { failed = err })
				}
			})
	}
	return errors.Join(cl.Flush(ctx), failed)
}

// nobody is a host that has nothing to do: these tenants have no accounts.
type nobody struct{}

func (nobody) Own(int32)                   {}
func (nobody) Disown(int32)                {}
func (nobody) Do(int32, []pipeline.Effect) {}

// Start runs the whole shell with the whole task; stop ends it and returns what Run
// did. effects = nil: nothing has to be done. opts are its Kafka clients' further ones.
func (d *Bed) Start(db state.DB, effects pipeline.Effects, opts ...kgo.Opt) (r *run.Runner, stop func() error, err error) {
	var profiles []*profile.Profile
	for _, p := range all.Providers() {
		profiles = append(profiles, p.Profile())
	}
	if effects == nil {
		effects = nobody{}
	}
	r, err = run.New(run.Config{Brokers: d.Brokers, Opts: opts, Group: d.Group, Instance: "bench", Partitions: d.Partitions, Codec: d.Codec, Task: task.New(profiles), Effects: effects, DB: db})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return r, func() error {
		cancel()
		return <-done
	}, nil
}

// Until polls a condition that something running brings about, and returns how long
// that took.
func Until(ctx context.Context, what string, done func() bool) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	began := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
	return time.Since(began), nil
}
