package sync

import (
	"fmt"
	"slices"
	"sort"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
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
	if c.Base == 0 {
		w.timer(ev.StartedAt+callWindow, timerForget, ev.CallID)
	} else if ev.Revision <= c.Base {
		_, err := w.tx.NextSequence("duplicate calls") // counted (P5)
		return err
	}
	c.rebase(ev, w.tx.Now)
	c.Ref = w.ref
	return w.decide(c)
}

// decide finds out what is to become of a call and stores it.
func (w *world) decide(c *call) error {
	if err := w.settleFate(c); err != nil {
		return err
	}
	w.limitHold(c)
	put(w, calls, kindCall, c.Event.CallID, c)
	w.publishCall(c)
	return nil
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
	case w.cfg.MinCallSeconds > 0 && c.Event.DurationSeconds != nil && *c.Event.DurationSeconds < w.cfg.MinCallSeconds && len(c.Activities) == 0:
		c.Status, c.Reason = schemas.StatusSkipped, fmt.Sprintf("shorter than %d s", w.cfg.MinCallSeconds)
		return nil
	}
	var ps *person
	var err error
	if c.Person != "" {
		if ps, _, err = w.load(c.Person); err != nil {
			return err
		}
	}
	if ps == nil {
		if ps, err = w.match(c); err != nil {
			return err
		}
	}
	if ps == nil {
		why := "nobody with this number or contact is known"
		if w.number(c) == "" {
			why = "its number is no phone number, and nobody with its contact is known"
		}
		return w.holdCall(c, why)
	}
	c.Person = ps.ID
	logged := 0
	for _, provider := range w.s.order {
		if !w.configured(provider) {
			continue
		}
		n, err := w.log(c, ps, provider)
		if err != nil {
			return err
		}
		logged += n
	}
	if logged == 0 {
		if len(c.Activities) == 0 {
			c.Person = "" // whoever has a record by then
		}
		return w.holdCall(c, "the person has no record in a CRM")
	}
	c.overall()
	return nil
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
		if pid, ok, err := w.text(kindLink, w.linkID(l.Provider, l.Object, l.ID)); err != nil {
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
	if len(found) == 0 {
		return nil, nil
	}
	sort.SliceStable(found, func(i, j int) bool { return w.rank(found[i]) < w.rank(found[j]) })
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
	a := c.activity(provider)
	if a != nil && a.Account != acc.ID { // which this one has replaced
		if a.ID != "" {
			return 1, nil // it stays where it was logged, as it is
		}
		c.Activities = slices.DeleteFunc(c.Activities, func(x activity) bool { return x.Provider == provider })
		a = nil
	}
	var target *link
	for i := range ps.Links {
		l := &ps.Links[i]
		if l.Provider != provider || l.Deleted {
			continue
		}
		if a != nil && a.Person.Object == l.Object && a.Person.ID == l.ID {
			target = l
			break
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
	if target == nil {
		return 0, nil
	}
	if a != nil && a.Status == schemas.StatusCRMDeleted {
		return 1, nil // later edits do not resurrect it (B13)
	}
	fields, links, err := w.render(c, ps, target, pr)
	if err != nil {
		return 0, err
	}
	identityField := pr.Activity.IdentityField
	if v, ok := find(acc.Settings, "call_identity"); ok && !blank(v) {
		identityField = *v
	}
	wr := pipeline.Write{Provider: provider, Account: acc.ID, Object: pr.Activity.Object, Key: callKey(c.Event.CallID), IdentityField: identityField, Identity: c.Event.CallID,
		Priority: pipeline.PriorityCall}
	if a == nil {
		c.Activities = append(c.Activities, activity{Provider: provider, Account: acc.ID, Object: pr.Activity.Object,
			Person: schemas.Link{Provider: provider, Object: target.Object, ID: target.ID}})
		a = &c.Activities[len(c.Activities)-1]
		wr.Fields, wr.Associations = fields, links
	} else {
		// Only what changed, on the same activity (B12).
		for _, f := range fields {
			old, had := find(a.Fields, f.Name)
			if !had || blank(old) != blank(f.Value) || !blank(old) && *old != *f.Value {
				wr.Fields = append(wr.Fields, f)
			}
		}
		if len(wr.Fields) == 0 {
			return 1, nil
		}
		if a.ID == "" && a.Status != schemas.StatusPending {
			wr.Fields, wr.Associations = fields, links // it never got there: once more, whole
		}
		wr.ID = a.ID
	}
	a.Revision++
	wr.Revision = a.Revision
	a.Fields, a.Status, a.Reason = fields, schemas.StatusPending, ""
	w.want.Writes = append(w.want.Writes, wr)
	w.publishRecord(c, a)
	return 1, nil
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

// render turns the call into the CRM's form (B15, B16).
func (w *world) render(c *call, ps *person, l *link, pr *profile.Profile) ([]schemas.Field, []schemas.Link, error) {
	ev := &c.Event
	zone := w.cfg.TimeZone
	if ev.TimeZone != nil {
		zone = *ev.TimeZone
	}
	owner, known, err := w.text(kindOwner, w.scope(l.Provider)+"\x00"+normalEmail(ev.AgentEmail))
	if err != nil {
		return nil, nil, err
	}
	if !known && w.cfg.DefaultOwnerEmail != "" {
		if owner, _, err = w.text(kindOwner, w.scope(l.Provider)+"\x00"+normalEmail(w.cfg.DefaultOwnerEmail)); err != nil {
			return nil, nil, err
		}
	}
	rc := profile.Call{ID: ev.CallID, Revision: ev.Revision, Direction: ev.Direction, StartedAt: ev.StartedAt, Duration: ev.DurationSeconds,
		From: ev.FromNumber, To: ev.ToNumber, AgentEmail: ev.AgentEmail, OwnerID: owner, TimeZone: w.s.zones.get(zone), AccountID: l.Account, Score: ev.Score,
		Person: schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID}}
	if ev.DurationSeconds == nil && ev.EndedAt != nil {
		d := int32(min((*ev.EndedAt-ev.StartedAt)/1000, 1<<31-1))
		rc.Duration = &d
	}
	if ev.Disposition != nil {
		rc.Disposition = *ev.Disposition
	}
	if ev.Notes != nil {
		rc.Notes = *ev.Notes
	}
	if !known && ev.AgentEmail != "" {
		rc.Notes = "Rep: " + ev.AgentEmail + "\n" + rc.Notes // a call is never lost over an owner (B16)
	}
	fields, links := pr.Activity.Render(rc)
	return fields, links, nil
}

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

// publishRecord shows the state of one activity on sync.records: under its local
// name until the CRM has given it an id.
func (w *world) publishRecord(c *call, a *activity) {
	// Under another key now: whoever reads the topic forgets the local one.
	rekeyed := a.ID != "" && a.Local
	a.Local = a.ID == ""
	r := &schemas.SyncRecord{Tenant: w.t.Name(), Provider: a.Provider, ObjectType: a.Object, RecordID: a.ID, LocalRecordID: c.Event.CallID, LocalTable: "call_activities",
		Direction: "outbound", Status: a.Status, CreatedAt: c.Event.StartedAt, UpdatedAt: w.tx.Now}
	local := w.t.Name() + "/" + a.Provider + "/" + a.Object + "/local:call_activities:" + c.Event.CallID
	r.ID = local
	if a.ID != "" {
		r.ID = w.t.Name() + "/" + a.Provider + "/" + a.Object + "/" + a.ID
	}
	if a.Status == schemas.StatusSynced {
		at := w.tx.Now
		r.LastSyncedAt = &at
	}
	if rekeyed {
		w.tx.Emit(schemas.TopicSyncRecords, local, nil)
	}
	if a.Reason != "" {
		r.ErrorMessage = &a.Reason
	}
	w.tx.Emit(schemas.TopicSyncRecords, r.ID, r)
}
