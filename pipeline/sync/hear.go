package sync

import (
	"slices"

	"github.com/crmstream/crmstream/pipeline/conflict"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// What a CRM says of a person's record becomes words about the person's fields here; which
// of several words is in force is decided beside it (P7).

// merge applies what a CRM says of one of its records.
func (w *world) merge(p *profile.Profile, object, id string, at int64, fields []schemas.Field, how saying) error {
	o := w.lines.Object(p.Provider, object)
	if o == nil || id == "" {
		return nil // an object that nobody mapped
	}
	if o.Conversion != nil {
		if to, ok := find(fields, o.Conversion.ID); ok && !blank(to) {
			return w.converted(p, o, id, *to, at, fields, how.snapshot)
		}
	}
	if o.Scope != nil {
		if in, err := w.enters(p, o, id, fields, how); err != nil || !in {
			return err
		}
	}
	if how.part && !how.found {
		if reads, err := w.unheardOf(o, id, at, fields); err != nil || reads {
			return err
		}
	}
	e, l, err := w.owner(p, o, id, fields)
	if err == nil && l == nil {
		return w.formerSays(schemas.Link{Provider: p.Provider, Object: o.Name, ID: id}, o, at, fields)
	}
	if err != nil {
		return err
	}
	// A time that has not come yet would win over everything until it comes.
	e.origin, e.at, e.snapshot = p.Provider, min(at, w.tx.Now), how.snapshot
	at = e.at
	if e.linked {
		if e.p.Status == statusCRMDeleted { // a CRM has the person again
			e.p.Status = statusActive
		}
		if err := w.awaited(e, o, id); err != nil {
			return err
		}
	}
	back := l.Deleted || l.Out
	if l.Deleted {
		l.Deleted, e.p.Status, e.changed, e.linked = false, statusActive, true, true
		w.wakeRival(e.p, l)
	}
	if (o.Scope != nil || l.Out) && w.judge(e, l, o, fields, &how) {
		return w.store(e)
	}
	if o.AccountField != "" {
		if v, ok := find(fields, o.AccountField); ok && !blank(v) && l.Account != *v {
			if o.Follows != "" {
				w.follow(p.Provider, l.Account, *v, e.p.ID)
			}
			l.Account, e.dirty = *v, true
		}
	}
	before := l.Known
	if o.Shared {
		before = slices.Clone(before) // two lines look at one field, and both must see what it was
	}
	stale, whole := at != 0 && at < l.Whole, true
	past := stale && tellsAll(o, before, fields)
	for _, m := range o.Lines {
		v, present := find(fields, m.CRM)
		old, known := find(before, m.CRM)
		if !present {
			whole = whole && !known
			continue
		}
		if how.again && known {
			cur, has := e.p.field(m.Dialer)
			if m.Role == profile.DoNotCall || has && at <= cur.At {
				continue // the field is not new: what lives counts (B32)
			}
			known = has // else it was not listened to, and what was known of it may be long over
		}
		if known && m.Alike(w.env, old, v) {
			continue // what is known already: an echo, or nothing new (P7)
		}
		if past && known && m.Role != profile.DoNotCall {
			continue // what is not what it holds may as well be what it held
		}
		h := hearing{l: l, first: !known, emptied: w.live && how.part, late: stale && known}
		if h.late && blank(old) && m.Role != profile.DoNotCall {
			if cur, ok := e.p.field(m.Dialer); !ok || !blank(cur.Value) {
				continue // the record was empty after that, and nobody but it had emptied it
			}
		}
		h.pending = back && known && w.lacked(e.p, m, old)
		wanted, waits := find(l.Wanted, m.CRM)
		// That nobody may be called may be somebody's word, and is never taken for an echo (B23).
		if ours, stands := l.wasOurs(w.env, m, v, at); ours && !(m.Role == profile.DoNotCall && truth(v) && at > e.p.DNCAt) {
			// An older write of ours. If no other is to follow it any more it may be what stands
			// there: then it is written over. Somebody may tick do-not-call anew on top of it.
			if stands && !h.late && (!waits || m.Role == profile.DoNotCall) {
				l.Known, e.dirty = set(l.Known, m.CRM, v), true
			}
			continue
		}
		if waits {
			h.echo = m.Alike(w.env, wanted, v)
			h.pending = !h.echo && !(known && m.Alike(w.env, wanted, old))
			if over, err := w.wroteOver(e.p, m, v, &h); err != nil {
				return err
			} else if over { // our write stands over something newer of its own: that is written again
				l.Known, l.Wanted, e.dirty = set(l.Known, m.CRM, v), unset(l.Wanted, m.CRM), true
				continue
			}
		}
		if known && l.overtaken(w.env, m, old, v, at) {
			w.read(l.Provider, l.Object, l.ID)
		}
		l.takenBack(w.env, m, v)
		if known && m.Role == profile.Owner && !h.late {
			if err := w.ownerLeft(p.Provider, old, o.Name, id); err != nil {
				return err
			}
		}
		if !h.late { // else it is a word that comes late, and may count still
			l.Known = set(l.Known, m.CRM, v)
			l.Refused = unset(l.Refused, m.CRM)
		}
		e.dirty = true
		if !m.Inbound() {
			continue
		}
		if m.Formula && known {
			e.at = w.tx.Now // it has changed since it was read last, which the record's time does not say (B29)
		}
		nv, why, err := w.inward(m, v)
		if err != nil {
			return err
		}
		if why != "" || len(l.Warnings) > 0 {
			w.warn(e, l, m, why)
		}
		if m.Role == profile.DoNotCall {
			if truth(nv) {
				w.forbid(e, m.Dialer, nv, at)
			}
			continue
		}
		if nv == nil && m.Role == profile.Owner && !blank(v) {
			w.awaitOwner(p.Provider, *v, o.Name, id, at)
			continue
		}
		if cur, ok := e.p.field(m.Dialer); ok && m.Outbound() && !m.Same(w.env, cur.Value, nv) && m.Echo(w.env, cur.Value, v) {
			nv = cur.Value // it is ours, cut or put into the CRM's words (B28)
		}
		if h.first && w.beingReplaced(e.p, l, m, nv) {
			continue
		}
		w.take(e, m.Dialer, m, nv, &h)
		e.at = at
	}
	if whole && at > l.Whole {
		l.Whole, e.dirty = at, true
	}
	return w.store(e)
}

// unheardOf has a record read of which some fields were said before anything else: by a few
// of them nobody knows who it is, and who is found wrongly stays so (B2). That nobody may
// be called waits for it (B23).
func (w *world) unheardOf(o *mapping.Object, id string, at int64, fields []schemas.Field) (reads bool, err error) {
	lid := w.linkID(o.Provider, o.Name, id)
	if _, known, err := w.text(kindLink, lid); err != nil || known {
		return false, err
	}
	if _, is, err := w.convertedTo(schemas.Link{Provider: o.Provider, Object: o.Name, ID: id}); err != nil || is {
		return false, err
	}
	if gone, err := w.wasErased(erasedRecord, lid); err != nil || gone {
		return false, err
	}
	if m, v, err := w.forbids(o, fields); err != nil {
		return false, err
	} else if m != nil {
		if err := w.forbidLater(o.Provider, lid, m.Dialer, v, at); err != nil {
			return false, err
		}
	}
	w.read(o.Provider, o.Name, id)
	return true, nil
}

// tellsAll says that a record tells of all that is known of it: of what was changed, and of
// what was not.
func tellsAll(o *mapping.Object, known, fields []schemas.Field) bool {
	for _, m := range o.Lines {
		if _, was := find(known, m.CRM); was {
			if _, is := find(fields, m.CRM); !is {
				return false
			}
		}
	}
	return true
}

// wroteOver says that a record has what was on its way to it, though that is not in force
// any more: the CRM itself said something newer meanwhile.
func (w *world) wroteOver(p *person, m *mapping.Line, v *string, h *hearing) (bool, error) {
	if !h.echo || !m.Inbound() || m.Role == profile.DoNotCall || p.disputed(m.Dialer) {
		return false, nil
	}
	cur, ok := p.field(m.Dialer)
	if !ok {
		return false, nil
	}
	nv, why, err := w.inward(m, v)
	return why == "" && !m.Same(w.env, cur.Value, nv) && !m.Echo(w.env, cur.Value, v), err
}

// lacked says that a record did not hold what is in force: nothing was written to it while
// it was away, so that nobody there can have seen it.
func (w *world) lacked(p *person, m *mapping.Line, held *string) bool {
	if !m.Outbound() {
		return false
	}
	v, has, wrong := w.outward(p, m)
	return has && wrong == "" && !m.Alike(w.env, held, v)
}

// beingReplaced says that a record which is new here has what another one of the person
// has, where a later value of ours is on its way: it is a copy from before that.
func (w *world) beingReplaced(p *person, said *link, m *mapping.Line, v *string) bool {
	if cur, ok := p.field(m.Dialer); !ok || cur.From != dialer || m.Same(w.env, cur.Value, v) {
		return false
	}
	for i := range p.Links {
		if l := &p.Links[i]; l != said && w.replaces(l, m.Dialer, v, m) {
			return true
		}
	}
	return false
}

// replaces says that a record held a value of a field when ours was sent to it, or may have
// had it from us by then.
func (w *world) replaces(l *link, field string, v *string, as *mapping.Line) bool {
	o := w.lines.Object(l.Provider, l.Object)
	if o == nil || len(l.Wanted) == 0 {
		return false
	}
	for _, m := range o.Lines {
		if m.Dialer != field || m.Role == profile.DoNotCall {
			continue
		}
		known, told := find(l.Known, m.CRM)
		if _, waits := find(l.Wanted, m.CRM); !waits || !told {
			continue
		}
		held := func(x *string) bool {
			in, why, err := w.inward(m, x)
			return err == nil && why == "" && as.Same(w.env, in, v)
		}
		if held(known) || slices.ContainsFunc(l.Sent, func(s sentValue) bool { return s.Name == m.CRM && s.Until == 0 && held(s.Value) }) {
			return true
		}
	}
	return false
}

// hearing is what is known of a CRM record that says something of a field.
type hearing struct {
	l *link
	// A value of ours is on its way to it, or was not written while the record was away; it
	// never said anything of the field before.
	pending, first bool
	echo           bool // it says what was on its way to it
	emptied        bool // of an empty value: it was changed to that
	late           bool // it says what it was before something that was heard already
}

// take lets what a side says of a field meet what is in force, by the tenant's strategy
// (pipeline/conflict). m says how to compare; h is nil for the dialer's word. A value
// that is known already moves the field's time too, and an empty one is kept where
// nothing was known: neither is news to anybody (P7).
func (w *world) take(e *edit, field string, m *mapping.Line, v *string, h *hearing) {
	cur, ok := e.p.field(field)
	d := e.p.dispute(field)
	switch {
	case h != nil && !h.emptied && conflict.Silent(&conflict.Version{Value: v}, h.first):
		if m.Outbound() {
			h.l.Wanted = unset(h.l.Wanted, m.CRM) // it may have been taken before this was said
		}
		return
	case !ok && blank(v):
		e.p.set(fieldValue{Name: field, At: e.at, From: e.origin, Ref: w.ref})
		e.dirty = true
		return
	case d != nil && d.OpenedAt != 0 && ok:
		w.dispute(e, d, cur, m, v, h)
		return
	case ok && m.Same(w.env, cur.Value, v):
		w.agree(e, cur, h)
		return
	case !ok:
		cause := schemas.LastWriteWins
		if s := w.strategy(field, m, e.origin); s != "" && s != cause {
			cause = "nothing was known"
		}
		e.p.set(fieldValue{Name: field, Value: v, At: e.at, From: e.origin, Ref: w.ref})
		w.changed(e, field, nil, v, cause)
		return
	}
	w.meet(e, cur, m, v, h)
}
