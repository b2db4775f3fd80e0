package sync

import (
	"reflect"
	"slices"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/conflict"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

// readAgain has the sources read once more, in the background, of which a new
// configuration wants what it did not want before: a field, or records that its scope
// passed over (B9, B32). An account that is new is read anyway.
func (w *world) readAgain(was *mapping.Compiled, old, c *schemas.TenantConfig) error {
	scopes := false
	for _, a := range c.Accounts {
		p, known := w.profile(a.Provider)
		if !known || !slices.ContainsFunc(old.Accounts, func(b schemas.Account) bool { return a.Provider == b.Provider && a.ID == b.ID }) {
			continue
		}
		for i := range p.Sources {
			src := &p.Sources[i]
			before, now := kindOf(was, a.Provider, src.Object), kindOf(w.lines, a.Provider, src.Object)
			if before == now {
				continue
			}
			scoped := before == nil || now == nil || !reflect.DeepEqual(before.Scope, now.Scope)
			scopes = scopes || scoped
			if now == nil {
				w.timer(w.tx.Now, timerLater, laterRows)
			}
			if now == nil || !scoped && !wantsMore(before, now) {
				continue
			}
			if loaded, err := w.loaded(a.Provider, src.Object); err != nil {
				return err
			} else if before == nil && !loaded {
				continue // it is read for the first time now
			}
			w.want.Again = append(w.want.Again, pipeline.Source{Provider: a.Provider, Name: src.Name})
			w.tx.Store.Put(w.againMark(a.Provider, src.Object), []byte{1})
		}
	}
	if scopes {
		w.timer(w.tx.Now, timerLater, laterScope)
	}
	return nil
}

// againMark says that a kind of record is being read once more for a new configuration:
// what it wants of a record that was not read since is not known.
func (w *world) againMark(provider, object string) state.Key {
	return w.t.Key(kindLoaded, provider+"\x00"+object+"\x00again")
}

// unread reports whether a record may have a value in a field that nobody has asked it for
// yet: the dialer's is not written over it, but meets it once it was read (B32).
func (w *world) unread(l *link, m *mapping.Line) bool {
	if !m.Inbound() || m.Role == profile.DoNotCall {
		return false
	}
	// One that cannot be read is found by whoever reads it for more than this.
	_, is, _ := w.tx.Store.Get(w.againMark(l.Provider, l.Object))
	return is
}

// kindOf is the mapping of a kind of record, of a person or not; nil = it is not synced.
func kindOf(c *mapping.Compiled, provider, object string) *mapping.Object {
	if o := c.Object(provider, object); o != nil {
		return o
	}
	return c.Table(provider, object)
}

// wantsMore says that values come in which did not.
func wantsMore(was, now *mapping.Object) bool {
	return slices.ContainsFunc(now.Lines, func(l *mapping.Line) bool {
		return l.Inbound() && !slices.ContainsFunc(was.Lines, func(x *mapping.Line) bool { return x.Inbound() && x.Dialer == l.Dialer && x.CRM == l.CRM })
	})
}

// writeLoaded writes to the CRMs what they lack of the persons after one. While a load
// runs nothing is written back (B34), so that it is decided by all that both sides have.
func (w *world) writeLoaded(after string) error {
	return w.persons(after, laterLoaded, w.writeLacking)
}

// writeLacking writes to the CRMs what they lack of a person. One that they lack nothing of
// costs nothing.
func (w *world) writeLacking(p *person) error {
	n := len(w.want.Writes)
	warned := w.outbound(p, false)
	if warned {
		if err := w.publish(&edit{p: p, origin: conflict.Decided, at: w.tx.Now}); err != nil {
			return err
		}
	}
	if warned || len(w.want.Writes) > n {
		w.save(p)
	}
	return nil
}
