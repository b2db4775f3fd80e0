package sync

import "github.com/crmstream/crmstream/schemas"

// neverLogged holds a call whose first write found the record gone that it was to be
// logged on: no activity was deleted, there never was one. It is logged once the record is
// restored, or the person has another one (B8).
func (w *world) neverLogged(c *call, a *activity) error {
	on, why := a.Person, "the record that it was to be logged on is gone in the CRM"
	a.Status, a.Reason, a.At = schemas.StatusHeld, why, w.tx.Now
	w.publishRecord(a, tableCalls, c.Event.CallID, c.Event.StartedAt)
	c.Activities = nil
	w.unhold(c)
	c.HeldOn = append(c.HeldOn, "l:"+w.linkID(on.Provider, on.Object, on.ID))
	if err := w.holdCall(c, why); err != nil {
		return err
	}
	w.limitHold(c)
	w.timer(w.tx.Now, timerReread, on.Provider+"\x00"+on.Object+"\x00"+on.ID) // nobody may have told of it yet
	if err := w.tally(c); err != nil {
		return err
	}
	put(w, calls, kindCall, c.Event.CallID, c)
	w.publishCall(c)
	return nil
}
