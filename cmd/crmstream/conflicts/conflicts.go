// Package conflicts reads what waits for a person on sync.conflicts, and sends what a
// person decided to control.actions. The pipeline does it, and says so on sync.conflicts.
package conflicts

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/tenants"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

// ErrUnknown is returned where there is no such conflict.
var ErrUnknown = errors.New("no such conflict: crmstream conflicts list shows them")

// ErrWaits is returned where a decision was sent and is not done yet.
var ErrWaits = errors.New("it is sent and not done yet (does the pipeline run?); if it can't be done, a dead letter of control.actions says why")

// Inbox is what waits in one cluster.
type Inbox struct {
	topics *tenants.Registry
	cl     *kgo.Client
	codec  *registry.Codec
}

// New returns an Inbox on a client made with tenants.ClientOpts.
func New(cl *kgo.Client, codec *registry.Codec) *Inbox {
	return &Inbox{tenants.New(cl, codec), cl, codec}
}

// List returns the conflicts of a tenant, or of all where tenant is "", the oldest first:
// those that are open, or all that the topic still has.
func (x *Inbox) List(ctx context.Context, tenant string, all bool) ([]schemas.SyncConflict, error) {
	newest := make(map[string]schemas.SyncConflict)
	_, err := x.topics.Scan(ctx, schemas.TopicSyncConflicts, func(v any) {
		if c, ok := v.(*schemas.SyncConflict); ok && (tenant == "" || c.Tenant == tenant) {
			newest[c.Tenant+"/"+c.ConflictID] = *c
		}
	})
	if err != nil {
		return nil, err
	}
	list := []schemas.SyncConflict{}
	for _, c := range newest {
		if all || c.Status == "open" {
			list = append(list, c)
		}
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := &list[i], &list[j]
		if a.OpenedAt != b.OpenedAt {
			return a.OpenedAt < b.OpenedAt
		}
		return a.Tenant+"/"+a.ConflictID < b.Tenant+"/"+b.ConflictID
	})
	return list, nil
}

// Get returns one conflict, open or not; ErrUnknown if there is none.
func (x *Inbox) Get(ctx context.Context, tenant, id string) (schemas.SyncConflict, error) {
	list, err := x.List(ctx, tenant, true)
	if err != nil {
		return schemas.SyncConflict{}, err
	}
	for _, c := range list {
		if c.ConflictID == id {
			return c, nil
		}
	}
	return schemas.SyncConflict{}, fmt.Errorf("%s %q: %w", tenant, id, ErrUnknown)
}

// Send puts an action on control.actions.
func (x *Inbox) Send(ctx context.Context, tenant string, a *schemas.ControlAction) error {
	n, err := x.topics.Scan(ctx, schemas.TopicControlActions, func(any) {})
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("there is no topic %s: crmstream topics create", schemas.TopicControlActions)
	}
	if err := x.codec.Register(ctx); err != nil {
		return err
	}
	value, err := x.codec.Append(nil, schemas.TopicControlActions, a)
	if err != nil {
		return err
	}
	return x.cl.ProduceSync(ctx, &kgo.Record{
		Topic: schemas.TopicControlActions, Partition: schemas.PartitionOf(tenant, n), Key: []byte(tenant), Value: value,
	}).FirstErr()
}

// Await returns the conflict once it is not open any more; ErrWaits if that takes longer
// than most.
func (x *Inbox) Await(ctx context.Context, tenant, id string, most time.Duration) (schemas.SyncConflict, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := x.Get(ctx, tenant, id)
		if err == nil && c.Status != "open" {
			return c, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return c, fmt.Errorf("%s %q: %w", tenant, id, ErrWaits)
		}
		if err != nil && ctx.Err() == nil {
			return c, err
		}
	}
}
