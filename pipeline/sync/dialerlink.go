package sync

import (
	"github.com/crmstream/crmstream/pipeline/identity"
	"github.com/crmstream/crmstream/schemas"
)

// has says that a person has, or had, a record in a CRM.
func (p *person) has(provider string) bool {
	for i := range p.Links {
		if p.Links[i].Provider == provider {
			return true
		}
	}
	return false
}

// linkedAnew takes over that the dialer links a contact that is known to a record which is
// another person's (B1). Who has no record himself becomes part of that one. Where the
// contact had another record of the same CRM the link was corrected: the contact is the
// other's from now on. A record of another CRM may be a second one of the same person:
// somebody is asked.
func (w *world) linkedAnew(e *edit, c *schemas.ContactChange) error {
	pid, ok, err := w.personByRecord(*c.CRMLink)
	if err != nil || !ok {
		return err
	}
	to, ok, err := w.load(pid)
	from := e.p
	if err != nil || !ok || to.ID == from.ID {
		return err
	}
	if apart, err := w.toldApart(from, to, c); err != nil || apart {
		return err
	}
	switch {
	case len(from.Links) == 0:
		e.p = to
		return w.unite(from, to, later, "linked in the dialer")
	case !from.has(c.CRMLink.Provider):
		return w.askSame(from, to, schemas.Link{Provider: dialer, Object: "contact", ID: c.ContactID}, "the dialer links one contact to records of both")
	}
	shown := from.ContactID
	if err := w.dropContact(from, c.ContactID); err != nil {
		return err
	}
	if shown != nil && *shown == c.ContactID {
		if err := w.store(&edit{p: from, changed: true, dirty: true, silent: true, origin: dialer, at: e.at}); err != nil {
			return err
		}
	}
	e.p = to
	return nil
}

// toldApart says that somebody took the record out of the contact's person, or the contact
// out of the record's: the dialer, which still has the link, does not undo that.
func (w *world) toldApart(from, to *person, c *schemas.ContactChange) (bool, error) {
	l := *c.CRMLink
	f := &finder{w: w, record: w.linkID(l.Provider, l.Object, l.ID)}
	if apart, err := f.Apart(from.ID); err != nil || apart {
		return apart, err
	}
	f.record = contactRecord(c.ContactID)
	return f.Apart(to.ID)
}

// askSame asks whether two persons are one, unless that was asked, or decided, before.
// record is the one by which it is asked.
func (w *world) askSame(p, like *person, record schemas.Link, why string) error {
	f := &finder{w: w, record: contactRecord(record.ID)}
	if record.Provider != dialer {
		f.record = w.linkID(record.Provider, record.Object, record.ID)
	}
	if apart, err := f.Apart(like.ID); err != nil || apart || like.ID == p.ID {
		return err
	}
	if apart, err := w.anyApart(like, p); err != nil || apart {
		return err
	}
	for _, id := range []string{samePrefix + p.ID + ":" + like.ID, samePrefix + like.ID + ":" + p.ID} {
		if _, asked, err := get(w, askeds, kindAsked, id); err != nil || asked {
			return err
		}
	}
	return w.suggest(&identity.Outcome{ID: like.ID, Reason: why}, p, p.ID, record, w.tx.Now)
}

// anyApart says that somebody decided that a record of one person is not the other's:
// whoever is asked about them from the other side was asked already.
func (w *world) anyApart(of, from *person) (bool, error) {
	f := &finder{w: w}
	for i := range of.Links {
		f.record = w.linkID(of.Links[i].Provider, of.Links[i].Object, of.Links[i].ID)
		if apart, err := f.Apart(from.ID); err != nil || apart {
			return apart, err
		}
	}
	if of.ContactID == nil {
		return false, nil
	}
	f.record = contactRecord(*of.ContactID)
	return f.Apart(from.ID)
}
