package task

import (
	"errors"
	"fmt"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/deliver"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/pipeline/sync"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Option changes a task.
type Option func(*options)

type options struct {
	scripts mapping.Scripts
	echoes  bool
}

// WithScripts sets who runs the scripts of custom transforms; without it they are
// errors.
func WithScripts(s mapping.Scripts) Option { return func(o *options) { o.scripts = s } }

// WithEchoes makes the task hear its own writes as anybody's words, and tell each CRM what
// it has just said: everything must come out the same, with more calls (P7). It is for
// tests; no configuration leads here.
func WithEchoes() Option { return func(o *options) { o.echoes = true } }

// New returns the task for CRMs with these profiles.
func New(profiles []*profile.Profile, opts ...Option) pipeline.Task {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	s := sync.New(profiles, o.scripts)
	if o.echoes {
		s.HearEchoes()
	}
	return &task{s, deliver.New(profiles)}
}

type task struct {
	sync    *sync.Sync
	deliver *deliver.Deliver
}

// Step implements pipeline.Task.
func (t *task) Step(tx *pipeline.Tx, in *pipeline.Record) error {
	switch v := in.Decoded.(type) {
	case *schemas.CRMChange:
		if v.Stream != nil {
			return t.stream(tx, in)
		}
	case *schemas.ControlAction:
		return t.step(tx, in, t.sync.Step, t.again(tx))
	}
	return t.step(tx, in, t.sync.Step, nil)
}

// step applies a record to sync, what that wants to deliver, and what came to an end
// there to sync.
func (t *task) step(tx *pipeline.Tx, in *pipeline.Record, apply func(*pipeline.Tx, *pipeline.Record, sync.Again) (pipeline.Intents, error), again sync.Again) error {
	want, err := apply(tx, in, again)
	if err != nil {
		return err
	}
	settled, err := t.deliver.Step(tx, in, want)
	if err != nil {
		return err
	}
	return t.sync.Settle(tx, in.Tenant, settled)
}

// again applies records that were held or given up, each as a whole.
func (t *task) again(tx *pipeline.Tx) sync.Again {
	var again sync.Again
	again = func(in *pipeline.Record) error { return t.step(tx, in, t.sync.Apply, again) }
	return again
}

// stream applies a pushed event. One that cannot be applied, whoever it was that found
// no way, or that cannot be committed for its size, is taken back whole; then its
// cursor moves alone. The shell would take back the cursor with it, and every later
// event would not continue it (P3, P5).
func (t *task) stream(tx *pipeline.Tx, in *pipeline.Record) error {
	mark := tx.Mark()
	err := guarded(func() error { return t.step(tx, in, t.sync.Step, nil) })
	if err == nil {
		err = tx.Fits(mark)
	}
	var why *pipeline.Reject
	if !errors.As(err, &why) {
		return err
	}
	tx.Rollback(mark)
	return t.sync.Skip(tx, in, why)
}

func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = pipeline.Rejectf(schemas.ReasonPanic, "%v", p)
		}
	}()
	return fn()
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
	want, ok, err := t.sync.Tick(tx, tm, t.again(tx))
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
