package sync

import (
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
	if w.s.echoes && !e.silent && !e.snapshot && !w.settles {
		w.tellAgain(e)
	}
	// Unchanged, too: a CRM told a value that lost against a newer one of ours; it is
	// told again.
	switch {
	case e.silent:
	case w.settles:
		w.timer(w.tx.Now, timerAgain, e.p.ID)
	case w.outbound(e.p, e.snapshot):
		e.changed = true
	}
	if e.changed {
		w.unindex(e)
		if err := w.index(e); err != nil {
			return err
		}
		if err := w.indexName(e); err != nil {
			return err
		}
		if err := w.publish(e); err != nil {
			return err
		}
		if err := w.askSameAddress(e); err != nil {
			return err
		}
	}
	if e.linked {
		w.wakeAll(e.p)
		if err := w.wantNoLead(e.p); err != nil {
			return err
		}
		if err := w.holdsToo(e.p); err != nil {
			return err
		}
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
	switch w.lines.Role(f.Name) {
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

func (w *world) publish(e *edit) error {
	p := e.p
	c := &schemas.SyncContact{Tenant: w.t.Name(), PersonID: p.ID, DoNotCall: p.DNC, ContactID: p.ContactID, Status: p.Status,
		Fields: make([]schemas.Field, 0, len(p.Fields)), Links: make([]schemas.Link, 0, len(p.Links)),
		Provenance: &schemas.Provenance{Origin: e.origin, EventTime: e.at, SourceRef: w.ref, Snapshot: e.snapshot}}
	for i := range p.Fields {
		c.Fields = append(c.Fields, schemas.Field{Name: p.Fields[i].Name, Value: p.Fields[i].Value})
	}
	for i := range p.Links {
		if l := &p.Links[i]; l.live() {
			c.Links = append(c.Links, schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID})
			c.Warnings = appendWarnings(c.Warnings, l)
		}
	}
	err := w.forbidden(p, func(n string, s *saidNumber) {
		if s.DNC {
			c.DoNotCallNumbers = append(c.DoNotCallNumbers, n)
		}
	})
	w.tx.Emit(schemas.TopicSyncContacts, w.t.Name()+"/"+p.ID, c)
	return err
}
