package sync

import (
	"slices"

	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

// saying is how a CRM said something of a person's record.
type saying struct {
	snapshot bool // with an initial load
	again    bool // it is read once more, for a field or a scope that is new
	part     bool // some fields only: of what is not there it says nothing
	created  bool // what is not there is empty
	found    bool // somebody asked for it, or made it: it is known whatever the scope is
}

// live says that a record is there, and in the tenant's scope: it is written to, and calls
// are logged on it (B9).
func (l *link) live() bool { return !l.Deleted && !l.Out }

// standing sets the status that follows from a person's records.
func (p *person) standing() {
	if p.Status != statusActive && p.Status != statusOutOfScope && p.Status != statusCRMDeleted {
		return
	}
	p.Status = statusActive
	out, gone := false, false
	for i := range p.Links {
		switch l := &p.Links[i]; {
		case l.live():
			return
		case l.Deleted:
			gone = true
		default:
			out = true
		}
	}
	switch {
	case out:
		p.Status = statusOutOfScope
	case gone:
		p.Status = statusCRMDeleted
	}
}

// enters says whether a record is anybody's: known already, or in the scope. One that
// never was in it is passed over, and counted (P5); one of which not all is said is read.
func (w *world) enters(p *profile.Profile, o *mapping.Object, id string, fields []schemas.Field, how saying) (bool, error) {
	if how.found {
		return true, nil
	}
	if _, known, err := w.text(kindLink, w.linkID(p.Provider, o.Name, id)); err != nil || known {
		return true, err
	}
	verdict := mapping.Judge(o.Scope, func(f string) (*string, bool) {
		v, ok := find(fields, f)
		return v, ok || how.created
	})
	switch {
	case verdict == mapping.Outside:
		_, err := w.tx.NextSequence("records out of scope")
		return false, err
	case how.part:
		w.read(p.Provider, o.Name, id)
		return false, nil
	}
	return true, nil // a condition on a field that the CRM does not have is none
}

// judge finds out whether a person's record is still, or again, in the scope. It reports
// whether no more is to be taken from what it says: of a record that is out, do-not-call
// alone counts. One that comes back is heard as a whole.
func (w *world) judge(e *edit, l *link, o *mapping.Object, fields []schemas.Field, how *saying) (over bool) {
	if notBefore(e.at, l.ScopeAt) {
		for i := range o.Scope {
			name := o.Scope[i].Field
			v, ok := find(fields, name)
			if !ok && !how.created {
				continue
			}
			if was, known := find(l.Scope, name); !known || !equal(was, v) {
				l.Scope, l.ScopeAt, e.dirty = set(l.Scope, name, v), e.at, true
			}
		}
	}
	verdict := mapping.Inside
	if o.Scope != nil {
		verdict = mapping.Judge(o.Scope, func(f string) (*string, bool) { return judged(l, f) })
	}
	if verdict == mapping.Unjudged && (!how.part || !l.Out) {
		verdict = mapping.Inside
	}
	fresh := len(l.Known) == 0
	switch {
	case verdict == mapping.Outside && !l.Out:
		w.leave(e, l)
	case verdict == mapping.Inside && l.Out && how.part:
		w.read(l.Provider, l.Object, l.ID) // it comes back with all that it missed, before anything is written to it
	case verdict == mapping.Inside && l.Out:
		l.Out, e.changed, e.dirty, e.linked, how.again = false, true, true, true, false
	}
	if e.changed {
		e.p.standing()
	}
	if !l.Out || fresh {
		return false
	}
	for _, m := range o.Lines {
		if m.Role != profile.DoNotCall || !m.Inbound() || e.p.DNC {
			continue
		}
		v, ok := find(fields, m.CRM)
		if !ok {
			continue
		}
		if nv, _, err := w.inward(m, v); err == nil && truth(nv) {
			e.p.DNC, e.p.DNCAt, e.changed = true, e.at, true
			w.fieldChange(e, m.Dialer, nil, v, "do_not_call of either side")
		}
	}
	return true
}

// leave takes a record out of the scope: it is not deleted, and nothing is written to it
// any more.
func (w *world) leave(e *edit, l *link) {
	w.giveUpWrites(e.p, l)
	l.Out, e.changed, e.dirty = true, true, true
}

// scopePersons judges the persons after one by what is known of them, for the scopes have
// changed. Who comes in, or back, is found by the sources, which are read again.
func (w *world) scopePersons(after string) error {
	return w.persons(after, laterScope, func(p *person) error {
		e := &edit{p: p, origin: "crmstream", at: w.tx.Now, silent: true}
		for i := range p.Links {
			l := &p.Links[i]
			pr, ok := w.profile(l.Provider)
			if !ok || !l.live() {
				continue
			}
			o := w.lines.Object(l.Provider, l.Object)
			_, is := pr.ObjectByName(l.Object)
			off := o == nil && is
			if off || o != nil && o.Scope != nil && mapping.Judge(o.Scope, func(f string) (*string, bool) { return judged(l, f) }) == mapping.Outside {
				w.leave(e, l)
			}
		}
		if !e.changed {
			return nil
		}
		p.standing()
		return w.store(e)
	})
}

// judged is a value that a scope asks for, as it was last seen.
func judged(l *link, field string) (*string, bool) {
	if v, ok := find(l.Scope, field); ok {
		return v, true
	}
	return find(l.Known, field)
}

// persons does something with the persons after one, some at a time (P8); what names it
// on its timer.
func (w *world) persons(after, what string, do func(*person) error) error {
	from := state.Key{}
	if after != "" {
		from = w.t.Key(kindPerson, after)
	}
	var found []*person
	last := ""
	err := w.tx.Store.Scan(w.t.Prefix(kindPerson, ""), from, func(k state.Key, raw []byte) (bool, error) {
		p := new(person)
		if err := decodePerson(raw, p); err != nil {
			return false, err
		}
		found, last = append(found, p), k.ID()
		return len(found) < sweepAtOnce, nil
	})
	if err != nil {
		return err
	}
	for _, p := range found {
		if slices.ContainsFunc(p.Links, w.former) {
			w.dropFormer(p)
		}
		if err := do(p); err != nil {
			return err
		}
	}
	if len(found) == sweepAtOnce {
		w.timer(w.tx.Now+1, timerLater, what+last)
	}
	return nil
}
