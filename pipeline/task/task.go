package task

import (
	"fmt"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/deliver"
	"github.com/crmstream/crmstream/pipeline/sync"
	"github.com/crmstream/crmstream/schemas/profile"
)

// New returns the task for CRMs with these profiles.
func New(profiles []*profile.Profile) pipeline.Task {
	return &task{sync.New(profiles), deliver.New(profiles)}
}

type task struct {
	sync    *sync.Sync
	deliver *deliver.Deliver
}

// Step implements pipeline.Task.
func (t *task) Step(tx *pipeline.Tx, in *pipeline.Record) error {
	want, err := t.sync.Step(tx, in)
	if err != nil {
		return err
	}
	settled, err := t.deliver.Step(tx, in, want)
	if err != nil {
		return err
	}
	return t.sync.Settle(tx, in.Tenant, settled)
}

// Tick implements pipeline.Task.
func (t *task) Tick(tx *pipeline.Tx, tm pipeline.Timer) error {
	settled, ok, err := t.deliver.Tick(tx, tm)
	if err != nil {
		return err
	}
	if ok {
		return t.sync.Settle(tx, tm.Tenant, settled)
	}
	want, ok, err := t.sync.Tick(tx, tm)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("nobody's timer: kind %d, %q", tm.Kind, tm.ID)
	}
	if settled, err = t.deliver.Take(tx, tm.Tenant, want); err != nil {
		return err
	}
	return t.sync.Settle(tx, tm.Tenant, settled)
}

// Resume implements pipeline.Task.
func (t *task) Resume(tx *pipeline.Tx) error {
	tenants, err := t.sync.Resume(tx)
	if err != nil {
		return err
	}
	for _, name := range tenants {
		if err := t.deliver.Resume(tx, name); err != nil {
			return err
		}
	}
	return nil
}
