package sync

import (
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/identity"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

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
