package sync

import (
	"strconv"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

// store ends a unit of work on a person: indexes, publication, and what the CRMs
// lack.
func (w *world) store(e *edit) error {
	if !e.changed && !e.dirty {
		return nil
	}
	if e.changed {
		w.unindex(e)
		if err := w.index(e); err != nil {
			return err
		}
		w.publish(e)
	}
	if e.linked {
		w.wakeAll(e.p)
	}
	// Unchanged, too: a CRM told a value that lost against a newer one of ours; it is
	// told again.
	if !e.silent {
		w.outbound(e.p)
	}
	w.save(e.p)
	return nil
}

// unindex drops the entries of values that were replaced: a number that has moved to
// somebody else must not find its former owner.
func (w *world) unindex(e *edit) {
	for _, f := range e.former {
		k, id := w.indexed(&f)
		if id == "" {
			continue
		}
		kept := false
		for i := range e.p.Fields {
			k2, id2 := w.indexed(&e.p.Fields[i])
			kept = kept || k == k2 && id == id2
		}
		if !kept {
			w.tx.Store.Delete(w.t.Key(k, id+"\x00"+e.p.ID))
		}
	}
}

// indexed returns what a field is found by, "" if by nothing.
func (w *world) indexed(f *fieldValue) (k state.Kind, v string) {
	if blank(f.Value) {
		return 0, ""
	}
	switch roleOf(f.Name) {
	case profile.Email:
		return kindEmail, *f.Value
	case profile.Phone:
		return kindPhone, phone.E164(*f.Value, w.cfg.Country)
	}
	return 0, ""
}

// wakeAll wakes the calls that wait for any number or the contact of a person: it
// has a CRM record now.
func (w *world) wakeAll(p *person) {
	for i := range p.Fields {
		if k, v := w.indexed(&p.Fields[i]); k == kindPhone && v != "" {
			w.wake("n:" + v)
		}
	}
	if p.ContactID != nil {
		w.wake("c:" + *p.ContactID)
	}
}

// index keeps one entry per e-mail and number of a person, and wakes the calls that
// wait for a number.
func (w *world) index(e *edit) error {
	for _, name := range e.set {
		f, ok := e.p.field(name)
		if !ok {
			continue
		}
		k, v := w.indexed(f)
		if v == "" {
			continue
		}
		had, err := w.mark(k, v+"\x00"+e.p.ID)
		if err != nil {
			return err
		}
		if k == kindPhone && !had {
			w.wake("n:" + v)
		}
	}
	return nil
}

func (w *world) publish(e *edit) {
	p := e.p
	c := &schemas.SyncContact{Tenant: w.t.Name(), PersonID: p.ID, DoNotCall: p.DNC, ContactID: p.ContactID, Status: p.Status,
		Fields: make([]schemas.Field, 0, len(p.Fields)), Links: make([]schemas.Link, 0, len(p.Links)),
		Provenance: &schemas.Provenance{Origin: e.origin, EventTime: e.at, SourceRef: w.ref, Snapshot: e.snapshot}}
	for i := range p.Fields {
		c.Fields = append(c.Fields, schemas.Field{Name: p.Fields[i].Name, Value: p.Fields[i].Value})
	}
	for i := range p.Links {
		if l := &p.Links[i]; !l.Deleted {
			c.Links = append(c.Links, schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID})
		}
	}
	w.tx.Emit(schemas.TopicSyncContacts, w.t.Name()+"/"+p.ID, c)
}

// outbound writes to each CRM record what it lacks.
func (w *world) outbound(p *person) {
	for i := range p.Links {
		l := &p.Links[i]
		pr, ok := w.profile(l.Provider)
		acc := w.account(l.Provider)
		if !ok || l.Deleted || acc == nil {
			continue
		}
		o, ok := pr.ObjectByName(l.Object)
		if !ok {
			continue
		}
		var fields []schemas.Field
		priority := pipeline.PriorityField
		for j := range o.Mappings {
			m := &o.Mappings[j]
			if m.Direction == profile.Inbound {
				continue
			}
			v, has := w.outward(p, m)
			if !has {
				continue
			}
			if refused, ok := find(l.Refused, m.CRM); ok && w.alike(m, refused, v) {
				continue // until it changes
			}
			known, told := find(l.Known, m.CRM)
			if wanted, pending := find(l.Wanted, m.CRM); pending {
				if w.alike(m, wanted, v) {
					continue // on its way
				}
			} else if told && w.alike(m, known, v) || !told && m.Direction == profile.Bidirectional && m.Role != profile.DoNotCall && blank(v) {
				continue
			}
			fields = set(fields, m.CRM, v)
			l.Wanted = set(l.Wanted, m.CRM, v)
			if m.Role == profile.DoNotCall {
				priority = pipeline.PriorityDoNotCall
			}
		}
		if len(fields) == 0 {
			continue
		}
		l.Revision++
		w.want.Writes = append(w.want.Writes, pipeline.Write{Provider: l.Provider, Account: acc.ID, Object: l.Object, Key: personKey(p.ID, l.Object, l.ID), ID: l.ID,
			Fields: fields, Priority: priority, Revision: l.Revision})
	}
}

func personKey(person, object, id string) string { return "person:" + person + ":" + object + ":" + id }

// outward is a field's value in the form of the CRM; has is false where we have
// nothing to say. A blank is not written: it clears only where a tenant maps it so
// (B24).
func (w *world) outward(p *person, m *profile.Mapping) (v *string, has bool) {
	if m.Role == profile.DoNotCall {
		if !p.DNC && p.DNCAt == 0 {
			return nil, false
		}
		s := strconv.FormatBool(p.DNC)
		return &s, true
	}
	f, ok := p.field(m.Dialer)
	if !ok || blank(f.Value) {
		return nil, false
	}
	return cut(m, f.Value), true
}
