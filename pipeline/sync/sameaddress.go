package sync

import (
	"slices"

	"github.com/crmstream/crmstream/pipeline/identity"
	"github.com/crmstream/crmstream/schemas"
)

// askSameAddress asks, where a person who is known gets an e-mail address that one other
// has, whether both are one: had they come with it they would be (B2). Two who have one
// already become no third.
func (w *world) askSameAddress(e *edit) error {
	if e.fresh || len(e.set) == 0 || w.settles || !identity.Uses(w.cfg.Dedupe, identity.Email) {
		return nil
	}
	for _, name := range e.set {
		f, ok := e.p.field(name)
		if !ok {
			continue
		}
		k, v := w.indexed(f)
		if k != kindEmail || v == "" {
			continue
		}
		ids, err := w.members(kindEmail, v, 3)
		if err != nil {
			return err
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == e.p.ID })
		if len(ids) != 1 {
			continue
		}
		like, ok, err := w.load(ids[0])
		if err != nil || !ok || like.ID == e.p.ID || identity.Others(w.described(e.p), w.described(like)) {
			return err
		}
		record, ok := e.p.saidBy(e.origin)
		if !ok {
			continue
		}
		return w.askSame(e.p, like, record, "the same e-mail, and nobody else has it")
	}
	return nil
}

// saidBy is a record of a side by which a person can be told apart from another.
func (p *person) saidBy(origin string) (schemas.Link, bool) {
	if origin == dialer && p.ContactID != nil {
		return schemas.Link{Provider: dialer, Object: "contact", ID: *p.ContactID}, true
	}
	if l := p.recordOf(origin); l.ID != "" {
		return l, true
	}
	return schemas.Link{}, false
}
