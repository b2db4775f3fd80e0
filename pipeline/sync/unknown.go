package sync

import (
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
	switch v := in.Decoded.(type) {
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
	case *schemas.ControlAction:
		h.Action = v
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
// what has waited too long.
func (w *world) unknownTick(configured bool) error {
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
		w.ref = it.h.Topic
		reject := pipeline.Rejectf(schemas.ReasonUnknownTenant, "no configuration of the tenant came in 24 hours: crmstream tenants apply, then redrive")
		if configured {
			mark, want := w.tx.Mark(), w.want
			if reject = w.guarded(func() error { return w.apply(it.h.decoded()) }); reject == nil {
				continue
			}
			if _, ok := reject.(*pipeline.Reject); !ok {
				return reject
			}
			w.tx.Rollback(mark)
			w.want = want
		}
		r := reject.(*pipeline.Reject)
		d := &schemas.DeadLetter{Tenant: w.t.Name(), Reason: r.Reason, Message: r.Detail, Topic: it.h.Topic, Partition: it.h.Partition, Offset: it.h.Offset,
			Key: it.h.Key, Value: it.h.Value, At: w.tx.Now}
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

func (h *heldRecord) decoded() any {
	switch {
	case h.Call != nil:
		return h.Call
	case h.Contact != nil:
		return h.Contact
	case h.Event != nil:
		return h.Event
	case h.Change != nil:
		return h.Change
	case h.Result != nil:
		return h.Result
	default:
		return h.Action
	}
}
