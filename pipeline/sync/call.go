package sync

import (
	"fmt"
	"sort"

	"github.com/crmstream/crmstream/pipeline"
	act "github.com/crmstream/crmstream/pipeline/activity"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
)

// call applies one revision of a call.
func (w *world) call(ev *schemas.CallEvent) error {
	switch {
	case ev.CallID == "":
		return pipeline.Rejectf(schemas.ReasonInvalid, "a call without call_id")
	case ev.Revision < 1:
		return pipeline.Rejectf(schemas.ReasonInvalid, "call %s: revision %d, they begin at 1", ev.CallID, ev.Revision)
	case ev.StartedAt > w.tx.Now+aheadMost, ev.EndedAt != nil && *ev.EndedAt > w.tx.Now+aheadMost:
		return pipeline.Rejectf(schemas.ReasonInvalid, "call %s is more than a day in the future: times are milliseconds since 1970, microseconds would look so; send it again as it was", ev.CallID)
	case ev.EndedAt != nil && *ev.EndedAt < ev.StartedAt:
		return pipeline.Rejectf(schemas.ReasonOrderImpossible, "call %s ends before it starts", ev.CallID)
	case ev.DurationSeconds != nil && *ev.DurationSeconds < 0:
		return pipeline.Rejectf(schemas.ReasonInvalid, "call %s has a negative length", ev.CallID)
	case ev.StartedAt < w.tx.Now-callWindow:
		return pipeline.Rejectf(schemas.ReasonTooOld, "call %s is older than thirteen months: nobody knows any more whether it was logged (times are milliseconds since 1970, seconds would look so)", ev.CallID)
	}
	c, ok, err := get(w, calls, kindCall, ev.CallID)
	if err != nil {
		return err
	}
	if !ok {
		c = &call{}
	}
	if c.Dropped == erasedWhy || c.Base > 0 && ev.Revision <= c.Base {
		_, err := w.tx.NextSequence("duplicate calls") // counted (P5)
		return err
	}
	if c.Base == 0 {
		w.timer(ev.StartedAt+callWindow, timerForget, ev.CallID)
	}
	c.rebase(ev, w.tx.Now)
	c.Ref = w.ref
	return w.decide(c)
}

// decide finds out what is to become of a call, stores it and says so.
func (w *world) decide(c *call) error {
	if err := w.weigh(c); err != nil {
		return err
	}
	put(w, calls, kindCall, c.Event.CallID, c)
	w.publishCall(c)
	return nil
}

// weigh is decide but for the storing.
func (w *world) weigh(c *call) error {
	was := c.Status
	if err := w.settleFate(c); err != nil {
		return err
	}
	w.limitHold(c)
	if c.Status == schemas.StatusSkipped && was != schemas.StatusSkipped {
		if _, err := w.tx.NextSequence("skipped calls"); err != nil { // counted (P5)
			return err
		}
	}
	if err := w.tally(c); err != nil {
		return err
	}
	return w.stageByCall(c)
}

func (w *world) settleFate(c *call) error {
	w.unhold(c)
	switch {
	case c.Dropped != "":
		c.Status, c.Reason = schemas.StatusSkipped, c.Dropped
		return nil
	case c.Base == 0:
		c.Status, c.Reason = schemas.StatusHeld, "it was edited, but has not come"
		return nil
	case c.Event.EndedAt == nil && c.Event.DurationSeconds == nil && !c.Released:
		c.Status, c.Reason = schemas.StatusHeld, "the call has not ended"
		return nil
	}
	if len(c.Activities) == 0 { // what was logged once stays
		p := act.Policy{SkipKinds: w.cfg.Calls.SkipKinds, SkipDirections: w.cfg.Calls.SkipDirections, MinSeconds: w.cfg.MinCallSeconds}
		if why := p.Skips(c.Event.Kind, c.Event.Direction, duration(&c.Event)); why != "" {
			c.Status, c.Reason = schemas.StatusSkipped, why
			return nil
		}
	}
	ps, err := w.personOf(c)
	if err != nil {
		return err
	}
	if ps == nil {
		if out, err := w.strangers("", w.number(c), textOf(c.Event.ContactID), c.link()); err != nil {
			return err
		} else if out {
			c.scrub()
			return nil
		}
		return w.holdUnknown(c)
	}
	if c.Person != ps.ID {
		c.Person = ps.ID
		if err := w.callFound(c.Event.CallID); err != nil {
			return err
		}
	}
	logged, before := 0, 0
	for _, provider := range w.s.order {
		if !w.configured(provider) {
			continue
		}
		if early, err := w.early(c, provider); err != nil {
			return err
		} else if early {
			before++
			continue
		}
		n, err := w.log(c, ps, provider)
		if err != nil {
			return err
		}
		logged += n
	}
	switch {
	case logged > 0:
		c.overall()
		return nil
	case before > 0:
		c.Status, c.Reason = schemas.StatusSkipped, "from before the CRM was connected"
		return nil
	case len(c.Activities) == 0:
		c.Person = "" // whoever has a record by then
	}
	if ps.Status == statusOutOfScope {
		return w.holdCall(c, "the person's record is out of the tenant's scope")
	}
	return w.holdCall(c, "the person has no record in a CRM")
}

func (w *world) personOf(c *call) (*person, error) {
	if c.Person != "" {
		if ps, _, err := w.load(c.Person); err != nil || ps != nil {
			return w.whoHasIt(c, ps, err)
		}
	}
	return w.match(c)
}

// whoHasIt is a call's person, or who has the record by now on which it stands: one that
// was taken out of the person takes its calls along.
func (w *world) whoHasIt(c *call, ps *person, err error) (*person, error) {
	if err != nil {
		return nil, err
	}
	var other *person
	for i := range c.Activities {
		a := &c.Activities[i]
		acc := w.account(a.Provider)
		if a.ID == "" || a.Person.ID == "" || acc == nil || acc.ID != a.Account { // ids of another account are others
			continue
		}
		if ps.link(a.Person.Provider, a.Person.Object, a.Person.ID) != nil {
			return ps, nil
		}
		if other == nil {
			if other, err = w.linked(w.linkID(a.Person.Provider, a.Person.Object, a.Person.ID)); err != nil {
				return nil, err
			}
		}
	}
	if other != nil {
		return other, nil
	}
	return ps, nil
}

// early reports whether a call ended before the CRM was connected: it is another's to
// log (B34). A day before counts as after, for calls that came before their tenant's
// configuration are held that long.
func (w *world) early(c *call, provider string) (bool, error) {
	if w.cfg.Calls.LogBefore || c.activity(provider) != nil {
		return false, nil
	}
	end := c.Event.StartedAt
	if c.Event.EndedAt != nil {
		end = *c.Event.EndedAt
	} else if d := c.Event.DurationSeconds; d != nil {
		end += int64(*d) * 1000
	}
	if end >= w.tx.Now-unknownFor { // whenever that was
		return false, nil
	}
	v, ok, err := w.text(kindSince, w.scope(provider))
	if err != nil || !ok {
		return false, err
	}
	since, err := parseMs(v)
	if err != nil {
		return false, fmt.Errorf("since when %s is connected: %w", provider, err)
	}
	return end < since-unknownFor, nil
}

// overall is the status of a call by those of its activities.
func (c *call) overall() {
	c.Status, c.Reason = schemas.StatusSynced, ""
	for i := range c.Activities {
		switch a := &c.Activities[i]; a.Status {
		case schemas.StatusPending:
			c.Status, c.Reason = schemas.StatusPending, ""
			return
		case schemas.StatusError, schemas.StatusCRMDeleted:
			c.Status, c.Reason = a.Status, a.Reason
		}
	}
}

// number is the other party's.
func (w *world) number(c *call) string {
	raw := c.Event.ToNumber
	if c.Event.Direction == schemas.Inbound {
		raw = c.Event.FromNumber
	}
	return phone.E164(raw, w.cfg.Country)
}

// match finds the person of a call: the record on the dialer's screen, the dialer's
// contact, then the number (B1). Several with the number: the call goes on one of
// them, flagged.
func (w *world) match(c *call) (*person, error) {
	if l := c.link(); l != nil {
		l := w.normalLink(*l)
		if pid, ok, err := w.personByRecord(l); err != nil {
			return nil, err
		} else if ok {
			ps, _, err := w.load(pid)
			return ps, err
		}
	}
	if id := c.Event.ContactID; id != nil {
		if pid, ok, err := w.text(kindContact, *id); err != nil {
			return nil, err
		} else if ok {
			if ps, _, err := w.load(pid); err != nil || ps != nil && len(ps.Links) > 0 {
				return ps, err
			}
		}
	}
	n := w.number(c)
	if n == "" {
		return nil, nil
	}
	found, err := w.allByNumber(n)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if len(found) > 1 {
		c.Ambiguous = true
		c.Candidates = nil
		for _, ps := range found {
			l := ps.Links[0]
			c.Candidates = append(c.Candidates, schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID})
		}
	}
	return found[0], nil
}

// byNumber is the best person with a number, nil if there is none.
func (w *world) byNumber(n string) (*person, error) {
	found, err := w.allByNumber(n)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// allByNumber are the persons with a number that a CRM has, the best first.
func (w *world) allByNumber(n string) ([]*person, error) {
	ids, err := w.members(kindPhone, n, 20)
	if err != nil {
		return nil, err
	}
	var found []*person
	for _, id := range ids {
		ps, ok, err := w.load(id)
		if err != nil {
			return nil, err
		}
		if ok && ps.Status != statusCRMDeleted && len(ps.Links) > 0 {
			found = append(found, ps)
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return w.rank(found[i]) < w.rank(found[j]) })
	return found, nil
}

func (w *world) rank(p *person) int {
	best := 1 << 30
	for i := range p.Links {
		if pr, ok := w.profile(p.Links[i].Provider); ok {
			if o, ok := pr.ObjectByName(p.Links[i].Object); ok {
				best = min(best, o.Rank)
			}
		}
	}
	return best
}

// log writes the call to one CRM that holds the person, if it does. It returns the
// number of activities that the CRM has or will have.
func (w *world) log(c *call, ps *person, provider string) (int, error) {
	pr, _ := w.profile(provider)
	acc := w.account(provider)
	a := w.standing(&c.Activities, provider)
	if a != nil && a.Account != acc.ID {
		return 1, nil // it stays where it was logged, as it is
	}
	target := w.target(ps, provider, a)
	if target == nil && a != nil && a.ID != "" { // it may stand on a record that was taken out of the person
		other, err := w.linked(w.linkID(provider, a.Person.Object, a.Person.ID))
		if err != nil {
			return 0, err
		}
		if other != nil && other.ID != ps.ID {
			target = w.target(other, provider, a)
		}
	}
	if target == nil {
		return 0, nil
	}
	d, err := w.render(c, target, pr)
	if err != nil {
		return 0, err
	}
	if v, ok := find(acc.Settings, "call_identity"); ok && !blank(v) {
		d.identityField = *v
	}
	w.write(&c.Activities, target, d)
	return 1, nil
}

// target is the record of a person that an activity is logged on in one CRM: the one
// that it is on, else the best; nil where the CRM has none.
func (w *world) target(ps *person, provider string, a *activity) (target *link) {
	pr, _ := w.profile(provider)
	for i := range ps.Links {
		l := &ps.Links[i]
		if l.Provider != provider || l.Deleted {
			continue
		}
		if a != nil && a.Person.Object == l.Object && a.Person.ID == l.ID {
			return l // out of scope, too: what was logged is edited where it is
		}
		if !l.live() {
			continue
		}
		o, ok := pr.ObjectByName(l.Object)
		if !ok {
			continue
		}
		if target == nil {
			target = l
			continue
		}
		if t, _ := pr.ObjectByName(target.Object); o.Rank < t.Rank {
			target = l
		}
	}
	return target
}

func (c *call) activity(provider string) *activity {
	for i := range c.Activities {
		if c.Activities[i].Provider == provider {
			return &c.Activities[i]
		}
	}
	return nil
}

// link is the CRM record that the call is about, if anybody said so.
func (c *call) link() *schemas.Link {
	if c.Link != nil {
		return c.Link
	}
	return c.Event.CRMLink
}

func callKey(id string) string { return "call:" + id }

func (w *world) publishCall(c *call) {
	s := &schemas.SyncCall{Tenant: w.t.Name(), CallID: c.Event.CallID, Revision: c.Event.Revision, Status: c.Status, Reason: c.Reason, PersonID: c.Person,
		Ambiguous: c.Ambiguous, Candidates: c.Candidates, StartedAt: c.Event.StartedAt,
		Provenance: &schemas.Provenance{Origin: dialer, EventTime: c.Event.StartedAt, SourceRef: c.Ref}}
	for i := range c.Activities {
		a := &c.Activities[i]
		s.Logged = append(s.Logged, schemas.Logged{Provider: a.Provider, Object: a.Object, ID: a.ID, URL: a.URL, Status: a.Status, At: a.At})
	}
	w.tx.Emit(schemas.TopicSyncCalls, w.t.Name()+"/"+c.Event.CallID, s)
}
