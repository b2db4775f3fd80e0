package sync

import (
	"strconv"

	"github.com/crmstream/crmstream/pipeline/identity"
	"github.com/crmstream/crmstream/pipeline/mapping"
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
