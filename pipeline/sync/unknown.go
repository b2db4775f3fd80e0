package sync

import (
	"errors"
	"fmt"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// anyUnknown reports whether earlier records of the tenant still wait. It is asked
// of every record, and therefore no scan.
func (w *world) anyUnknown() (bool, error) {
	_, ok, err := w.tx.Store.Get(w.t.Key(kindWaiting, ""))
	return ok, err
}

func (w *world) totalKey() state.Key { return state.System(w.tx.Partition, 'H', "") }

// hold keeps a record of a tenant that is not configured (yet), or whose earlier
// records still wait, up to a bound for the partition.
func (w *world) hold(in *pipeline.Record) error {
	total, ok, err := load(w.tx, heldTotals, w.totalKey())
	if err != nil {
		return err
	}
	if !ok {
		total = &heldTotal{}
	}
	if total.Records >= unknownMost || total.Bytes+int64(len(in.Value)) > unknownBytes {
		return pipeline.Rejectf(schemas.ReasonUnknownTenant, "the tenant is not configured, and %d records wait already: crmstream tenants apply, then redrive", total.Records)
	}
	h := &heldRecord{Topic: in.Topic, Partition: in.Partition, Offset: in.Offset, Timestamp: in.Timestamp, Key: in.Key, Value: in.Value, At: w.tx.Now}
	body := in.Decoded
	if v, ok := body.(*schemas.ControlAction); ok {
		h.Action, body = v, nil
		if in.Original != nil {
			h.OriginalTopic, body = in.Original.Topic, in.Original.Decoded
		}
	}
	switch v := body.(type) {
	case *schemas.CallEvent:
		h.Call = v
	case *schemas.ContactChange:
		h.Contact = v
	case *schemas.DialerEvent:
		h.Event = v
	case *schemas.CRMChange:
		h.Change = v
	case *schemas.AttemptResult:
		h.Result = v
	}
	seq, err := w.tx.NextSequence("unknown")
	if err != nil {
		return err
	}
	total.Records++
	total.Bytes += int64(len(in.Value))
	w.tx.Store.Put(w.totalKey(), heldTotals.Marshal(total))
	put(w, heldRecs, kindUnknown, fmt.Sprintf("%020d", seq), h)
	w.tx.Store.Put(w.t.Key(kindWaiting, ""), []byte{1})
	w.timer(w.tx.Now+unknownFor, timerUnknown, "")
	return nil
}

// unknownTick releases what waited for the configuration, in order, or gives up
// what has waited too long. Each is applied for itself (P5).
func (w *world) unknownTick(configured bool, again Again) error {
	type item struct {
		id string
		h  *heldRecord
	}
	var items []item
	err := w.tx.Store.Scan(w.t.Prefix(kindUnknown, ""), state.Key{}, func(k state.Key, raw []byte) (bool, error) {
		h := new(heldRecord)
		if err := heldRecs.Unmarshal(raw, h); err != nil {
			return false, fmt.Errorf("%w: %w", pipeline.ErrCorrupt, err)
		}
		items = append(items, item{k.ID(), h})
		return len(items) < unknownAtOnce, nil
	})
	if err != nil {
		return err
	}
	total, ok, err := load(w.tx, heldTotals, w.totalKey())
	if err != nil {
		return err
	}
	if !ok {
		total = &heldTotal{}
	}
	for _, it := range items {
		if !configured && it.h.At+unknownFor > w.tx.Now {
			w.timer(it.h.At+unknownFor, timerUnknown, "")
			break
		}
		w.tx.Store.Delete(w.t.Key(kindUnknown, it.id))
		total.Records--
		total.Bytes -= int64(len(it.h.Value))
		in := it.h.record(w.t.Name())
		why := &pipeline.Reject{Reason: schemas.ReasonUnknownTenant, Detail: "no configuration of the tenant came in 24 hours: crmstream tenants apply, then redrive"}
		if configured {
			mark := w.tx.Mark()
			err := guarded(func() error { return again(in) })
			if err == nil {
				err = w.tx.Fits(mark)
			}
			if err == nil {
				continue
			}
			if !errors.As(err, &why) {
				return err
			}
			w.tx.Rollback(mark)
			if err = w.skip(in, why); err == nil {
				continue // its cursor moved, and it says so itself
			} else if !errors.As(err, &why) {
				return err
			}
		}
		d := deadLetter(in, why, w.tx.Now)
		w.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
	}
	w.tx.Store.Put(w.totalKey(), heldTotals.Marshal(total))
	left := false
	err = w.tx.Store.Scan(w.t.Prefix(kindUnknown, ""), state.Key{}, func(state.Key, []byte) (bool, error) {
		left = true
		return false, nil
	})
	if err != nil {
		return err
	}
	if !left {
		w.tx.Store.Delete(w.t.Key(kindWaiting, ""))
	}
	if configured && len(items) == unknownAtOnce {
		w.timer(w.tx.Now+1, timerUnknown, "")
	}
	return nil
}

// guarded turns a panic into a rejection.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = pipeline.Rejectf(schemas.ReasonPanic, "%v", p)
		}
	}()
	return fn()
}

// record is what was held.
func (h *heldRecord) record(tenant string) *pipeline.Record {
	in := &pipeline.Record{Topic: h.Topic, Partition: h.Partition, Offset: h.Offset, Timestamp: h.Timestamp, Tenant: tenant, Key: h.Key, Value: h.Value}
	var body any
	switch {
	case h.Call != nil:
		body = h.Call
	case h.Contact != nil:
		body = h.Contact
	case h.Event != nil:
		body = h.Event
	case h.Change != nil:
		body = h.Change
	case h.Result != nil:
		body = h.Result
	}
	if h.Action == nil {
		in.Decoded = body
		return in
	}
	in.Decoded = h.Action
	if d := h.Action.DeadLetter; d != nil && body != nil {
		in.Original = &pipeline.Record{Topic: h.OriginalTopic, Partition: d.Partition, Offset: d.Offset, Tenant: tenant, Key: d.Key, Value: d.Value, Decoded: body}
	}
	return in
}
