package sync

import (
	"slices"
	"strconv"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/conflict"
	"github.com/crmstream/crmstream/pipeline/identity"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// The origin of what a dialer says.
const dialer = "dialer"

// Statuses of a person.
const (
	statusActive        = "active"
	statusCRMDeleted    = "crm_deleted"
	statusDialerDeleted = "dialer_deleted" // the CRM may still have it
	statusMerged        = "merged"         // it is part of another
	statusOutOfScope    = "out_of_scope"   // the CRMs' records of it are not synced
)

// maxLinks bounds the CRM records of one person: more are a shared number or
// address, not a person.
const maxLinks = 50

// edit is one unit of work on a person: what it was, what becomes of it.
type edit struct {
	p       *person
	fresh   bool         // made just now
	changed bool         // to be published
	dirty   bool         // to be stored
	linked  bool         // a CRM record joined it, or came back
	former  []fieldValue // values that were replaced
	set     []string     // fields that have a new value
	origin  string
	at      int64
	// snapshot: it came with an initial load. silent: no CRM is told.
	snapshot, silent bool
}

func (w *world) load(id string) (*person, bool, error) {
	raw, ok, err := w.tx.Store.Get(w.t.Key(kindPerson, id))
	if err != nil {
		return nil, false, err
	}
	if !ok {
		if raw, ok, err = w.united(id); err != nil || !ok {
			return nil, false, err
		}
	}
	p := new(person)
	if err := decodePerson(raw, p); err != nil {
		return nil, true, err
	}
	for i := range p.Links {
		if p.Links[i].Generation != w.generation(p.Links[i].Provider) {
			w.dropFormer(p)
			break
		}
	}
	return p, true, nil
}

func (w *world) save(p *person) {
	w.showRecords(p)
	w.tx.Store.Put(w.t.Key(kindPerson, p.ID), encodePerson(p))
}

func (w *world) newPerson() (*person, error) {
	n, err := w.tx.NextSequence("person")
	if err != nil {
		return nil, err
	}
	return &person{ID: "p" + strconv.FormatUint(n, 10), Status: statusActive}, nil
}

// record applies a CRM record that was read.
func (w *world) record(p *profile.Profile, c *schemas.CRMChange) error {
	r := c.Record
	if r.MovedTo != nil {
		to := *r.MovedTo
		known, err := w.moved(c.Provider, c.Object, c.ID, to, !r.Deleted)
		if err != nil {
			return err
		}
		if r.Deleted { // what was read is the one that is gone: what is left of it is another one's
			if !known {
				return nil
			}
			is, _, err := w.convertedTo(schemas.Link{Provider: c.Provider, Object: c.Object, ID: to})
			w.read(c.Provider, is.Object, is.ID)
			return err
		}
		c.ID = to
	}
	if r.Deleted {
		return w.deleted(p, c.Object, c.ID)
	}
	how := saying{snapshot: r.Cause == schemas.CauseAgain, again: r.Cause == schemas.CauseAgain, found: r.Cause == schemas.KindFind}
	if r.Cause == schemas.CausePage {
		done, err := w.loaded(c.Provider, c.Object)
		if err != nil {
			return err
		}
		how.snapshot = !done
	}
	return w.merge(p, c.Object, c.ID, r.ModifiedAt, r.Fields, how)
}

// deleted stops dialling and keeps the history (B8).
func (w *world) deleted(p *profile.Profile, object, id string) error {
	pid, ok, err := w.text(kindLink, w.linkID(p.Provider, object, id))
	if err != nil || !ok {
		return err
	}
	ps, ok, err := w.load(pid)
	if err != nil || !ok {
		return err
	}
	l := ps.link(p.Provider, object, id)
	if l == nil || l.Deleted {
		return nil
	}
	l.Deleted = true
	w.giveUpWrites(ps, l)
	w.restRival(ps, l)
	alive := false
	for i := range ps.Links {
		alive = alive || !ps.Links[i].Deleted
	}
	if !alive {
		ps.Status = statusCRMDeleted
	} else if ps.Status == statusActive {
		ps.standing() // what is left may be out of scope
	}
	return w.store(&edit{p: ps, changed: true, dirty: true, origin: p.Provider, at: w.tx.Now})
}

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

// changed says that a field of the edit has another value now.
func (w *world) changed(e *edit, field string, old, v *string, cause string) {
	e.set = append(e.set, field)
	e.changed, e.dirty = true, true
	w.fieldChange(e, field, old, v, cause)
}

func (w *world) fieldChange(e *edit, name string, old, v *string, cause string) {
	if e.fresh {
		return // a person that is new has no history: sync.contacts shows it whole
	}
	w.tx.Emit(schemas.TopicSyncChanges, w.t.Name()+"/"+e.p.ID, &schemas.FieldChange{Tenant: w.t.Name(), PersonID: e.p.ID, Field: name, Old: old, New: v,
		Cause: cause, Provenance: &schemas.Provenance{Origin: e.origin, EventTime: e.at, SourceRef: w.ref, Snapshot: e.snapshot}})
}

// owner finds the person of a CRM record, or makes one: by id, by unique e-mail, by
// phone where the name agrees (B1, B2). A record that became another one has none.
func (w *world) owner(p *profile.Profile, o *mapping.Object, id string, fields []schemas.Field) (*edit, *link, error) {
	lid := w.linkID(p.Provider, o.Name, id)
	pid, ok, err := w.text(kindLink, lid)
	if err != nil {
		return nil, nil, err
	}
	if ok {
		ps, found, err := w.load(pid)
		if err != nil {
			return nil, nil, err
		}
		if found {
			if l := ps.link(p.Provider, o.Name, id); l != nil {
				return &edit{p: ps}, l, nil
			}
			if _, is, err := w.convertedTo(schemas.Link{Provider: p.Provider, Object: o.Name, ID: id}); err != nil || is {
				return nil, nil, err
			}
			ps.Links = append(ps.Links, link{Provider: p.Provider, Object: o.Name, ID: id, Generation: w.generation(p.Provider)})
			w.wake("l:" + lid)
			return &edit{p: ps, dirty: true, changed: true, linked: true}, &ps.Links[len(ps.Links)-1], nil
		}
	}
	if _, is, err := w.convertedTo(schemas.Link{Provider: p.Provider, Object: o.Name, ID: id}); err != nil || is {
		return nil, nil, err
	}
	looks := person{}
	for _, m := range o.Lines {
		if v, ok := find(fields, m.CRM); ok && m.Inbound() {
			nv, _, err := w.inward(m, v)
			if err != nil {
				return nil, nil, err
			}
			looks.set(fieldValue{Name: m.Dialer, Value: nv})
		}
	}
	if out, err := w.barred(erasedRecord, lid, &looks); err != nil || out {
		return nil, nil, err
	}
	if ok { // who had it may be gone for good, whatever else the record says
		if out, err := w.goneForGood(pid); err != nil || out {
			return nil, nil, err
		}
	}
	ps, alike, err := w.identify(&looks, lid)
	if err != nil {
		return nil, nil, err
	}
	e := &edit{p: ps, dirty: true, changed: true, linked: true}
	if ps == nil {
		if e.p, err = w.newPerson(); err != nil {
			return nil, nil, err
		}
		e.fresh = true
	}
	e.p.Links = append(e.p.Links, link{Provider: p.Provider, Object: o.Name, ID: id, Generation: w.generation(p.Provider)})
	w.setText(kindLink, lid, e.p.ID)
	w.wake("l:" + lid)
	if alike.Kind == identity.Suggest {
		if err := w.suggest(&alike, &looks, e.p.ID, schemas.Link{Provider: p.Provider, Object: o.Name, ID: id}, w.tx.Now); err != nil {
			return nil, nil, err
		}
	}
	return e, &e.p.Links[len(e.p.Links)-1], nil
}

// contact applies a change of a contact in the dialer.
func (w *world) contact(c *schemas.ContactChange) error {
	if c.ContactID == "" {
		return pipeline.Rejectf(schemas.ReasonInvalid, "a contact without contact_id")
	}
	e := &edit{origin: dialer, at: min(c.ModifiedAt, w.tx.Now)}
	pid, ok, err := w.text(kindContact, c.ContactID)
	if err != nil {
		return err
	}
	if c.CRMLink != nil {
		*c.CRMLink = w.normalLink(*c.CRMLink)
	}
	if !ok && c.CRMLink != nil {
		if pid, ok, err = w.personByRecord(*c.CRMLink); err != nil {
			return err
		}
	}
	if ok {
		if e.p, _, err = w.load(pid); err != nil {
			return err
		}
	}
	if c.Deleted {
		return w.contactDeleted(c, e)
	}
	if e.p != nil && c.CRMLink != nil {
		if err := w.linkedAnew(e, c); err != nil {
			return err
		}
	}
	if e.p == nil {
		looks := person{}
		for _, f := range c.Fields {
			if f.Value != nil {
				v := w.dialerValue(f.Name, *f.Value)
				looks.set(fieldValue{Name: f.Name, Value: &v})
			}
		}
		if out, err := w.barred(erasedContact, c.ContactID, &looks); err != nil || out {
			return err
		}
		if ok { // whose it was may be gone for good, whatever else it says
			if out, err := w.goneForGood(pid); err != nil || out {
				return err
			}
		}
		var alike identity.Outcome
		if e.p, alike, err = w.identify(&looks, contactRecord(c.ContactID)); err != nil {
			return err
		}
		if e.p == nil {
			if e.p, err = w.newPerson(); err != nil {
				return err
			}
			e.fresh = true
		}
		if alike.Kind == identity.Suggest {
			if err := w.suggest(&alike, &looks, e.p.ID, schemas.Link{Provider: dialer, Object: "contact", ID: c.ContactID}, e.at); err != nil {
				return err
			}
		}
	}
	if c.CRMLink != nil && (e.p.ContactID == nil || !e.p.has(c.CRMLink.Provider)) {
		if err := w.expect(e.p, *c.CRMLink); err != nil {
			return err
		}
	}
	if e.p.ContactID == nil || *e.p.ContactID != c.ContactID {
		if err := w.showContact(e.p, c.ContactID); err != nil {
			return err
		}
		e.changed, e.dirty = true, true
		w.wake("c:" + c.ContactID)
	}
	if e.p.Status == statusDialerDeleted {
		e.p.Status, e.changed, e.dirty = statusActive, true, true
	}
	for i := range c.Fields {
		f := &c.Fields[i]
		m := mapping.DialerLine(w.lines.Role(f.Name))
		if m.Role == profile.DoNotCall {
			if truth(f.Value) {
				w.forbid(e, f.Name, f.Value, e.at)
			} else if err := understood(f); err != nil {
				return err
			}
			continue
		}
		v := f.Value
		if v != nil {
			if n := w.dialerValue(f.Name, *v); n != *v {
				v = &n
			}
		}
		w.take(e, f.Name, m, v, nil)
	}
	return w.store(e)
}

func (w *world) dialerValue(name, v string) string {
	switch w.lines.Role(name) {
	case profile.Email:
		return normalEmail(v)
	case profile.Phone:
		if n := phone.E164(v, w.cfg.Country); n != "" {
			return n
		}
	}
	return v
}

// contactDeleted takes over that a contact is gone in the dialer. Nothing is deleted,
// or written, in a CRM (B8): the person stays, and calls of it are still logged.
func (w *world) contactDeleted(c *schemas.ContactChange, e *edit) error {
	if e.p == nil {
		return nil // it never came
	}
	shown := e.p.ContactID
	if err := w.dropContact(e.p, c.ContactID); err != nil {
		return err
	}
	if shown == nil || *shown != c.ContactID {
		return nil // the person is another contact's by now
	}
	e.changed, e.dirty, e.silent = true, true, true
	if e.p.ContactID == nil && e.p.Status == statusActive {
		e.p.Status = statusDialerDeleted
	}
	return w.store(e)
}
