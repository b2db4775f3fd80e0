package sync

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

const (
	kindConverted state.Kind = '5' // provider NUL object NUL id of a record that became another → that one's object NUL id
	kindForbidden state.Kind = '7' // the same, of a record that is to come → ms: one that became it said that nobody may call

	timerReread    byte = '5' // provider NUL object NUL id: it refused a write because it became another, or was not there
	timerConverted byte = '6' // person NUL call id, or "" for the first: those after it may stand on a record that became another
)

// becameMost bounds how often a record may have become another.
const becameMost = 10

// convertedTo says what a record became by a conversion or a merge, whichever of them were
// heard of, and in whatever order; is is false where it is still itself.
func (w *world) convertedTo(l schemas.Link) (to schemas.Link, is bool, err error) {
	for range becameMost {
		v, ok, err := w.text(kindConverted, w.linkID(l.Provider, l.Object, l.ID))
		if err != nil || !ok {
			return l, is, err
		}
		l.Object, l.ID, _ = strings.Cut(v, "\x00")
		is = true
	}
	return l, is, nil
}

// became remembers for ever that a record is another one now.
func (w *world) became(was, is schemas.Link) {
	w.setText(kindConverted, w.linkID(was.Provider, was.Object, was.ID), is.Object+"\x00"+is.ID)
}

// personByRecord finds who a CRM record is of, also where it became another one.
func (w *world) personByRecord(l schemas.Link) (id string, ok bool, err error) {
	if id, ok, err = w.text(kindLink, w.linkID(l.Provider, l.Object, l.ID)); err != nil || ok {
		return id, ok, err
	}
	if l, ok, err = w.convertedTo(l); err != nil || !ok {
		return "", false, err
	}
	return w.text(kindLink, w.linkID(l.Provider, l.Object, l.ID))
}

// formerSays hears what comes late of a record that became another one: it is old, but
// that nobody may be called counts, and waits for the record if that is still to come (B23).
func (w *world) formerSays(was schemas.Link, o *mapping.Object, at int64, fields []schemas.Field) error {
	m, v, err := w.forbids(o, fields)
	if err != nil || m == nil {
		return err
	}
	is, gone, err := w.convertedTo(was)
	if err != nil || !gone {
		return err
	}
	return w.forbidLater(was.Provider, w.linkID(is.Provider, is.Object, is.ID), m.Dialer, v, at)
}

// forbidLater makes that nobody may call the person of a record, or keeps it for the
// record if that is still to come.
func (w *world) forbidLater(origin, lid, field string, v *string, at int64) error {
	p, err := w.linked(lid)
	if err != nil {
		return err
	}
	if p == nil {
		w.setText(kindForbidden, lid, ms(at))
		return nil
	}
	e := &edit{p: p, origin: origin, at: min(at, w.tx.Now)}
	w.forbid(e, field, v, e.at)
	return w.store(e)
}

// passOn gives what waits for a record to the one that it became.
func (w *world) passOn(origin, from, to string) error {
	at, ok, err := w.kept(from)
	if err != nil || !ok {
		return err
	}
	yes := "true"
	return w.forbidLater(origin, to, "do_not_call", &yes, at)
}

// kept takes out since when nobody may call whom a record is to be of.
func (w *world) kept(lid string) (at int64, ok bool, err error) {
	v, ok, err := w.text(kindForbidden, lid)
	if err != nil || !ok {
		return 0, false, err
	}
	w.tx.Store.Delete(w.t.Key(kindForbidden, lid))
	at, err = strconv.ParseInt(v, 10, 64)
	return at, true, err
}

// forbids finds the line by which a record says that nobody may be called; nil if it does
// not.
func (w *world) forbids(o *mapping.Object, fields []schemas.Field) (*mapping.Line, *string, error) {
	for _, m := range o.Lines {
		v, told := find(fields, m.CRM)
		if !told || m.Role != profile.DoNotCall || !m.Inbound() {
			continue
		}
		nv, _, err := w.inward(m, v)
		if err != nil || truth(nv) {
			return m, nv, err
		}
	}
	return nil, nil, nil
}

// expect makes a record that has not come yet the person's whom the dialer has for it; it
// is asked for (B1).
func (w *world) expect(p *person, l schemas.Link) error {
	l, _, err := w.convertedTo(l)
	if err != nil || w.lines.Object(l.Provider, l.Object) == nil || !w.configured(l.Provider) {
		return err
	}
	lid := w.linkID(l.Provider, l.Object, l.ID)
	if _, known, err := w.text(kindLink, lid); err != nil || known {
		return err
	}
	w.setText(kindLink, lid, p.ID)
	w.read(l.Provider, l.Object, l.ID)
	return nil
}

// awaited gives a record that has just come what waits for it.
func (w *world) awaited(e *edit, o *mapping.Object, id string) error {
	at, ok, err := w.kept(w.linkID(o.Provider, o.Name, id))
	if err != nil || !ok {
		return err
	}
	yes := "true"
	w.forbid(e, "do_not_call", &yes, min(at, w.tx.Now))
	return nil
}

// converted takes over that the CRM made another record of one, a Contact of a Lead: they
// are one person, in whatever order both are heard of, and everything goes to the new one
// from now on (B6). What the old record says beside that is old: only do-not-call counts.
func (w *world) converted(p *profile.Profile, o *mapping.Object, id, to string, at int64, fields []schemas.Field, snapshot bool) error {
	if p.NormalizeID != nil {
		to = p.NormalizeID(to)
	}
	was, is := schemas.Link{Provider: p.Provider, Object: o.Name, ID: id}, schemas.Link{Provider: p.Provider, Object: o.Conversion.To, ID: to}
	lid, cid := w.linkID(was.Provider, was.Object, was.ID), w.linkID(is.Provider, is.Object, is.ID)
	if _, told, err := w.text(kindConverted, lid); err != nil || told {
		return err // for ever
	}
	w.became(was, is)
	lp, err := w.linked(lid)
	if err != nil {
		return err
	}
	cp, err := w.linked(cid)
	if err != nil {
		return err
	}
	e := &edit{changed: true, dirty: true, linked: true, origin: p.Provider, at: min(at, w.tx.Now), snapshot: snapshot}
	if lp == nil {
		if cp != nil {
			w.setText(kindLink, lid, cp.ID)
		} else if !snapshot { // the initial load brings it
			w.read(is.Provider, is.Object, is.ID)
		}
		w.wake("l:" + lid)
		return w.formerSays(was, o, at, fields)
	}
	old := lp.link(was.Provider, was.Object, was.ID)
	if old != nil {
		w.unlist(old)
		if err := w.forgetOwner(old); err != nil {
			return err
		}
		copied := *old
		old = &copied
		if cp == nil { // what it held, the new one holds
			w.passRival(lp, was, is)
		} else {
			w.dropRival(lp, was.Provider, was.Object, was.ID)
		}
		lp.Links = slices.DeleteFunc(lp.Links, func(l link) bool { return l.Provider == was.Provider && l.Object == was.Object && l.ID == was.ID })
	}
	w.forgetWrites(lp, was)
	account, _ := find(fields, o.Conversion.Account)
	if cp == nil {
		l := link{Provider: is.Provider, Object: is.Object, ID: is.ID, Generation: w.generation(is.Provider), Account: textOf(account)}
		if old != nil {
			l.Known, l.Sent = w.carriedOver(old, o), w.sentOver(old, o)
		}
		lp.Links = append(lp.Links, l)
		if to := w.lines.Object(is.Provider, is.Object); l.Account != "" && to != nil && to.Follows != "" {
			w.follow(is.Provider, "", l.Account, lp.ID)
		}
		w.setText(kindLink, cid, lp.ID)
		w.read(is.Provider, is.Object, is.ID) // it may have been there before, with values of its own
		cp = lp
	} else if l := cp.link(is.Provider, is.Object, is.ID); l != nil && l.Account == "" {
		l.Account = textOf(account)
	}
	if e.p = lp; cp.ID != lp.ID && older(cp, lp) {
		e.p = cp
	}
	if m, v, err := w.forbids(o, fields); err != nil {
		return err
	} else if m != nil {
		w.forbid(e, m.Dialer, v, e.at)
	}
	if err := w.awaited(e, &mapping.Object{Provider: is.Provider, Name: is.Object}, is.ID); err != nil {
		return err
	}
	w.wake("l:" + lid)
	w.wake("l:" + cid)
	w.timer(w.tx.Now, timerConverted, e.p.ID+"\x00")
	ours := func(f, cur *fieldValue) bool { // the dialer's value counts
		return dialerLater(f, cur) || old != nil && f.From == dialer && w.replaces(old, f.Name, cur.Value, mapping.DialerLine(w.lines.Role(f.Name)))
	}
	switch {
	case cp.ID == lp.ID:
		if lp.Status != statusActive && lp.ContactID == nil {
			lp.Status = statusActive
		}
		return w.store(e)
	case e.p == cp:
		w.setText(kindLink, lid, cp.ID)
		return w.unite(lp, cp, ours, "converted in the CRM")
	}
	return w.unite(cp, lp, func(f, cur *fieldValue) bool { return !ours(cur, f) }, "converted in the CRM")
}

// dialerLater prefers what a CRM chose to what stood in a record that it took apart, but
// not to what the dialer said after that; nor to what was on its way to that record, where
// the new one has a copy of what it held.
func dialerLater(f, cur *fieldValue) bool { return f.From == dialer && f.At > cur.At }

// older says which of two persons was known first: it keeps its id.
func older(a, b *person) bool {
	return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID)) < 0
}

// linked loads the person of a record; nil if there is none.
func (w *world) linked(lid string) (*person, error) {
	pid, ok, err := w.text(kindLink, lid)
	if err != nil || !ok {
		return nil, err
	}
	p, _, err := w.load(pid)
	return p, err
}

// carriedOver is what the new record holds, as far as a conversion copies it: until it was
// read nothing else is known of it, and what is known is not written again. Do-not-call is.
func (w *world) carriedOver(old *link, o *mapping.Object) (known []schemas.Field) {
	to := w.lines.Object(o.Provider, o.Conversion.To)
	if to == nil {
		return nil
	}
	for _, m := range to.Lines {
		for _, from := range o.Lines {
			v, ok := find(old.Known, from.CRM)
			if from.Dialer != m.Dialer || !ok || m.Role == profile.DoNotCall {
				continue
			}
			if m.Role == profile.Owner {
				if _, is, err := w.text(kindOwnerID, w.scope(o.Provider)+"\x00"+textOf(v)); err != nil || !is {
					continue // the new record waits for it
				}
			} else {
				in, err := from.In(w.env, v)
				if err != nil {
					continue
				}
				if v, err = m.Out(w.env, in); err != nil {
					continue
				}
			}
			known = set(known, m.CRM, v)
		}
	}
	return known
}

// sentOver is what the new record may have a copy of: it was on its way to the old one, and
// is no word of the CRM's own there either.
func (w *world) sentOver(old *link, o *mapping.Object) (sent []sentValue) {
	to := w.lines.Object(o.Provider, o.Conversion.To)
	if to == nil {
		return nil
	}
	last := *old
	last.Sent = slices.Clone(old.Sent)
	last.givenUp(w.tx.Now)
	for _, m := range to.Lines {
		for _, from := range o.Lines {
			if from.Dialer != m.Dialer || m.Role == profile.DoNotCall || m.Role == profile.Owner {
				continue
			}
			for _, s := range last.Sent {
				if s.Name != from.CRM || s.Landed {
					continue
				}
				in, err := from.In(w.env, s.Value)
				if err != nil {
					continue
				}
				if v, err := m.Out(w.env, in); err == nil {
					sent = append(sent, sentValue{Name: m.CRM, Value: v, Until: s.Until})
				}
			}
		}
	}
	return sent
}

// followConverted looks at the activities of a person of whom a record became another,
// some at a time (P8). The CRM moves those that it has: they are read again. What it has
// not taken yet goes to the new record.
func (w *world) followConverted(id string) error {
	return w.callsOf(id, timerConverted, func(_ *person, c *call) error {
		_, rest, err := w.readMoved(c)
		if err != nil || !rest {
			return err
		}
		return w.decide(c)
	})
}

// readMoved reads the activities of a call that the CRM moved to what their record became.
// rest: others were to stand on such a record, and never got there.
func (w *world) readMoved(c *call) (asked, rest bool, err error) {
	for i := range c.Activities {
		a := &c.Activities[i]
		_, moved, err := w.convertedTo(a.Person)
		if err != nil {
			return asked, rest, err
		}
		switch {
		case !moved || a.Status == schemas.StatusCRMDeleted:
		case a.ID == "":
			rest = true
		case w.configured(a.Provider) && w.account(a.Provider).ID == a.Account:
			w.indexActivity(a, callKey(c.Event.CallID))
			w.read(a.Provider, a.Object, a.ID)
			asked = true
		}
	}
	return asked, rest, nil
}

// movedAlong takes over that the CRM moved an activity with a record that became another.
// It reports whether that, or that it did not, is to be acted on.
func (w *world) movedAlong(a *activity, fields []schemas.Field) (bool, error) {
	pr, ok := w.profile(a.Provider)
	if !ok || pr.Activity.PersonField == "" {
		return false, nil
	}
	who, told := find(fields, pr.Activity.PersonField)
	if !told || blank(who) {
		return false, nil
	}
	to, moved, err := w.convertedTo(a.Person)
	if err != nil || !moved {
		return false, err
	}
	id := *who
	if pr.NormalizeID != nil {
		id = pr.NormalizeID(id)
	}
	switch id {
	case to.ID:
		a.Person, a.Fields = to, set(slices.Clone(a.Fields), pr.Activity.PersonField, &id)
	case a.Person.ID: // not yet: it is written
	default:
		return false, nil // somebody else's by a person's hand
	}
	return true, nil
}

// reread reads a record that refused a write because it became another one: it says which.
func (w *world) reread(id string) {
	if parts := strings.SplitN(id, "\x00", 3); len(parts) == 3 {
		w.read(parts[0], parts[1], parts[2])
	}
}

// refusedBy sees to it that a record is read that refused a write because it became another.
func (w *world) refusedBy(l schemas.Link, code string) {
	if pr, ok := w.profile(l.Provider); ok {
		if o, ok := pr.ObjectByName(l.Object); ok && o.Conversion != nil && o.Conversion.Refused == code {
			w.timer(w.tx.Now, timerReread, l.Provider+"\x00"+l.Object+"\x00"+l.ID)
		}
	}
}
