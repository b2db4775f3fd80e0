package pipetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/script"
	"github.com/crmstream/crmstream/pipeline/task"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/mem"
)

// Machine is one partition without Kafka: each unit of work is one transaction,
// committed to the reference store. It is not safe for concurrent use.
type Machine struct {
	// Now is the time, in ms. Timers move it up to the time that they are due.
	Now int64

	task   pipeline.Task
	store  state.Store
	offset int64
}

// Happened is what one transaction brought about.
type Happened struct {
	At      int64 // ms
	Outputs []pipeline.Output
	Effects []pipeline.Effect
	Writes  []state.Write
	// Quarantined is the script that was cut off: what was done was dropped, and done again
	// after the script was switched off by an action.
	Quarantined *pipeline.ScriptCutOff
	// Rejected is the reason why the record was given up; nil if it was applied.
	Rejected *pipeline.Reject
}

// NewMachine returns a Machine with empty state.
func NewMachine(profiles []*profile.Profile, now int64) *Machine {
	return &Machine{Now: now, task: task.New(profiles, task.WithScripts(scripts)), store: mem.New().Store(0)}
}

// scripts is shared by all machines: a test makes thousands of them. Its limits are
// small, so that what is cut off does not take long.
var scripts = script.New(script.Options{Time: 100 * time.Millisecond, Memory: 8 << 20})

// Store is the committed state.
func (m *Machine) Store() state.Store { return m.store }

// Task is what the machine runs.
func (m *Machine) Task() pipeline.Task { return m.task }

// quarantine does what the shell does where a script was cut off.
func (m *Machine) quarantine(c *pipeline.ScriptCutOff, work func(*pipeline.Tx) error) (Happened, error) {
	action := &pipeline.Record{Topic: schemas.TopicControlActions, Tenant: c.Tenant, Timestamp: m.Now, Decoded: c.Action(m.Now)}
	first, err := m.transact(func(tx *pipeline.Tx) error { return m.task.Step(tx, action) })
	if err != nil {
		return first, err
	}
	if first.Rejected != nil {
		return first, fmt.Errorf("the quarantine was rejected: %w", first.Rejected)
	}
	h, err := m.transact(work)
	h.Outputs, h.Effects, h.Writes = append(first.Outputs, h.Outputs...), append(first.Effects, h.Effects...), append(first.Writes, h.Writes...)
	h.Quarantined = c
	return h, err
}

func (m *Machine) transact(work func(*pipeline.Tx) error) (Happened, error) {
	tx := pipeline.NewTx(0, m.Now, m.store)
	mark := tx.Mark()
	h := Happened{At: m.Now}
	err := guarded(func() error { return work(tx) })
	var cutOff *pipeline.ScriptCutOff
	if errors.As(err, &cutOff) {
		return m.quarantine(cutOff, work)
	}
	if err == nil {
		err = tx.Fits(mark) // as the shell does it: the record as a whole
	}
	if err != nil && !errors.As(err, &h.Rejected) {
		return h, err
	} else if err != nil {
		tx.Rollback(mark)
	}
	h.Outputs, h.Effects, h.Writes = tx.Outputs(), tx.Effects(), tx.Store.Writes()
	return h, m.store.Apply(h.Writes, state.Watermark{})
}

// guarded turns a panic into a rejection, as the shell does.
func guarded(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = pipeline.Rejectf(schemas.ReasonPanic, "%v", p)
		}
	}()
	return work()
}

// Step applies one record. Its offset is given here.
func (m *Machine) Step(rec *pipeline.Record) (Happened, error) {
	rec.Offset = m.offset
	m.offset++
	return m.transact(func(tx *pipeline.Tx) error { return m.task.Step(tx, rec) })
}

// Resume makes the partition start anew with its committed state.
func (m *Machine) Resume() (Happened, error) { return m.transact(m.task.Resume) }

// Tick fires the next timer that is due at or before until; ok is false if there is
// none. Time goes on to when it was due.
func (m *Machine) Tick(until int64) (h Happened, ok bool, err error) {
	tm, ok, err := pipeline.NextTimer(m.store, 0)
	if err != nil || !ok || tm.Due > until {
		return h, false, err
	}
	m.Now = max(m.Now, tm.Due)
	h, err = m.transact(func(tx *pipeline.Tx) error {
		tx.Cancel(tm)
		return m.task.Tick(tx, tm)
	})
	if err == nil && h.Rejected != nil {
		err = fmt.Errorf("a timer was rejected: %w", h.Rejected)
	}
	return h, true, err
}

// Advance fires everything that is due up to a time, and goes there. More than
// 100,000 timers are a loop, and an error.
func (m *Machine) Advance(to int64, each func(Happened)) error {
	for range 100_000 {
		h, ok, err := m.Tick(to)
		if err != nil {
			return err
		}
		if !ok {
			m.Now = max(m.Now, to)
			return nil
		}
		each(h)
	}
	return errors.New("timers come without end")
}
