package tenants

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

// ErrUnknown is returned for a tenant that is not configured.
var ErrUnknown = errors.New("no such tenant: crmstream tenants list shows them")

// Registry is the tenants of one cluster.
type Registry struct {
	cl    *kgo.Client
	codec *registry.Codec
}

// ClientOpts are the options that the client of a Registry needs.
func ClientOpts() []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset of a partition may be a transaction's marker
	}
}

// New returns a Registry on a client made with ClientOpts.
func New(cl *kgo.Client, codec *registry.Codec) *Registry { return &Registry{cl, codec} }

// Apply gives each configuration the next version of its tenant and produces it.
// It returns what Kafka acknowledged, also with an error.
func (r *Registry) Apply(ctx context.Context, configs []schemas.TenantConfig) ([]schemas.TenantConfig, error) {
	newest, n, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	var applied []schemas.TenantConfig
	for _, c := range configs {
		c.Version = newest[c.Tenant].Version + 1
		c.AppliedAt = time.Now().UnixMilli()
		if err := r.produce(ctx, &c, n); err != nil {
			return applied, fmt.Errorf("applying tenant %s: %w", c.Tenant, err)
		}
		applied = append(applied, c)
	}
	return applied, nil
}

// List returns the configured tenants by name.
func (r *Registry) List(ctx context.Context) ([]schemas.TenantConfig, error) {
	newest, _, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	list := []schemas.TenantConfig{}
	for _, c := range newest {
		if !c.Removed {
			list = append(list, c)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Tenant < list[j].Tenant })
	return list, nil
}

// Get returns one tenant; ErrUnknown if it is not configured.
func (r *Registry) Get(ctx context.Context, tenant string) (schemas.TenantConfig, error) {
	newest, _, err := r.read(ctx)
	if err != nil {
		return schemas.TenantConfig{}, err
	}
	c, ok := newest[tenant]
	if !ok || c.Removed {
		return c, fmt.Errorf("%q: %w", tenant, ErrUnknown)
	}
	return c, nil
}

// Remove ends a tenant; ErrUnknown if it is not configured.
func (r *Registry) Remove(ctx context.Context, tenant string) (schemas.TenantConfig, error) {
	newest, n, err := r.read(ctx)
	if err != nil {
		return schemas.TenantConfig{}, err
	}
	old, ok := newest[tenant]
	if !ok || old.Removed {
		return old, fmt.Errorf("%q: %w", tenant, ErrUnknown)
	}
	c := schemas.TenantConfig{Tenant: tenant, Version: old.Version + 1, Removed: true, TimeZone: old.TimeZone, Country: old.Country, AppliedAt: time.Now().UnixMilli()}
	if err := r.produce(ctx, &c, n); err != nil {
		return c, fmt.Errorf("removing tenant %s: %w", tenant, err)
	}
	return c, nil
}

func (r *Registry) produce(ctx context.Context, c *schemas.TenantConfig, n int32) error {
	if err := r.codec.Register(ctx); err != nil {
		return err
	}
	value, err := r.codec.Append(nil, schemas.TopicControlTenants, c)
	if err != nil {
		return err
	}
	if len(value) > schemas.RecordLimit {
		return fmt.Errorf("the configuration has %d bytes, at most %d fit", len(value), schemas.RecordLimit)
	}
	return r.cl.ProduceSync(ctx, &kgo.Record{
		Topic: schemas.TopicControlTenants, Partition: schemas.PartitionOf(c.Tenant, n), Key: []byte(c.Tenant), Value: value,
	}).FirstErr()
}

// History returns every version of a tenant's configuration, oldest first; ErrUnknown
// if there was none.
func (r *Registry) History(ctx context.Context, tenant string) ([]schemas.TenantConfig, error) {
	byVersion := make(map[int64]schemas.TenantConfig)
	_, err := r.scan(ctx, schemas.TopicControlTenants, func(v any) {
		if c, ok := v.(*schemas.TenantConfig); ok && c.Tenant == tenant {
			if _, repeat := byVersion[c.Version]; !repeat { // the first of a version counts
				byVersion[c.Version] = *c
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if len(byVersion) == 0 {
		return nil, fmt.Errorf("%q: %w", tenant, ErrUnknown)
	}
	all := make([]schemas.TenantConfig, 0, len(byVersion))
	for _, c := range byVersion {
		all = append(all, c)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Version < all[j].Version })
	return all, nil
}

// Rollback makes an earlier version of a tenant's configuration the newest one. check
// may refuse it.
func (r *Registry) Rollback(ctx context.Context, tenant string, version int64, check func(*schemas.TenantConfig) error) (schemas.TenantConfig, error) {
	all, err := r.History(ctx, tenant)
	if err != nil {
		return schemas.TenantConfig{}, err
	}
	i := sort.Search(len(all), func(i int) bool { return all[i].Version >= version })
	switch {
	case i == len(all) || all[i].Version != version:
		return schemas.TenantConfig{}, fmt.Errorf("%s has no version %d: %w", tenant, version, ErrNoVersion)
	case i == len(all)-1:
		return schemas.TenantConfig{}, fmt.Errorf("%s is at version %d: %w", tenant, version, ErrNoVersion)
	case all[i].Removed:
		return schemas.TenantConfig{}, fmt.Errorf("version %d of %s is its removal (crmstream tenants remove %s): %w", version, tenant, tenant, ErrNoVersion)
	}
	old := all[i]
	if err := check(&old); err != nil {
		return old, err
	}
	applied, err := r.Apply(ctx, []schemas.TenantConfig{old})
	if err != nil {
		return old, err
	}
	return applied[0], nil
}

// ErrNoVersion is wrapped where there is no such version to go back to.
var ErrNoVersion = errors.New("there is nothing to go back to: crmstream tenants history shows the versions")

// Contacts calls each for every record of a tenant on sync.contacts, in its order: the
// last of a person counts, and one without a value is nil.
func (r *Registry) Contacts(ctx context.Context, tenant string, each func(*schemas.SyncContact)) error {
	_, err := r.scan(ctx, schemas.TopicSyncContacts, func(v any) {
		if c, ok := v.(*schemas.SyncContact); ok && c.Tenant == tenant {
			each(c)
		}
	})
	return err
}

// read returns the newest configuration of each tenant and the topic's number of
// partitions.
func (r *Registry) read(ctx context.Context) (map[string]schemas.TenantConfig, int32, error) {
	newest := make(map[string]schemas.TenantConfig)
	n, err := r.scan(ctx, schemas.TopicControlTenants, func(v any) {
		if c, ok := v.(*schemas.TenantConfig); ok && c.Version >= newest[c.Tenant].Version {
			newest[c.Tenant] = *c
		}
	})
	return newest, n, err
}

// scan calls each for every record that is on a topic now, and returns its number of
// partitions. What can't be decoded is passed over.
func (r *Registry) scan(ctx context.Context, topic string, each func(v any)) (int32, error) {
	adm := kadm.NewClient(r.cl)
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("reading %s (is the pipeline or broker running?): %w", topic, err)
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("reading %s: %w", topic, err)
	}
	want := make(map[int32]int64)
	from := make(map[int32]kgo.Offset)
	var n int32
	ends.Each(func(o kadm.ListedOffset) {
		n++
		if start, ok := starts.Lookup(o.Topic, o.Partition); ok && o.Offset > start.Offset {
			want[o.Partition] = o.Offset
			from[o.Partition] = kgo.NewOffset().At(start.Offset)
		}
	})
	if len(want) == 0 {
		return n, nil
	}
	r.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	defer r.cl.PurgeTopicsFromConsuming(topic)
	for len(want) > 0 {
		fetches := r.cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return 0, fmt.Errorf("reading %s: %w", topic, err)
		}
		var bad error
		fetches.EachRecord(func(rec *kgo.Record) {
			if rec.Offset+1 >= want[rec.Partition] {
				delete(want, rec.Partition)
			}
			if rec.Attrs.IsControl() || rec.Value == nil {
				return
			}
			v, err := r.codec.Decode(ctx, rec.Topic, rec.Value)
			if err == nil {
				each(v)
			} else if errors.Is(err, registry.ErrUnavailable) {
				bad = err
			}
		})
		if bad != nil {
			return 0, fmt.Errorf("reading %s: %w", topic, bad)
		}
	}
	return n, nil
}
