package sync

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline/identity"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

// Fields of the dialer that say what a person is called.
const (
	firstName = "first_name"
	lastName  = "last_name"
	company   = "company"
)

// contactRecord names a contact of the dialer among records; those of CRMs have their
// linkID.
func contactRecord(id string) string { return "\x00contact\x00" + id }

// identify finds the one person that a record looks like by the tenant's rules; nil if
// there is none, or one of whom a person is asked, which the outcome says then.
func (w *world) identify(looks *person, record string) (*person, identity.Outcome, error) {
	f := &finder{w: w, record: record}
	out, err := identity.Find(identity.Rules(w.cfg.Dedupe), w.described(looks), f)
	if err != nil || out.Kind != identity.Link {
		return nil, out, err
	}
	ps, _, err := w.load(out.ID)
	return ps, out, err
}

// described is a person as identity compares them.
func (w *world) described(p *person) *identity.Person {
	out := &identity.Person{ID: p.ID}
	for _, r := range w.lines.Identity() {
		v := p.value(r.Field)
		switch {
		case blank(v):
		case r.Role == profile.Email:
			out.Emails = append(out.Emails, normalEmail(*v))
		case r.Role == profile.Phone:
			if n := phone.E164(*v, w.cfg.Country); n != "" {
				out.Phones = append(out.Phones, n)
			}
		}
	}
	for _, n := range []struct {
		field string
		to    *string
	}{{firstName, &out.First}, {lastName, &out.Last}, {company, &out.Company}} {
		if v := p.value(n.field); v != nil {
			*n.to = *v
		}
	}
	return out
}

// finder answers from the indexes of state.
type finder struct {
	w      *world
	record string
}

func (f *finder) by(k state.Kind, v string, most int) ([]*identity.Person, error) {
	ids, err := f.w.members(k, v, most)
	if err != nil {
		return nil, err
	}
	var ps []*identity.Person
	for _, id := range ids {
		p, ok, err := f.w.load(id)
		if err != nil {
			return nil, err
		}
		if ok && len(p.Links) < maxLinks {
			ps = append(ps, f.w.described(p))
		}
	}
	return ps, nil
}

func (f *finder) ByEmail(v string, most int) ([]*identity.Person, error) {
	return f.by(kindEmail, v, most)
}

func (f *finder) ByPhone(v string, most int) ([]*identity.Person, error) {
	return f.by(kindPhone, v, most)
}

func (f *finder) ByName(v string, most int) ([]*identity.Person, error) {
	return f.by(kindName, v, most)
}

func (f *finder) Apart(id string) (bool, error) {
	_, is, err := f.w.tx.Store.Get(f.w.t.Key(kindApart, f.record+"\x00"+id))
	return is, err
}

// fuzzy says that a tenant looks for alike names: others need no index of them.
func fuzzy(cfg *schemas.TenantConfig) bool {
	return slices.ContainsFunc(cfg.Dedupe, func(r schemas.DedupeRule) bool { return r.Strategy == identity.Fuzzy && r.Action != "off" })
}

func isName(field string) bool { return field == firstName || field == lastName || field == company }

// indexName keeps the entries by which an alike name is found.
func (w *world) indexName(e *edit) error {
	if len(w.cfg.Dedupe) == 0 || !fuzzy(w.cfg) || !slices.ContainsFunc(e.set, isName) {
		return nil
	}
	keys := identity.Keys(w.described(e.p))
	was := person{Fields: slices.Clone(e.p.Fields)}
	for i := len(e.former) - 1; i >= 0; i-- { // the oldest last
		if isName(e.former[i].Name) {
			was.set(e.former[i])
		}
	}
	for _, k := range identity.Keys(w.described(&was)) {
		if !slices.Contains(keys, k) {
			w.tx.Store.Delete(w.t.Key(kindName, k+"\x00"+e.p.ID))
		}
	}
	for _, k := range keys {
		if _, err := w.mark(kindName, k+"\x00"+e.p.ID); err != nil {
			return err
		}
	}
	return nil
}

// indexNames makes the entries of persons who were there before the tenant looked for
// alike names, some at a time.
func (w *world) indexNames(after string) error {
	if !fuzzy(w.cfg) {
		return nil
	}
	from := state.Key{}
	if after != "" {
		from = w.t.Key(kindPerson, after)
	}
	var found []*identity.Person
	last, n := "", 0
	err := w.tx.Store.Scan(w.t.Prefix(kindPerson, ""), from, func(k state.Key, raw []byte) (bool, error) {
		p := new(person)
		if err := decodePerson(raw, p); err != nil {
			return false, err
		}
		found = append(found, w.described(p))
		last, n = k.ID(), n+1
		return n < sweepAtOnce, nil
	})
	if err != nil {
		return err
	}
	for _, p := range found {
		for _, k := range identity.Keys(p) {
			if _, err := w.mark(kindName, k+"\x00"+p.ID); err != nil {
				return err
			}
		}
	}
	if n == sweepAtOnce {
		w.timer(w.tx.Now+1, timerNames, last)
	}
	return nil
}

const (
	conflictSame  = "same_person"
	samePrefix    = "same:"
	unitedMost    = 10 // persons that became one after another
	describedMost = 200
)

// inWords is what a person looks like, for whoever is asked.
func inWords(p *identity.Person) string {
	var parts []string
	for _, s := range append([]string{strings.TrimSpace(p.First + " " + p.Last), p.Company}, append(p.Emails, p.Phones...)...) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	s := []rune(strings.Join(parts, ", "))
	return string(s[:min(len(s), describedMost)])
}

// suggest asks whether a record is of somebody who is known. Until that is decided it is
// a person of its own.
func (w *world) suggest(out *identity.Outcome, looks *person, id string, record schemas.Link, at int64) error {
	like, ok, err := w.load(out.ID)
	if err != nil || !ok {
		return err
	}
	a := &asked{Record: contactRecord(record.ID), Link: record, Person: id, Like: out.ID, Reason: out.Reason, Was: inWords(w.described(looks)), Known: inWords(w.described(like)),
		OpenedAt: w.tx.Now, At: at, Ref: w.ref}
	if record.Provider != dialer {
		a.Record = w.linkID(record.Provider, record.Object, record.ID)
	}
	qid := samePrefix + id + ":" + out.ID
	put(w, askeds, kindAsked, qid, a)
	w.publishAsked(qid, a, "open")
	return nil
}

func (w *world) publishAsked(id string, a *asked, status string) {
	w.tx.Emit(schemas.TopicSyncConflicts, w.t.Name()+"/"+id, &schemas.SyncConflict{Tenant: w.t.Name(), ConflictID: id, Kind: conflictSame, PersonID: a.Like,
		Field: a.Reason, DialerValue: &a.Known, CRMValue: &a.Was, Record: a.Link, Status: status, OpenedAt: a.OpenedAt,
		Provenance: &schemas.Provenance{Origin: a.Link.Provider, EventTime: a.At, SourceRef: a.Ref}})
}
