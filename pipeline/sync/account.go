package sync

import (
	"slices"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// adopt compares the accounts with those that the tenant has had. Another id is
// another CRM: its stream begins anew, and what was known of the old one's records is
// of an earlier generation (B11).
func (w *world) adopt(c *schemas.TenantConfig) error {
	orgs := append([]org(nil), w.orgs...)
	for _, a := range c.Accounts {
		i := slices.IndexFunc(orgs, func(o org) bool { return o.Provider == a.Provider })
		switch {
		case i < 0:
			orgs = append(orgs, org{Provider: a.Provider, ID: a.ID})
		case orgs[i].ID != a.ID:
			orgs[i].ID = a.ID
			orgs[i].Generation++
			w.facts = slices.DeleteFunc(slices.Clone(w.facts), func(f mapping.Fact) bool { return f.Provider == a.Provider })
			pos, ok, err := get(w, streams, kindStream, a.Provider)
			if err != nil {
				return err
			}
			if ok {
				put(w, streams, kindStream, a.Provider, &position{Epoch: pos.Epoch + 1})
			}
			if err := w.unload(a.Provider); err != nil {
				return err
			}
			w.timer(w.tx.Now, timerSweep, "")
			w.timer(w.tx.Now, timerLater, laterRows)
		}
	}
	w.orgs = orgs
	for _, a := range c.Accounts { // since when each is connected (B34)
		if _, known, err := w.text(kindSince, w.scope(a.Provider)); err != nil {
			return err
		} else if !known {
			w.setText(kindSince, w.scope(a.Provider), ms(w.tx.Now))
		}
	}
	return nil
}

// sweep publishes the persons after one without their links to replaced accounts, some
// at a time (P8). Whoever is looked at before his turn has lost them already.
func (w *world) sweep(after string) error {
	prefix, from := w.t.Prefix(kindPerson, ""), state.Key{}
	if after != "" {
		from = w.t.Key(kindPerson, after)
	}
	var found []*person
	last, n := "", 0
	err := w.tx.Store.Scan(prefix, from, func(k state.Key, raw []byte) (bool, error) {
		p := new(person)
		if err := decodePerson(raw, p); err != nil {
			return false, err
		}
		if slices.ContainsFunc(p.Links, w.former) {
			found = append(found, p)
		}
		last, n = k.ID(), n+1
		return n < sweepAtOnce, nil
	})
	if err != nil {
		return err
	}
	for _, p := range found {
		w.dropFormer(p)
		if err := w.store(&edit{p: p, changed: true, dirty: true, silent: true, origin: "crmstream", at: w.tx.Now}); err != nil {
			return err
		}
	}
	if n == sweepAtOnce {
		w.timer(w.tx.Now+1, timerSweep, last)
	}
	return nil
}

// former reports whether a link is to a record of an account that was replaced.
func (w *world) former(l link) bool { return l.Generation != w.generation(l.Provider) }

// dropFormer drops a person's links to records of accounts that were replaced.
func (w *world) dropFormer(p *person) {
	p.Links = slices.DeleteFunc(p.Links, func(l link) bool {
		if !w.former(l) {
			return false
		}
		in := *w
		in.orgs = []org{{Provider: l.Provider, Generation: l.Generation}}
		w.tx.Store.Delete(w.t.Key(kindLink, in.linkID(l.Provider, l.Object, l.ID)))
		w.dropRival(p, l.Provider, l.Object, l.ID)
		if _, held, err := w.text(kindLink, w.linkID(l.Provider, l.Object, l.ID)); err == nil && !held { // else the new account has one of that id
			w.unlist(&l)
		}
		return true
	})
	if p.Status == statusOutOfScope {
		p.standing()
	}
}

// account is the tenant's account of a CRM; nil if it has none.
func (w *world) account(provider string) *schemas.Account {
	for i := range w.cfg.Accounts {
		if w.cfg.Accounts[i].Provider == provider {
			return &w.cfg.Accounts[i]
		}
	}
	return nil
}

func (w *world) configured(provider string) bool { return w.account(provider) != nil }

// read asks for the present state of a record.
func (w *world) read(provider, object, id string) {
	if a := w.account(provider); a != nil {
		w.want.Reads = append(w.want.Reads, pipeline.Read{Provider: provider, Account: a.ID, Object: object, ID: id})
	}
}
