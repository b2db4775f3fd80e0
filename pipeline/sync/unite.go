package sync

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/conflict"
	"github.com/crmstream/crmstream/pipeline/identity"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// united follows a person to the one that it became part of.
func (w *world) united(id string) (raw []byte, ok bool, err error) {
	for range unitedMost {
		to, is, err := w.text(kindUnited, id)
		if err != nil || !is {
			return nil, false, err
		}
		if raw, ok, err := w.tx.Store.Get(w.t.Key(kindPerson, to)); err != nil || ok {
			return raw, ok, err
		}
		id = to
	}
	return nil, false, nil
}

// moved takes over that a CRM merged a record into another: its id is an alias of the
// survivor's from now on, and who had either is one person (B7). known: it was somebody's,
// which is news. follows: what the survivor is comes next.
func (w *world) moved(provider, object, id, to string, follows bool) (known bool, err error) {
	is, _, err := w.convertedTo(schemas.Link{Provider: provider, Object: object, ID: to}) // it may have been merged, too
	if err != nil {
		return false, err
	}
	was := schemas.Link{Provider: provider, Object: object, ID: id}
	if was == is || id == to {
		return false, nil
	}
	lid, survivor := w.linkID(provider, object, id), w.linkID(provider, is.Object, is.ID)
	w.became(was, schemas.Link{Provider: provider, Object: object, ID: to})
	if err := w.passOn(provider, lid, survivor); err != nil {
		return false, err
	}
	w.wake("l:" + lid) // what waits for it waits for the other
	p, err := w.linked(lid)
	if err != nil || p == nil {
		return false, err
	}
	s, err := w.linked(survivor)
	if err != nil {
		return false, err
	}
	l := p.link(provider, object, id)
	if l == nil && s != nil && s.ID == p.ID {
		return false, nil // it was told before
	}
	var unseen []fieldValue
	if l != nil {
		if s == nil {
			w.yield(p, l)
		}
		unseen = w.unseen(p, l)
		w.giveUpWrites(p, l)
		if err := w.forgetOwner(l); err != nil {
			return false, err
		}
		w.dropRival(p, provider, object, id)
		w.unlist(l)
		p.Links = slices.DeleteFunc(p.Links, func(l link) bool { return l.Provider == provider && l.Object == object && l.ID == id })
	}
	switch {
	case s == nil:
		w.setText(kindLink, survivor, p.ID)
		w.wake("l:" + survivor)
		if follows {
			w.save(p)
			return true, nil
		}
		fallthrough
	case s.ID == p.ID:
		return true, w.store(&edit{p: p, changed: true, dirty: true, origin: provider, at: w.tx.Now})
	}
	w.setText(kindLink, lid, s.ID)
	e, err := w.absorb(p, s, crmChose, mergedThere)
	if err != nil {
		return true, err
	}
	w.sayAgain(e, unseen)
	return true, w.store(e)
}

// yield lets what a record said of its person give way to the first word of the one that it
// was merged into, whatever the times are: that is what the CRM chose.
func (w *world) yield(p *person, l *link) {
	o := w.lines.Object(l.Provider, l.Object)
	if o == nil {
		return
	}
	for _, m := range o.Lines {
		f, ok := p.field(m.Dialer)
		if known, told := find(l.Known, m.CRM); !ok || !told || f.From != l.Provider || m.Role == profile.DoNotCall {
			continue
		} else if in, why, err := w.inward(m, known); err == nil && why == "" && m.Same(w.env, f.Value, in) {
			f.At = 0
		}
	}
}

const mergedThere = "merged in the CRM"

// unseen are the values of the dialer that were on their way to a record, or waited for a
// person's decision, or were not written because it was away, as it is once the CRM says that
// it was deleted: whoever merged it into another did not see them, and chose without.
func (w *world) unseen(p *person, l *link) (fs []fieldValue) {
	o := w.lines.Object(l.Provider, l.Object)
	if o == nil {
		return nil
	}
	for _, m := range o.Lines {
		d := p.dispute(m.Dialer)
		_, waits := find(l.Wanted, m.CRM)
		_, refused := find(l.Refused, m.CRM)
		known, _ := find(l.Known, m.CRM)
		asked := d != nil && d.OpenedAt != 0 && d.Record == l.record()
		if m.Role == profile.DoNotCall || !waits && !asked && (l.live() || refused || !w.lacked(p, m, known)) {
			continue
		}
		if f, ok := p.field(m.Dialer); ok && f.From == dialer && !isCounter(f.Name) {
			fs = append(fs, *f)
		}
	}
	return fs
}

// sayAgain lets the dialer say to a person what it said to one who became part of it.
func (w *world) sayAgain(e *edit, fs []fieldValue) {
	origin, at := e.origin, e.at
	for i := range fs {
		e.origin, e.at = dialer, fs[i].At
		w.take(e, fs[i].Name, mapping.DialerLine(w.lines.Role(fs[i].Name)), fs[i].Value, nil)
	}
	e.origin, e.at = origin, at
}

// giveUpWrites ends what waits for a record that is nobody's to write to any more. What it
// lacks, should it come back, is found out then.
func (w *world) giveUpWrites(p *person, l *link) {
	if len(l.Wanted) == 0 {
		return
	}
	l.givenUp(w.tx.Now)
	w.forgetWrites(p, l.record())
}

func (w *world) question(a *schemas.ControlAction) (id string, q *asked, err error) {
	id = said(a, "conflict")
	q, ok, err := get(w, askeds, kindAsked, id)
	if err == nil && !ok {
		err = pipeline.Rejectf(schemas.ReasonInvalid, "%q is no open question who is who: crmstream conflicts list shows them", id)
	}
	return id, q, err
}

// confirmMatch makes one person of two.
func (w *world) confirmMatch(a *schemas.ControlAction) error {
	id, q, err := w.question(a)
	if err != nil {
		return err
	}
	from, ok, err := w.load(q.Person)
	if err != nil {
		return err
	}
	to, ok2, err := w.load(q.Like)
	switch {
	case err != nil:
		return err
	case !ok || !ok2:
		return pipeline.Rejectf(schemas.ReasonInvalid, "one of the two is not there any more")
	case from.ID != to.ID && len(from.Links)+len(to.Links) > maxLinks:
		return pipeline.Rejectf(schemas.ReasonInvalid, "together they have more than %d records", maxLinks)
	}
	w.tx.Store.Delete(w.t.Key(kindAsked, id))
	w.publishAsked(id, q, "resolved")
	if from.ID == to.ID {
		return nil // it came true meanwhile
	}
	if older(from, to) {
		from, to = to, from
	}
	return w.unite(from, to, later, "the same person, by "+a.By)
}

// Which of two values counts where two persons become one: the later one; or that of the
// survivor, where the CRM chose already.
func later(f, cur *fieldValue) bool  { return f.At > cur.At }
func crmChose(_, _ *fieldValue) bool { return false }

// unite makes from a part of to: its records, contact, do-not-call (B23) and calls, and
// of each field the value of from where it wins over that of to. Its id stands for the
// other's from now on (B7).
func (w *world) unite(from, to *person, wins func(f, cur *fieldValue) bool, cause string) error {
	e, err := w.absorb(from, to, wins, cause)
	if err != nil {
		return err
	}
	return w.store(e)
}

// absorb is unite but for the storing.
func (w *world) absorb(from, to *person, wins func(f, cur *fieldValue) bool, cause string) (*edit, error) {
	if err := w.answered(from.ID, to.ID); err != nil {
		return nil, err
	}
	e := &edit{p: to, changed: true, dirty: true, linked: true, origin: conflict.Decided, at: w.tx.Now}
	for _, l := range from.Links {
		w.setText(kindLink, w.linkID(l.Provider, l.Object, l.ID), to.ID)
		l.Row = "" // it is listed as another's
		to.Links = append(to.Links, l)
	}
	if err := w.moveContacts(from, to); err != nil {
		return nil, err
	}
	if from.DNC && !to.DNC {
		yes := "true"
		w.fieldChange(e, "do_not_call", nil, &yes, cause)
		to.DNCFrom, to.DNCRef = from.DNCFrom, from.DNCRef
	}
	to.DNC, to.DNCAt = to.DNC || from.DNC, max(to.DNCAt, from.DNCAt)
	if to.Status != statusActive && from.Status == statusActive {
		to.Status = statusActive
	}
	var kept []string // fields of which from's value is in force
	for i := range from.Fields {
		f := &from.Fields[i]
		if k, v := w.indexed(f); v != "" {
			w.tx.Store.Delete(w.t.Key(k, v+"\x00"+from.ID))
		}
		cur, ok := to.field(f.Name)
		switch {
		case isCounter(f.Name):
		case !ok:
			to.set(*f)
			kept = append(kept, f.Name)
			if !blank(f.Value) {
				w.changed(e, f.Name, nil, f.Value, cause)
			}
		case wins(f, cur) && !equal(cur.Value, f.Value) && !blank(f.Value) && !to.disputed(f.Name):
			h := to.held(cur)
			h.Pass(&h.Version)
			h.Version = from.held(f).Version
			w.inForce(e, cur, h, f.Ref, cause)
			kept = append(kept, f.Name)
		}
	}
	for _, d := range from.Disputes {
		if d.OpenedAt == 0 {
			continue
		}
		w.publishDispute(from, &d, "resolved")
		if slices.Contains(kept, d.Field) && !to.disputed(d.Field) { // nobody has chosen
			to.settled(d.Field)
			to.Disputes = append(to.Disputes, d)
			w.publishDispute(to, &d, "open")
		}
	}
	if fuzzy(w.cfg) {
		for _, k := range identity.Keys(w.described(from)) {
			w.tx.Store.Delete(w.t.Key(kindName, k+"\x00"+from.ID))
		}
	}
	w.tx.Store.Delete(w.t.Key(kindPerson, from.ID))
	w.setText(kindUnited, from.ID, to.ID)
	w.tx.Emit(schemas.TopicSyncContacts, w.t.Name()+"/"+from.ID, &schemas.SyncContact{Tenant: w.t.Name(), PersonID: from.ID, Status: statusMerged, MergedInto: &to.ID,
		DoNotCall: to.DNC, Fields: []schemas.Field{}, Links: []schemas.Link{}, Provenance: &schemas.Provenance{Origin: e.origin, EventTime: e.at, SourceRef: w.ref}})
	w.timer(w.tx.Now, timerUnited, from.ID)
	return e, nil
}

// answered closes the question whether two are one who are now, by whatever way.
func (w *world) answered(a, b string) error {
	for _, id := range []string{samePrefix + a + ":" + b, samePrefix + b + ":" + a} {
		q, ok, err := get(w, askeds, kindAsked, id)
		if err != nil {
			return err
		}
		if ok {
			w.tx.Store.Delete(w.t.Key(kindAsked, id))
			w.publishAsked(id, q, "resolved")
		}
	}
	return nil
}

// moveCalls decides anew about the calls of a person who became part of another, some at
// a time: its counters are the other's.
func (w *world) moveCalls(from string) error {
	to, ok, err := w.load(from)
	if err != nil || !ok {
		return err
	}
	ids, err := w.members(kindMember, from, releaseAtOnce)
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, ok, err := w.getCall(id)
		if err != nil {
			return err
		}
		if !ok {
			w.tx.Store.Delete(w.t.Key(kindMember, from+"\x00"+id))
			continue
		}
		c.Person = to.ID
		asked, rest, err := w.readMoved(c)
		if err != nil {
			return err
		}
		if asked && !rest { // nothing is to be written before that is known
			if err := w.tally(c); err != nil {
				return err
			}
			put(w, calls, kindCall, id, c)
			w.publishCall(c)
			continue
		}
		if err := w.decide(c); err != nil {
			return err
		}
	}
	if len(ids) == releaseAtOnce {
		w.timer(w.tx.Now+1, timerUnited, from)
		return nil
	}
	w.tx.Store.Delete(w.t.Key(kindTotal, from))
	return nil
}

// splitMatch remembers that a record is not somebody's.
func (w *world) splitMatch(a *schemas.ControlAction) error {
	if said(a, "conflict") == "" {
		return w.takeOut(a)
	}
	id, q, err := w.question(a)
	if err != nil {
		return err
	}
	w.apart(q.Record, q.Like)
	w.tx.Store.Delete(w.t.Key(kindAsked, id))
	w.publishAsked(id, q, "resolved")
	return nil
}

func (w *world) apart(record, person string) {
	w.tx.Store.Put(w.t.Key(kindApart, record+"\x00"+person), []byte{1})
}

// takeOut takes a record that was linked wrongly out of a person. It is read again, and
// is then somebody else's; a contact of the dialer is with its next change. What it said
// of the person stays until somebody says something else.
func (w *world) takeOut(a *schemas.ControlAction) error {
	p, ok, err := w.load(said(a, "person"))
	if err != nil {
		return err
	}
	parts := strings.SplitN(said(a, "record"), "/", 3)
	if !ok || len(parts) != 3 {
		return pipeline.Rejectf(schemas.ReasonInvalid, "neither conflict says what is split, nor do person and record (provider/object/id)")
	}
	e := &edit{p: p, changed: true, dirty: true, origin: conflict.Decided, at: w.tx.Now}
	if parts[0] == dialer {
		if ids, err := w.contacts(p); err != nil {
			return err
		} else if !slices.Contains(ids, parts[2]) {
			return pipeline.Rejectf(schemas.ReasonInvalid, "the contact %s is not of %s", parts[2], p.ID)
		}
		if err := w.dropContact(p, parts[2]); err != nil {
			return err
		}
		w.tx.Store.Delete(w.t.Key(kindContact, parts[2]))
		w.apart(contactRecord(parts[2]), p.ID)
		return w.store(e)
	}
	l := p.link(parts[0], parts[1], parts[2])
	if l == nil {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the record %s is not of %s", said(a, "record"), p.ID)
	}
	w.giveUpWrites(p, l)
	w.unlist(l)
	if err := w.forgetOwner(l); err != nil {
		return err
	}
	p.Links = slices.DeleteFunc(p.Links, func(l link) bool { return l.Provider == parts[0] && l.Object == parts[1] && l.ID == parts[2] })
	w.dropRival(p, parts[0], parts[1], parts[2])
	record := w.linkID(parts[0], parts[1], parts[2])
	w.tx.Store.Delete(w.t.Key(kindLink, record))
	w.apart(record, p.ID)
	w.read(parts[0], parts[1], parts[2])
	return w.store(e)
}
