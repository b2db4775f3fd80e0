package sync

import (
	"fmt"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// kindErased: hash of what somebody was known by who was erased → when; number in E.164 →
// saidNumber.
const kindErased state.Kind = '6'

// eraseRest begins the id of a timerReread that goes through calls (c), events (h) and
// questions who is who (q): person NUL which NUL the last one looked at.
const eraseRest = "\x00"

const eraseAtOnce = 200 // of them looked at in one tick

// eraseOn erases what is left of a person among some of the tenant's calls, events and
// questions, and goes on with the next (P8).
func (w *world) eraseOn(id string) error {
	parts := strings.SplitN(id, "\x00", 3)
	if len(parts) != 3 {
		return fmt.Errorf("erasing %q: %w", id, pipeline.ErrCorrupt)
	}
	pid, phase, after := parts[0], parts[1], parts[2]
	step, ok := map[string]struct {
		kind  state.Kind
		erase func(id, pid string) error
		next  string
	}{
		"c": {kindCall, w.eraseCall, "h"},
		"h": {kindHappening, w.eraseHappening, "q"},
		"q": {kindAsked, w.eraseQuestion, ""},
	}[phase]
	if !ok {
		return fmt.Errorf("erasing %q: %w", id, pipeline.ErrCorrupt)
	}
	from := state.Key{}
	if after != "" {
		from = w.t.Key(step.kind, after)
	}
	var ids []string
	err := w.tx.Store.Scan(w.t.Prefix(step.kind, ""), from, func(k state.Key, _ []byte) (bool, error) {
		ids = append(ids, k.ID())
		return len(ids) < eraseAtOnce, nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := step.erase(id, pid); err != nil {
			return err
		}
	}
	switch {
	case len(ids) == eraseAtOnce:
		w.timer(w.tx.Now+1, timerReread, eraseRest+pid+"\x00"+phase+"\x00"+ids[len(ids)-1])
	case step.next != "":
		w.timer(w.tx.Now+1, timerReread, eraseRest+pid+"\x00"+step.next+"\x00")
	}
	return nil
}

func (w *world) eraseCall(id, pid string) error {
	c, ok, err := w.getCall(id)
	if err != nil || !ok || c.Dropped == erasedWhy {
		return err
	}
	if c.Person != pid && c.Tallied != pid {
		if is, err := w.strangers(c.Person, w.number(c), textOf(c.Event.ContactID), c.link()); err != nil || !is {
			return err
		}
	}
	w.unhold(c)
	if c.Tallied != "" {
		w.tx.Store.Delete(w.t.Key(kindMember, c.Tallied+"\x00"+id))
	}
	w.tx.Store.Delete(w.t.Key(kindAwaited, id))
	w.eraseActivities(c.Activities, callKey(id), tableCalls, id)
	c.scrub()
	w.limitHold(c)
	put(w, calls, kindCall, id, c)
	w.tx.Emit(schemas.TopicSyncCalls, w.t.Name()+"/"+id, nil)
	return nil
}

// strangers reports whether what nobody is known for is of somebody who was erased. A number
// that somebody else has, too, is that one's.
func (w *world) strangers(person, number, contactID string, l *schemas.Link) (bool, error) {
	if person != "" {
		return false, nil
	}
	if number != "" {
		if others, err := w.members(kindPhone, number, 1); err != nil {
			return false, err
		} else if len(others) > 0 {
			number = ""
		}
	}
	return w.barredCall(number, contactID, l)
}

// eraseActivities takes activities out of the topics; the CRM's own are the CRM's.
func (w *world) eraseActivities(as []activity, key, table, local string) {
	for i := range as {
		a := &as[i]
		name := w.t.Name() + "/" + a.Provider + "/" + a.Object + "/"
		w.tx.Emit(schemas.TopicSyncRecords, name+"local:"+table+":"+local, nil)
		if a.ID != "" {
			w.tx.Store.Delete(w.t.Key(kindActivity, w.linkID(a.Provider, a.Object, a.ID)))
			w.tx.Emit(schemas.TopicSyncRecords, name+a.ID, nil)
		}
		w.heardOf(a, key)
		w.want.Forget = append(w.want.Forget, pipeline.Ref{Provider: a.Provider, Key: key})
	}
}

func (w *world) eraseHappening(id, pid string) error {
	h, ok, err := get(w, happenings, kindHappening, id)
	if err != nil || !ok || h.Reason == erasedWhy {
		return err
	}
	if h.Person != pid {
		if is, err := w.strangers(h.Person, phone.E164(h.text("phone"), w.cfg.Country), textOf(h.ContactID), nil); err != nil || !is {
			return err
		}
	}
	if h.Status == schemas.StatusHeld {
		w.endHeld(h, schemas.StatusSkipped, erasedWhy)
		for _, p := range w.s.order {
			if t := w.targetOf(h.Type, p); t.Target != "" {
				w.tx.Emit(schemas.TopicSyncRecords, w.localRecord(p, w.targetObject(&t), tableEvents, id), nil)
			}
		}
	}
	w.eraseActivities(h.Activities, happeningKey(id), tableEvents, id)
	w.scrubHappening(h)
	put(w, happenings, kindHappening, id, h)
	return nil
}

// scrubHappening leaves of an event that there was one.
func (w *world) scrubHappening(h *happening) {
	h.Fields, h.Activities, h.ContactID, h.Person = nil, nil, nil, ""
	h.Status, h.Reason = schemas.StatusSkipped, erasedWhy
}

func (w *world) eraseQuestion(id, pid string) error {
	q, ok, err := get(w, askeds, kindAsked, id)
	if err != nil || !ok || q.Person != pid && q.Like != pid {
		return err
	}
	w.tx.Store.Delete(w.t.Key(kindAsked, id))
	w.tx.Emit(schemas.TopicSyncConflicts, w.t.Name()+"/"+id, nil)
	return nil
}
