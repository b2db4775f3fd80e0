package sync

import (
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

// A CRM says who owns a record by an id, and who has the id in a record of its own (B38),
// which may come later. Until it does the record waits under kindOfAccount: @ and the
// owner's id stand where a company's would, then come object NUL id; the entry says when
// the CRM named the owner.

func (w *world) ownerWait(provider, owner, object, id string) string {
	return w.scope(provider) + "\x00@" + owner + "\x00" + object + "\x00" + id
}

// awaitOwner lets a record wait until it is known who its owner is.
func (w *world) awaitOwner(provider, owner, object, id string, at int64) {
	w.setText(kindOfAccount, w.ownerWait(provider, owner, object, id), ms(at))
}

// ownerKnown tells those who wait for an owner, some at a time (P8).
func (w *world) ownerKnown(provider, owner string) {
	w.timer(w.tx.Now, timerLater, laterOwner+provider+"\x00"+owner)
}

func (w *world) followOwner(rest string) error {
	provider, owner, _ := strings.Cut(rest, "\x00")
	p, ok := w.profile(provider)
	if !ok {
		return nil
	}
	prefix := w.ownerWait(provider, owner, "", "")
	prefix = prefix[:len(prefix)-1]
	type waiting struct {
		object, id string
		at         int64
	}
	var found []waiting
	err := w.tx.Store.Scan(w.t.Prefix(kindOfAccount, prefix), state.Key{}, func(k state.Key, raw []byte) (bool, error) {
		var r waiting
		r.object, r.id, _ = strings.Cut(k.ID()[len(prefix):], "\x00")
		at, err := strconv.ParseInt(string(raw[1:]), 10, 64)
		r.at = at
		found = append(found, r)
		return len(found) < rowsAtOnce, err
	})
	if err != nil {
		return err
	}
	for _, r := range found {
		w.tx.Store.Delete(w.t.Key(kindOfAccount, w.ownerWait(provider, owner, r.object, r.id)))
		if err := w.showOwner(p, owner, r.object, r.id, r.at); err != nil {
			return err
		}
	}
	if len(found) == rowsAtOnce {
		w.timer(w.tx.Now+1, timerLater, laterOwner+rest)
	}
	return nil
}

// showOwner tells a record that waited who its owner is, as if the CRM had, unless it has
// another one by now.
func (w *world) showOwner(p *profile.Profile, owner, object, id string, at int64) error {
	loading, err := w.loading(p, object)
	if err != nil {
		return err
	}
	if t := w.lines.Table(p.Provider, object); t != nil {
		key := w.linkID(p.Provider, object, id)
		r, ok, err := get(w, rows, kindRow, key)
		if err != nil || !ok || r.Deleted {
			return err
		}
		if err := w.tableShow(p, t, id, r, r.At, loading); err != nil {
			return err
		}
		put(w, rows, kindRow, key, r)
		return nil
	}
	ps, err := w.linked(w.linkID(p.Provider, object, id))
	o := w.lines.Object(p.Provider, object)
	if err != nil || ps == nil || o == nil {
		return err
	}
	l := ps.link(p.Provider, object, id)
	if l == nil {
		return nil
	}
	var fields []schemas.Field
	for _, m := range o.Lines {
		if v, known := find(l.Known, m.CRM); known && m.Role == profile.Owner && m.Inbound() && textOf(v) == owner {
			l.Known, fields = unset(l.Known, m.CRM), set(fields, m.CRM, v)
		}
	}
	if len(fields) == 0 {
		return nil
	}
	w.save(ps)
	if l.Deleted {
		return nil // it is heard anew if it comes back
	}
	return w.merge(p, object, id, at, fields, saying{part: true, snapshot: loading})
}

// forgetOwner takes back that a record waits for its owner.
func (w *world) forgetOwner(l *link) error {
	o := w.lines.Object(l.Provider, l.Object)
	if o == nil {
		return nil
	}
	for _, m := range o.Lines {
		if v, known := find(l.Known, m.CRM); known && m.Role == profile.Owner {
			if err := w.ownerLeft(l.Provider, v, l.Object, l.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownerLeft takes back that a record waits for an owner, if it does: he has it no more.
func (w *world) ownerLeft(provider string, owner *string, object, id string) error {
	if blank(owner) {
		return nil
	}
	key := w.t.Key(kindOfAccount, w.ownerWait(provider, *owner, object, id))
	_, waits, err := w.tx.Store.Get(key)
	if err == nil && waits {
		w.tx.Store.Delete(key)
	}
	return err
}
