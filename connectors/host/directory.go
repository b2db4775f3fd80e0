package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

// directory is the view of all tenants that webhook intake needs: an account of a
// provider belongs to which tenant. It reads control.tenants for itself, since a
// webhook may reach any process.
type directory struct {
	h     *Host
	ready chan struct{} // closed once the topic has been read to where it stood

	mu       sync.RWMutex
	versions map[string]int64    // by tenant
	owners   map[string][]string // provider NUL account → tenants
	accounts map[string][]string // tenant → provider NUL account
}

func newDirectory(h *Host) *directory {
	return &directory{h: h, ready: make(chan struct{}), versions: make(map[string]int64), owners: make(map[string][]string), accounts: make(map[string][]string)}
}

// Run keeps the directory up to date until ctx ends. Without it the webhook handler
// answers 503.
func (h *Host) Run(ctx context.Context) error {
	d := h.directory
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(h.cfg.Brokers...), kgo.ClientID("crmstream-directory"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset can be a commit's marker
	}, h.cfg.Opts...)...)
	if err != nil {
		return fmt.Errorf("reading the tenants: %w", err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	ends, err := adm.ListEndOffsets(ctx, schemas.TopicControlTenants)
	if err != nil {
		return fmt.Errorf("reading the tenants: %w", err)
	}
	starts, err := adm.ListStartOffsets(ctx, schemas.TopicControlTenants)
	if err != nil {
		return fmt.Errorf("reading the tenants: %w", err)
	}
	left := make(map[int32]int64)
	from := make(map[int32]kgo.Offset)
	ends.Each(func(o kadm.ListedOffset) {
		from[o.Partition] = kgo.NewOffset().AtStart()
		if s, ok := starts.Lookup(o.Topic, o.Partition); !ok || s.Offset < o.Offset {
			left[o.Partition] = o.Offset
		}
	})
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{schemas.TopicControlTenants: from})
	if len(left) == 0 {
		close(d.ready)
	}
	for ctx.Err() == nil {
		fs := cl.PollFetches(ctx)
		fs.EachRecord(func(rec *kgo.Record) {
			if !rec.Attrs.IsControl() {
				d.apply(ctx, rec)
			}
			if end, waits := left[rec.Partition]; waits && rec.Offset+1 >= end {
				if delete(left, rec.Partition); len(left) == 0 {
					close(d.ready)
				}
			}
		})
	}
	return nil
}

func (d *directory) apply(ctx context.Context, rec *kgo.Record) {
	v, err := d.h.cfg.Codec.Decode(ctx, rec.Topic, rec.Value)
	for wait := 100 * time.Millisecond; errors.Is(err, registry.ErrUnavailable) && ctx.Err() == nil; wait = min(2*wait, 5*time.Second) {
		select { // without this version a webhook would be sent to the wrong tenant, or to none
		case <-ctx.Done():
		case <-time.After(wait):
			v, err = d.h.cfg.Codec.Decode(ctx, rec.Topic, rec.Value)
		}
	}
	c, ok := v.(*schemas.TenantConfig)
	if err != nil || !ok {
		return // the task dead-letters it
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.Version <= d.versions[c.Tenant] {
		return
	}
	d.versions[c.Tenant] = c.Version
	for _, a := range d.accounts[c.Tenant] {
		d.owners[a] = without(d.owners[a], c.Tenant)
	}
	delete(d.accounts, c.Tenant)
	if c.Removed {
		return
	}
	for _, a := range c.Accounts {
		k := a.Provider + "\x00" + a.ID
		d.owners[k] = append(d.owners[k], c.Tenant)
		d.accounts[c.Tenant] = append(d.accounts[c.Tenant], k)
	}
}

func without(s []string, v string) []string {
	var out []string
	for _, x := range s {
		if x != v {
			out = append(out, x)
		}
	}
	return out
}

func (d *directory) tenants(provider, account string) []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return append([]string(nil), d.owners[provider+"\x00"+account]...)
}

func (d *directory) isReady() bool {
	select {
	case <-d.ready:
		return true
	default:
		return false
	}
}
