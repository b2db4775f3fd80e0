package sync

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/conflict"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
)

// Rank breaks a tie: the tenant's primary CRM, the other CRMs in the order of their
// profiles, then the dialer (B10).
func (w *world) Rank(origin string) int {
	if origin == w.cfg.PrimaryCRM && origin != "" {
		return -1
	}
	for i, p := range w.s.order {
		if p == origin {
			return i
		}
	}
	return len(w.s.order)
}

// strategy is the one for a field: of the line that a CRM's word came by, or that the
// value in force did, else the tenant's.
func (w *world) strategy(field string, m *mapping.Line, origin string) string {
	if m.Conflict != "" {
		return m.Conflict
	}
	if origin != dialer {
		for _, o := range w.lines.Objects() {
			if o.Provider != origin {
				continue
			}
			for _, l := range o.Lines {
				if l.Dialer == field && l.Conflict != "" {
					return l.Conflict
				}
			}
		}
	}
	return w.lines.Strategy(field)
}

func (p *person) held(f *fieldValue) conflict.Held {
	h := conflict.Held{Version: conflict.Version{Value: f.Value, At: f.At, From: f.From}}
	for i := range p.Past {
		if p.Past[i].Field == f.Name {
			h.OverDialer, h.OverCRM = p.Past[i].Dialer, p.Past[i].CRM
		}
	}
	return h
}

// put makes a field what h has; ref is the input that brought it.
func (p *person) put(f *fieldValue, h conflict.Held, ref string) {
	f.Value, f.At, f.From, f.Ref = h.Value, h.At, h.From, ref
	for i := range p.Past {
		if p.Past[i].Field == f.Name {
			p.Past[i].Dialer, p.Past[i].CRM = h.OverDialer, h.OverCRM
			return
		}
	}
	if h.OverDialer != 0 || h.OverCRM != 0 {
		p.Past = append(p.Past, past{f.Name, h.OverDialer, h.OverCRM})
	}
}

// inForce puts a value in the place of what a field was.
func (w *world) inForce(e *edit, cur *fieldValue, h conflict.Held, ref, cause string) {
	old := cur.Value
	e.former = append(e.former, *cur)
	e.p.put(cur, h, ref)
	w.changed(e, cur.Name, old, h.Value, cause)
}

// agree takes over that a side says what is in force.
func (w *world) agree(e *edit, cur *fieldValue, h *hearing) {
	if cur.From == e.origin { // most of all that is heard: its side said it before
		if e.at > cur.At {
			cur.At, cur.Ref, e.dirty = e.at, w.ref, true
		}
		return
	}
	held := e.p.held(cur)
	out := conflict.Decide(&conflict.Case{Held: held, New: conflict.Version{Value: cur.Value, At: e.at, From: e.origin}, Same: true, Echo: h != nil && h.echo, Ranks: w})
	if out.Held == held {
		return
	}
	ref := cur.Ref
	if out.Held.Version != held.Version {
		ref = w.ref
	}
	e.p.put(cur, out.Held, ref)
	e.dirty = true
}

// meet decides between what is in force and another value.
func (w *world) meet(e *edit, cur *fieldValue, m *mapping.Line, v *string, h *hearing) {
	field, held := cur.Name, e.p.held(cur)
	from := e.origin
	if h == nil {
		from = cur.From
	}
	n := conflict.Version{Value: v, At: e.at, From: e.origin}
	if cur.From == e.origin {
		if h, cause, later := conflict.Alone(w.strategy(field, m, from), held, n); later {
			e.p.settled(field)
			w.inForce(e, cur, h, w.ref, cause)
			return
		}
	}
	c := conflict.Case{Strategy: w.strategy(field, m, from), Held: held, New: n, Snapshot: e.snapshot, Ranks: w}
	if h != nil {
		c.Pending, c.First, c.Live = h.pending, h.first, w.live
	}
	out := conflict.Decide(&c)
	switch out.Verdict {
	case conflict.Taken:
		e.p.settled(field) // whatever was undone is not wanted any more
		w.inForce(e, cur, out.Held, w.ref, out.Cause)
		return
	case conflict.Opened:
		d := dispute{Kind: conflictValue, Value: out.Rival.Value, At: out.Rival.At, From: out.Rival.From, Ref: cur.Ref}
		if h != nil {
			d.Ref = w.ref
			e.p.put(cur, out.Held, cur.Ref)
			d.Record = schemas.Link{Provider: h.l.Provider, Object: h.l.Object, ID: h.l.ID}
		} else {
			d.Record = e.p.recordOf(out.Rival.From)
			w.inForce(e, cur, out.Held, w.ref, out.Cause)
		}
		w.openDispute(e, field, d)
		return
	}
	if out.Held != held {
		e.p.put(cur, out.Held, cur.Ref)
		e.dirty = true
	}
	switch {
	case h == nil && cur.From != dialer:
		e.changed = true // the dialer is told what is in force instead
	case h != nil && m.Outbound() && !h.late:
		// What is on its way there may have been taken before this was said.
		wanted, pending := find(h.l.Wanted, m.CRM)
		h.l.Wanted = unset(h.l.Wanted, m.CRM)
		if out.Undone {
			w.undone(e, cur, v, h)
		}
		if pending && e.p.disputed(cur.Name) { // it may still be taken there, and is followed by what the CRM had
			h.l.Wanted = set(h.l.Wanted, m.CRM, wanted)
		}
	}
}

// Kinds of SyncConflict that are about a field of a person.
const (
	conflictValue  = "value"
	conflictUndone = "undone"
)

// undone counts that a CRM undid the value in force. The third time is a question: a rule
// there wants something else, and would undo it for ever (P7).
func (w *world) undone(e *edit, cur *fieldValue, v *string, h *hearing) {
	d := e.p.dispute(cur.Name)
	if d == nil {
		e.p.Disputes = append(e.p.Disputes, dispute{Field: cur.Name})
		d = &e.p.Disputes[len(e.p.Disputes)-1]
	}
	d.Undone++
	e.dirty = true
	if d.Undone >= conflict.UndoneMost {
		w.openDispute(e, cur.Name, dispute{Kind: conflictUndone, Value: v, At: e.at, From: e.origin, Ref: w.ref,
			Record: schemas.Link{Provider: h.l.Provider, Object: h.l.Object, ID: h.l.ID}})
	}
}

func (p *person) dispute(field string) *dispute {
	for i := range p.Disputes {
		if p.Disputes[i].Field == field {
			return &p.Disputes[i]
		}
	}
	return nil
}

// disputed says that a field waits for a person: no CRM is written to.
func (p *person) disputed(field string) bool {
	if len(p.Disputes) == 0 {
		return false
	}
	d := p.dispute(field)
	return d != nil && d.OpenedAt != 0
}

func (p *person) settled(field string) {
	if len(p.Disputes) > 0 {
		p.Disputes = slices.DeleteFunc(p.Disputes, func(d dispute) bool { return d.Field == field })
	}
}

// recordOf is the first record of a CRM, for whoever looks at a conflict.
func (p *person) recordOf(provider string) schemas.Link {
	for i := range p.Links {
		if l := &p.Links[i]; l.Provider == provider && l.live() {
			return schemas.Link{Provider: provider, Object: l.Object, ID: l.ID}
		}
	}
	return schemas.Link{Provider: provider}
}

func (w *world) openDispute(e *edit, field string, d dispute) {
	d.Field, d.OpenedAt = field, w.tx.Now
	e.p.settled(field)
	e.p.Disputes = append(e.p.Disputes, d)
	e.dirty = true
	w.publishDispute(e.p, &d, "open")
}

// dispute takes a word of a side about a field that waits for a person.
func (w *world) dispute(e *edit, d *dispute, cur *fieldValue, m *mapping.Line, v *string, h *hearing) {
	if h != nil && h.echo {
		return // no word of the CRM's own
	}
	q := conflict.Dispute{Held: e.p.held(cur), Rival: conflict.Version{Value: d.Value, At: d.At, From: d.From}}
	changed, closed := q.Hear(conflict.Version{Value: v, At: e.at, From: e.origin}, func(a, b *string) bool { return m.Same(w.env, a, b) })
	if h != nil && q.Rival.From == e.origin && q.Rival.At == e.at {
		d.Value, d.At, d.From, d.Ref = q.Rival.Value, q.Rival.At, q.Rival.From, w.ref
		d.Record = schemas.Link{Provider: h.l.Provider, Object: h.l.Object, ID: h.l.ID}
	}
	if q.Held != e.p.held(cur) {
		e.dirty = true
		if h == nil && changed {
			w.inForce(e, cur, q.Held, w.ref, "it waits for a decision")
		} else {
			e.p.put(cur, q.Held, cur.Ref)
		}
	}
	switch {
	case closed:
		e.dirty = true
		w.publishDispute(e.p, d, "resolved")
		e.p.settled(d.Field)
	case changed:
		e.dirty = true
		w.publishDispute(e.p, d, "open")
	}
}

// giveBack is what a record that a dispute is with is to be written while it is open:
// where a value of ours was on its way to it, what the CRM had before, in the CRM's form.
func (w *world) giveBack(p *person, l *link, m *mapping.Line) (v *string, back bool) {
	d := p.dispute(m.Dialer)
	wanted, pending := find(l.Wanted, m.CRM)
	if !pending || d.Record != (schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID}) {
		return nil, false
	}
	if !blank(d.Value) {
		var err error
		if v, err = m.Out(w.env, d.Value); err != nil {
			return nil, false
		}
	}
	return v, !m.Alike(w.env, wanted, v)
}

// dropRival closes what waited for a choice against a record that is gone: the dialer's
// value stays.
func (w *world) dropRival(p *person, provider, object, id string) {
	for i := 0; i < len(p.Disputes); {
		d := p.Disputes[i]
		if d.Record != (schemas.Link{Provider: provider, Object: object, ID: id}) || d.OpenedAt == 0 {
			i++
			continue
		}
		w.publishDispute(p, &d, "resolved")
		p.settled(d.Field)
	}
}

// restRival closes what waited for a choice against a record that was deleted. It is kept
// for the record's return: nobody has chosen.
func (w *world) restRival(p *person, l *link) {
	for i := range p.Disputes {
		d := &p.Disputes[i]
		if d.OpenedAt != 0 && d.Record == l.record() {
			w.publishDispute(p, d, "resolved")
			d.OpenedAt, d.Undone = 0, 0
		}
	}
}

// wakeRival opens again what was not chosen when a record was deleted that is back.
func (w *world) wakeRival(p *person, l *link) {
	for i := range p.Disputes {
		if d := &p.Disputes[i]; d.OpenedAt == 0 && d.Record == l.record() {
			d.OpenedAt = w.tx.Now
			w.publishDispute(p, d, "open")
		}
	}
}

// passRival lets a question that was with one record be with the one that it became.
func (w *world) passRival(p *person, was, is schemas.Link) {
	for i := range p.Disputes {
		d := &p.Disputes[i]
		if d.Record != was {
			continue
		}
		d.Record = is
		if d.OpenedAt != 0 {
			w.publishDispute(p, d, "open")
		}
	}
}

func (l *link) record() schemas.Link {
	return schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID}
}

func disputeID(person, field string) string { return "value:" + person + ":" + field }

func (w *world) publishDispute(p *person, d *dispute, status string) {
	id := disputeID(p.ID, d.Field)
	c := &schemas.SyncConflict{Tenant: w.t.Name(), ConflictID: id, Kind: d.Kind, PersonID: p.ID, Field: d.Field, CRMValue: d.Value, Record: d.Record,
		Status: status, OpenedAt: d.OpenedAt, Provenance: &schemas.Provenance{Origin: d.From, EventTime: d.At, SourceRef: d.Ref}}
	if f, ok := p.field(d.Field); ok {
		c.DialerValue = f.Value
		if f.At > d.At {
			c.Provenance = &schemas.Provenance{Origin: f.From, EventTime: f.At, SourceRef: f.Ref}
		}
	}
	w.tx.Emit(schemas.TopicSyncConflicts, w.t.Name()+"/"+id, c)
}

// resolveConflict does what a person decided about a field.
func (w *world) resolveConflict(a *schemas.ControlAction) error {
	id := said(a, "conflict")
	if strings.HasPrefix(id, conflictDrift+":") || strings.HasPrefix(id, conflictNewField+":") {
		return w.acceptDrift(a, id)
	}
	parts := strings.SplitN(id, ":", 3)
	if len(parts) != 3 || parts[0] != "value" {
		return pipeline.Rejectf(schemas.ReasonInvalid, "%q is no conflict of two values: crmstream conflicts list shows them", id)
	}
	p, ok, err := w.load(parts[1])
	if err != nil {
		return err
	}
	field := parts[2]
	if !ok || !p.disputed(field) {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the conflict %s is not open (any more)", id)
	}
	d, v := *p.dispute(field), (*string)(nil)
	take := said(a, "take")
	if take == conflict.TakeValue {
		if v, ok = find(a.Fields, "value"); !ok {
			return pipeline.Rejectf(schemas.ReasonInvalid, "take is value, and there is no value")
		}
		if v != nil {
			n := w.dialerValue(field, *v)
			v = &n
		}
	}
	cur, ok := p.field(field)
	if !ok {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the person has no field %s", field)
	}
	q := conflict.Dispute{Held: p.held(cur), Rival: conflict.Version{Value: d.Value, At: d.At, From: d.From}}
	h, ok := q.Resolve(take, v, w.tx.Now)
	if !ok {
		return pipeline.Rejectf(schemas.ReasonInvalid, "take is %q: crm, dialer or value", take)
	}
	e := &edit{p: p, changed: true, dirty: true, origin: conflict.Decided, at: w.tx.Now}
	ref := cur.Ref
	switch take {
	case conflict.TakeCRM:
		ref = d.Ref
	case conflict.TakeValue:
		ref = w.ref
	}
	cause := schemas.Manual + ": " + take + ", by " + a.By
	if why := said(a, "why"); why != "" {
		cause += ": " + why
	}
	p.settled(field)
	if equal(cur.Value, h.Value) {
		p.put(cur, h, ref)
		w.fieldChange(e, field, h.Value, h.Value, cause) // that it was decided is news, too
	} else {
		w.inForce(e, cur, h, ref, cause)
	}
	w.publishDispute(p, &d, "resolved")
	return w.store(e)
}
