package sync

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/identity"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// What a person who was erased is known by (B8): hashes, by a key that the tenant's state
// alone has, of ids, addresses and numbers. Whoever reads the state can ask whether one
// that he knows was erased, and learns none.
const (
	erasedRecord  = "record"
	erasedContact = "contact"
	erasedEmail   = "email"
	erasedPhone   = "phone"
	erasedPerson  = "person"

	// erasedWhy stands on a call of somebody who was erased.
	erasedWhy = "the person was erased for privacy"
)

func (w *world) erasedID(kind, v string) string {
	m := hmac.New(sha256.New, w.salt)
	m.Write([]byte(kind + "\x00" + v))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

func (w *world) wasErased(kind, v string) (bool, error) {
	if len(w.salt) == 0 || v == "" {
		return false, nil
	}
	_, is, err := w.tx.Store.Get(w.t.Key(kindErased, w.erasedID(kind, v)))
	return is, err
}

// goneForGood reports whether a person, or who it became part of, was erased. It is counted.
func (w *world) goneForGood(id string) (bool, error) {
	for range unitedMost {
		if out, err := w.wasErased(erasedPerson, id); err != nil || out {
			if out {
				_, err = w.tx.NextSequence("records of erased persons")
			}
			return out, err
		}
		to, is, err := w.text(kindUnited, id)
		if err != nil || !is {
			return false, err
		}
		id = to
	}
	return false, nil
}

func (w *world) setErased(kind, v string) {
	if v != "" {
		w.setText(kindErased, w.erasedID(kind, v), ms(w.tx.Now))
	}
}

// salted gives the tenant its key, made from recorded input (P9).
func (w *world) salted(secret string) {
	if len(w.salt) > 0 {
		return
	}
	h := sha256.Sum256([]byte("erased\x00" + w.t.Name() + "\x00" + secret + "\x00" + w.ref + "\x00" + ms(w.tx.Now)))
	w.salt = h[:]
	w.saveSettings()
}

// barred reports whether somebody new is one who was erased: by id, by e-mail address, or,
// where there is no address, by a number. It is counted.
func (w *world) barred(kind, id string, looks *person) (bool, error) {
	if len(w.salt) == 0 {
		return false, nil
	}
	is, err := w.wasErased(kind, id)
	address := false
	for i := range looks.Fields {
		if k, v := w.indexed(&looks.Fields[i]); k == kindEmail && err == nil && !is {
			address = true
			is, err = w.wasErased(erasedEmail, v)
		}
	}
	for i := range looks.Fields {
		if k, v := w.indexed(&looks.Fields[i]); k == kindPhone && err == nil && !is && !address {
			is, err = w.wasErased(erasedPhone, v)
		}
	}
	if err == nil && is {
		_, err = w.tx.NextSequence("records of erased persons")
	}
	return is, err
}

// barredCall reports whether a call that nobody is known for is of somebody who was
// erased.
func (w *world) barredCall(number, contactID string, l *schemas.Link) (is bool, err error) {
	if is, err = w.wasErased(erasedPhone, number); err != nil || is {
		return is, err
	}
	if is, err = w.wasErased(erasedContact, contactID); err != nil || is || l == nil {
		return is, err
	}
	n := w.normalLink(*l)
	return w.wasErased(erasedRecord, w.linkID(n.Provider, n.Object, n.ID))
}

// erasePerson erases somebody, or takes back that he may not come again.
func (w *world) erasePerson(a *schemas.ControlAction) error {
	number := phone.E164(said(a, "number"), w.cfg.Country)
	record := ""
	if parts := strings.SplitN(said(a, "record"), "/", 3); len(parts) == 3 {
		l := w.normalLink(schemas.Link{Provider: parts[0], Object: parts[1], ID: parts[2]})
		record = w.linkID(l.Provider, l.Object, l.ID)
	}
	switch do := said(a, "do"); do {
	case "", "erase":
	case "allow":
		return w.allowAgain(record, said(a, "contact"), normalEmail(said(a, "email")), number)
	default:
		return pipeline.Rejectf(schemas.ReasonInvalid, "do is %q: erase or allow", do)
	}
	var ids []string
	id, ok, err := said(a, "person"), true, error(nil)
	switch {
	case id != "":
	case record != "":
		id, ok, err = w.text(kindLink, record)
	case said(a, "contact") != "":
		id, ok, err = w.text(kindContact, said(a, "contact"))
	case said(a, "email") != "":
		ids, err = w.members(kindEmail, normalEmail(said(a, "email")), explainMost)
	case number != "":
		ids, err = w.members(kindPhone, number, explainMost)
	default:
		return pipeline.Rejectf(schemas.ReasonInvalid, "nothing says who is erased: person, record, contact, email or number")
	}
	if err != nil {
		return err
	}
	if len(ids) > 1 {
		return pipeline.Rejectf(schemas.ReasonInvalid, "%d persons have it: name one by person", len(ids))
	}
	if len(ids) == 1 {
		id = ids[0]
	}
	var p *person
	if ok && id != "" {
		if p, _, err = w.load(id); err != nil {
			return err
		}
	}
	if p == nil {
		return pipeline.Rejectf(schemas.ReasonInvalid, "nobody like that is known")
	}
	w.salted(a.ActionID + "\x00" + said(a, "salt"))
	return w.erase(p, "erased by "+a.By)
}

func (w *world) allowAgain(record, contactID, email, number string) error {
	found := false
	for _, m := range [][2]string{{erasedRecord, record}, {erasedContact, contactID}, {erasedEmail, email}, {erasedPhone, number}} {
		is, err := w.wasErased(m[0], m[1])
		if err != nil {
			return err
		}
		if is {
			w.tx.Store.Delete(w.t.Key(kindErased, w.erasedID(m[0], m[1])))
			found = true
		}
	}
	if !found {
		return pipeline.Rejectf(schemas.ReasonInvalid, "nobody with that record, contact, email or number was erased")
	}
	return nil
}

// erase takes a person out of state and of the topics that keep the newest record of a
// key, and remembers only that there was one. Calls and events follow, some at a time (P8).
// Nothing is written to a CRM (B10).
func (w *world) erase(p *person, why string) error {
	w.setErased(erasedPerson, p.ID)
	for i := range p.Links {
		l := &p.Links[i]
		lid := w.linkID(l.Provider, l.Object, l.ID)
		w.setErased(erasedRecord, lid)
		w.unlist(l)
		if err := w.forgetOwner(l); err != nil {
			return err
		}
		w.tx.Store.Delete(w.t.Key(kindLink, lid))
		w.forgetWrites(p, l.record())
	}
	contacts, err := w.contacts(p)
	if err != nil {
		return err
	}
	for _, id := range contacts {
		w.setErased(erasedContact, id)
		w.tx.Store.Delete(w.t.Key(kindContact, id))
		w.tx.Store.Delete(w.t.Key(kindContact, p.contactsKey()+"\x00"+id))
	}
	for i := range p.Fields {
		f := &p.Fields[i]
		w.tx.Emit(schemas.TopicSyncConflicts, w.t.Name()+"/"+disputeID(p.ID, f.Name), nil)
		k, v := w.indexed(f)
		if v == "" {
			continue
		}
		w.tx.Store.Delete(w.t.Key(k, v+"\x00"+p.ID))
		if k == kindEmail {
			w.setErased(erasedEmail, v)
			continue
		}
		w.setErased(erasedPhone, v)
		for _, provider := range w.s.order {
			w.tx.Store.Delete(w.t.Key(kindLead, w.scope(provider)+"\x00"+v))
		}
	}
	if fuzzy(w.cfg) {
		for _, k := range identity.Keys(w.described(p)) {
			w.tx.Store.Delete(w.t.Key(kindName, k+"\x00"+p.ID))
		}
	}
	w.tx.Store.Delete(w.t.Key(kindTotal, p.ID))
	w.tx.Store.Delete(w.t.Key(kindPerson, p.ID))
	w.tx.Emit(schemas.TopicSyncContacts, w.t.Name()+"/"+p.ID, nil)
	w.tx.Emit(schemas.TopicSyncChanges, w.t.Name()+"/"+p.ID, &schemas.FieldChange{Tenant: w.t.Name(), PersonID: p.ID, Field: "person", Cause: why,
		Provenance: &schemas.Provenance{Origin: "crmstream", EventTime: w.tx.Now, SourceRef: w.ref}})
	w.timer(w.tx.Now, timerReread, eraseRest+p.ID+"\x00c\x00")
	_, err = w.tx.NextSequence("erased persons")
	return err
}

// privacyDeleted takes over that a CRM erased one of its records for good. Deletes never
// cross CRMs (B10): who stands in another one too loses what this record alone said.
func (w *world) privacyDeleted(provider, object, id string) error {
	w.salted("")
	lid := w.linkID(provider, object, id)
	w.setErased(erasedRecord, lid)
	p, err := w.linked(lid)
	if err != nil || p == nil {
		return err
	}
	alive := slices.ContainsFunc(p.Links, func(l link) bool { return l.Provider != provider && !l.Deleted })
	if !alive {
		return w.erase(p, "erased in "+provider)
	}
	e := &edit{p: p, changed: true, dirty: true, silent: true, origin: provider, at: w.tx.Now}
	w.dropRival(p, provider, object, id)
	if l := p.link(provider, object, id); l != nil {
		w.unlist(l)
		if err := w.forgetOwner(l); err != nil {
			return err
		}
	}
	p.Links = slices.DeleteFunc(p.Links, func(l link) bool { return l.Provider == provider && l.Object == object && l.ID == id })
	w.tx.Store.Delete(w.t.Key(kindLink, lid))
	w.forgetWrites(p, schemas.Link{Provider: provider, Object: object, ID: id})
	var kept []fieldValue
	for _, f := range p.Fields {
		if f.From == provider {
			v, of := w.heldElsewhere(p, f.Name)
			if v == nil || *v != textOf(f.Value) {
				e.former = append(e.former, f)
				e.set = append(e.set, f.Name)
			}
			if v == nil {
				continue
			}
			f.Value, f.From, f.Ref = v, of, w.ref
		}
		kept = append(kept, f)
	}
	p.Fields = kept
	return w.store(e)
}

// heldElsewhere is what another record of a person says of a field.
func (w *world) heldElsewhere(p *person, field string) (v *string, provider string) {
	for i := range p.Links {
		l := &p.Links[i]
		o := w.lines.Object(l.Provider, l.Object)
		if o == nil || l.Deleted {
			continue
		}
		for _, m := range o.Lines {
			if m.Dialer != field || m.Role == profile.Owner {
				continue
			}
			if known, ok := find(l.Known, m.CRM); ok && !blank(known) {
				if in, err := m.In(w.env, known); err == nil && !blank(in) {
					return in, l.Provider
				}
			}
		}
	}
	return nil, ""
}

// scrub leaves of a call that there was one: its repeats are known, and nobody.
func (c *call) scrub() {
	e := &c.Event
	c.Event = schemas.CallEvent{CallID: e.CallID, Revision: e.Revision, Direction: e.Direction, StartedAt: e.StartedAt, EndedAt: e.EndedAt, DurationSeconds: e.DurationSeconds, Kind: e.Kind}
	c.Edits, c.Link, c.Candidates, c.Activities, c.Ambiguous = nil, nil, nil, nil, false
	c.Person, c.Tallied = "", ""
	c.Dropped, c.Status, c.Reason = erasedWhy, schemas.StatusSkipped, erasedWhy
}
