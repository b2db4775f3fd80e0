package sync

import (
	"slices"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/conflict"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// taken takes over that a CRM refused a write because another of its records has an e-mail
// address which must be unique there. The address is not sent again until it changes, and
// somebody is asked whether both are one; the rest of the write goes on without it (B27, B30).
func (w *world) taken(p *person, l *link, st *pipeline.Settlement) error {
	o := w.lines.Object(l.Provider, l.Object)
	if o == nil || !slices.ContainsFunc(o.Lines, func(m *mapping.Line) bool { return m.Role == profile.Email && written(st, m.CRM) }) {
		return nil // whatever it is that must be unique: all of it is refused
	}
	e := &edit{p: p, origin: conflict.Decided, at: w.tx.Now}
	var rest []schemas.Field
	for _, f := range st.Fields {
		address := false
		for _, m := range o.Lines {
			if m.CRM == f.Name && m.Role == profile.Email {
				address = true
				w.warn(e, l, m, notTaken("the record "+st.Taken+" has it"))
			}
		}
		if address {
			rest = append(rest, f)
			continue
		}
		l.arrived(&f, w.tx.Now)
	}
	st.Fields = rest
	if e.changed {
		if err := w.publish(e); err != nil {
			return err
		}
	}
	w.timer(w.tx.Now, timerAgain, p.ID)
	return w.askTaken(p, l, st.Taken)
}

func written(st *pipeline.Settlement, field string) bool {
	_, is := find(st.Fields, field)
	return is
}

// askTaken asks whether a person is the one of the record that has its address. One that
// nobody knows is read: by the address it is known who it is.
func (w *world) askTaken(p *person, l *link, id string) error {
	if pr, ok := w.profile(l.Provider); ok && pr.NormalizeID != nil {
		id = pr.NormalizeID(id)
	}
	lid := w.linkID(l.Provider, l.Object, id)
	other, err := w.linked(lid)
	if err != nil {
		return err
	}
	if other == nil {
		w.timer(w.tx.Now, timerReread, l.Provider+"\x00"+l.Object+"\x00"+id)
		return nil
	}
	return w.askSame(p, other, l.record(), "the CRM wants the e-mail of one record to be that of no other")
}
