package sync

// A dialer may have several contacts of one person: it made them twice, or two persons
// became one. The latest that changed is shown; the others stand under kindContact, after
// NUL person NUL, so that one is left when the dialer deletes another.

const contactsMost = 20 // of one person that are looked at

func (p *person) contactsKey() string { return "\x00" + p.ID }

// showContact makes a contact the one that a person is shown with.
func (w *world) showContact(p *person, id string) error {
	w.setText(kindContact, id, p.ID)
	if p.ContactID != nil && *p.ContactID != id {
		for _, c := range []string{*p.ContactID, id} {
			if _, err := w.mark(kindContact, p.contactsKey()+"\x00"+c); err != nil {
				return err
			}
		}
	}
	if p.ContactID == nil || *p.ContactID != id {
		shown := id // not the parameter: it would be allocated for every contact
		p.ContactID = &shown
	}
	return nil
}

// dropContact takes a contact from a person; another one that it has is shown from now on.
func (w *world) dropContact(p *person, id string) error {
	w.tx.Store.Delete(w.t.Key(kindContact, p.contactsKey()+"\x00"+id))
	if p.ContactID == nil || *p.ContactID != id {
		return nil
	}
	p.ContactID = nil
	ids, err := w.members(kindContact, p.contactsKey(), 1)
	if err == nil && len(ids) > 0 {
		p.ContactID = &ids[0]
	}
	return err
}

// moveContacts gives the contacts of a person who becomes part of another to that one.
func (w *world) moveContacts(from, to *person) error {
	ids, err := w.contacts(from)
	if err != nil {
		return err
	}
	shown := to.ContactID
	for _, id := range ids {
		w.tx.Store.Delete(w.t.Key(kindContact, from.contactsKey()+"\x00"+id))
		if err := w.showContact(to, id); err != nil {
			return err
		}
	}
	if shown != nil {
		to.ContactID = shown
	} else if from.ContactID != nil {
		to.ContactID = from.ContactID
	}
	return nil
}

// contacts are all of a person.
func (w *world) contacts(p *person) ([]string, error) {
	ids, err := w.members(kindContact, p.contactsKey(), contactsMost)
	if err == nil && len(ids) == 0 && p.ContactID != nil {
		ids = append(ids, *p.ContactID)
	}
	return ids, err
}
