package sync

import (
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// nothing is what a call waits for that says neither a number nor a contact.
const nothing = "?"

// holdCall keeps a call until its person appears (B3).
func (w *world) holdCall(c *call, why string) error {
	if c.Status == schemas.StatusSynced {
		return nil
	}
	c.Status, c.Reason = schemas.StatusHeld, why
	if n := w.number(c); n != "" {
		c.HeldOn = append(c.HeldOn, "n:"+n)
	}
	if id := c.Event.ContactID; id != nil {
		c.HeldOn = append(c.HeldOn, "c:"+*id)
	}
	if l := c.link(); l != nil {
		l := w.normalLink(*l)
		c.HeldOn = append(c.HeldOn, "l:"+w.linkID(l.Provider, l.Object, l.ID))
		if to, is, err := w.convertedTo(l); err != nil {
			return err
		} else if is {
			c.HeldOn = append(c.HeldOn, "l:"+w.linkID(to.Provider, to.Object, to.ID))
			l = to
		}
		w.read(l.Provider, l.Object, l.ID)
	}
	if len(c.HeldOn) == 0 {
		c.HeldOn = append(c.HeldOn, nothing) // it is found by its id alone, and when the configuration changes
	}
	for _, on := range c.HeldOn {
		w.tx.Store.Put(w.t.Key(kindHeld, on+"\x00"+c.Event.CallID), []byte{1})
	}
	return nil
}

// normalLink is a link with its id in the CRM's one form.
func (w *world) normalLink(l schemas.Link) schemas.Link {
	if p, ok := w.profile(l.Provider); ok && p.NormalizeID != nil {
		l.ID = p.NormalizeID(l.ID)
	}
	return l
}

// limitHold sets the time at which a held call is given up, once for all that it
// waits for, and takes it back when it is held no longer.
func (w *world) limitHold(c *call) {
	held := c.Status == schemas.StatusHeld
	switch {
	case held && c.GiveUpAt == 0:
		c.GiveUpAt = w.tx.Now + heldFor
		w.timer(c.GiveUpAt, timerGiveUp, c.Event.CallID)
	case !held && c.GiveUpAt != 0:
		w.tx.Cancel(pipeline.Timer{Due: c.GiveUpAt, Tenant: w.t.Name(), Kind: timerGiveUp, ID: c.Event.CallID})
		c.GiveUpAt = 0
	}
}

func (w *world) unhold(c *call) {
	for _, on := range c.HeldOn {
		w.tx.Store.Delete(w.t.Key(kindHeld, on+"\x00"+c.Event.CallID))
	}
	c.HeldOn = nil
}

// wake releases, by a timer, the calls that wait for something that is there now.
func (w *world) wake(on string) {
	waits := false
	// An index entry that cannot be read is found by the timer, which has an error.
	_ = w.tx.Store.Scan(w.t.Prefix(kindHeld, on+"\x00"), state.Key{}, func(state.Key, []byte) (bool, error) {
		waits = true
		return false, nil
	})
	if waits {
		w.timer(w.tx.Now, timerRelease, on)
	}
}

// release decides anew about some of the calls that waited for on.
func (w *world) release(on string) error {
	prefix := w.t.Prefix(kindHeld, on+"\x00")
	var ids []string
	err := w.tx.Store.Scan(prefix, state.Key{}, func(k state.Key, _ []byte) (bool, error) {
		ids = append(ids, k.ID()[len(on)+1:])
		return len(ids) < releaseAtOnce, nil
	})
	if err != nil {
		return err
	}
	freed := 0
	for _, id := range ids {
		if hid, ok := strings.CutPrefix(id, heldEvent); ok {
			waits, err := w.releaseHappening(hid)
			if err != nil {
				return err
			}
			if !waits {
				w.tx.Store.Delete(w.t.Key(kindHeld, on+"\x00"+id))
				freed++
			}
			continue
		}
		c, ok, err := get(w, calls, kindCall, id)
		if err != nil {
			return err
		}
		if !ok || c.Status != schemas.StatusHeld {
			w.tx.Store.Delete(w.t.Key(kindHeld, on+"\x00"+id))
			continue
		}
		if err := w.decide(c); err != nil {
			return err
		}
		if c.Status != schemas.StatusHeld {
			freed++
		}
	}
	if len(ids) == releaseAtOnce && freed > 0 {
		w.timer(w.tx.Now+1, timerRelease, on)
	}
	return nil
}

// giveUp dead-letters a call whose person did not appear in thirty days.
func (w *world) giveUp(id string) error {
	if hid, ok := strings.CutPrefix(id, heldEvent); ok {
		return w.giveUpHappening(hid)
	}
	c, ok, err := get(w, calls, kindCall, id)
	if err != nil || !ok || c.Status != schemas.StatusHeld {
		return err
	}
	w.unhold(c)
	why := c.Reason
	c.Status, c.Reason, c.GiveUpAt = schemas.StatusError, "held for thirty days: "+why, 0
	put(w, calls, kindCall, id, c)
	w.publishCall(c)
	w.tx.Emit(schemas.TopicDeadLetters, w.t.Name()+"/"+callKey(id), &schemas.DeadLetter{Tenant: w.t.Name(), Reason: schemas.ReasonHeldTooLong,
		Message: "call " + id + ": " + why, RecordKey: callKey(id), Topic: schemas.TopicDialerCalls, Partition: w.tx.Partition, At: w.tx.Now})
	return nil
}

// forget drops a call that is older than the window in which duplicates are known.
func (w *world) forget(id string) error {
	if hid, ok := strings.CutPrefix(id, heldEvent); ok {
		return w.forgetHappening(hid)
	}
	c, ok, err := get(w, calls, kindCall, id)
	if err != nil || !ok {
		return err
	}
	w.unhold(c)
	c.Status = ""
	w.limitHold(c)
	w.tx.Store.Delete(w.t.Key(kindCall, id))
	for i := range c.Activities {
		a := &c.Activities[i]
		w.tx.Store.Delete(w.t.Key(kindActivity, w.linkID(a.Provider, a.Object, a.ID)))
		w.heardOf(a, callKey(id))
	}
	if c.Tallied != "" { // it stays in the counters, as a number
		w.tx.Store.Delete(w.t.Key(kindMember, c.Tallied+"\x00"+id))
	}
	return nil
}
