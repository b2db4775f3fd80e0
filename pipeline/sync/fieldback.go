package sync

import (
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/state"
)

const (
	// provider NUL object NUL field NUL person, or "" for the first: the records of those
	// after it are to be made ready for a field that is there again.
	timerFieldBack byte = '1'
	// likewise: what the field lacks in the records of those after it is written.
	timerSendField byte = '2'
)

func itoa(n int32) string { return strconv.Itoa(int(n)) }

func quoted(s string) string { return strconv.Quote(s) }

func fieldID(f *mapping.Fact) string {
	return f.Provider + "\x00" + f.Object + "\x00" + f.Field + "\x00"
}

// fieldOf reads what fieldID wrote, and whose turn it is.
func fieldOf(id string) (f mapping.Fact, after string) {
	part := append(strings.SplitN(id, "\x00", 4), "", "", "")
	return mapping.Fact{Provider: part[0], Object: part[1], Field: part[2]}, part[3]
}

// fieldBack goes on with a field that is there again. It may be another one of its name,
// and empty: nobody has cleared what it is not known to hold any more. Once all records
// are ready for that, it is mapped again, and written (B27).
func (w *world) fieldBack(id string) error {
	of, after := fieldOf(id)
	f := mapping.FactOf(w.facts, &of)
	if f == nil || !f.Returning {
		return nil // it is gone again, or nothing is mapped to it any more
	}
	lines := w.s.base.Plain(w.cfg).Lines(of.Provider, of.Object, of.Field)
	last, more, err := w.eachWith(&of, after, func(p *person) error {
		if !slices.ContainsFunc(lines, func(m *mapping.Line) bool { return !blank(p.value(m.Dialer)) }) {
			return nil
		}
		changed := false
		for i := range p.Links {
			l := &p.Links[i]
			if l.Provider != of.Provider || l.Object != of.Object {
				continue
			}
			l.Sent, changed = append(l.Sent, sentValue{Name: of.Field, Until: w.tx.Now}), true
		}
		if changed {
			w.save(p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if more {
		w.timer(w.tx.Now+1, timerFieldBack, fieldID(&of)+last)
		return nil
	}
	were := w.facts
	w.facts = slices.DeleteFunc(slices.Clone(w.facts), func(x mapping.Fact) bool { return mapping.FactOf([]mapping.Fact{x}, &of) != nil })
	if err := w.redescribed(were); err != nil {
		return err
	}
	w.timer(w.tx.Now, timerSendField, fieldID(&of))
	w.readField(&of)
	return nil
}

// scopeBack reads the records again of which a scope asks for a field that is there again:
// who came in meanwhile is judged by it.
func (w *world) scopeBack(plain *mapping.Plain, f *mapping.Fact) {
	if slices.ContainsFunc(plain.Mapped(f.Provider, f.Object), func(o *mapping.Object) bool { return o.Asks(f.Field) }) {
		w.readObject(f.Provider, f.Object)
	}
}

func (w *world) readObject(provider, object string) {
	for i := range w.s.profiles[provider].Sources {
		if src := &w.s.profiles[provider].Sources[i]; src.Object == object {
			w.want.Again = append(w.want.Again, pipeline.Source{Provider: provider, Name: src.Name})
		}
	}
}

// readField reads what stands in a field that is there again, if it is read at all.
func (w *world) readField(f *mapping.Fact) {
	for _, o := range w.lines.Mapped(f.Provider, f.Object) {
		if !slices.ContainsFunc(o.Lines, func(l *mapping.Line) bool { return l.CRM == f.Field && l.Inbound() }) {
			continue
		}
		w.readObject(f.Provider, f.Object)
	}
}

// sendField writes what a field lacks that can be written again.
func (w *world) sendField(id string) error {
	of, after := fieldOf(id)
	if f := mapping.FactOf(w.facts, &of); f != nil && (f.Gone || f.ReadOnly) {
		return nil // it can't any more
	}
	last, more, err := w.eachWith(&of, after, func(p *person) error {
		for i := range p.Links {
			if l := &p.Links[i]; l.Provider == of.Provider && l.Object == of.Object {
				w.resend(p, l, of.Field)
			}
		}
		if err := w.store(&edit{p: p, dirty: true, origin: "crmstream", at: w.tx.Now}); err != nil {
			return err
		}
		w.expectBlank(p, &of)
		return nil
	})
	if err == nil && more {
		w.timer(w.tx.Now+1, timerSendField, fieldID(&of)+last)
	}
	return err
}

// resend forgets of a record that it holds already what it is to hold in a field, and that
// it refused it.
func (w *world) resend(p *person, l *link, field string) {
	l.Refused = unset(l.Refused, field)
	if !slices.ContainsFunc(l.Sent, func(s sentValue) bool { return s.Name == field && s.Value == nil }) {
		return // it was there all the time
	}
	o := w.lines.Object(l.Provider, l.Object)
	known, told := find(l.Known, field)
	if o == nil || !told {
		return
	}
	for _, m := range o.Lines {
		if m.CRM != field || !m.Outbound() {
			continue
		}
		if v, has, wrong := w.outward(p, m); has && wrong == "" && !blank(v) && m.Alike(w.env, known, v) {
			l.Known = unset(l.Known, field)
			return
		}
	}
}

// expectBlank says of records to which a value of the field is on its way that it is
// empty there until that has arrived.
func (w *world) expectBlank(p *person, f *mapping.Fact) {
	changed := false
	for i := range p.Links {
		l := &p.Links[i]
		if _, pending := find(l.Wanted, f.Field); !pending || l.Provider != f.Provider || l.Object != f.Object {
			continue
		}
		for k := range l.Sent {
			if s := &l.Sent[k]; s.Name == f.Field && s.Value == nil && s.Until != 0 {
				s.Until, changed = 0, true
			}
		}
	}
	if changed {
		w.save(p)
	}
}

// eachWith calls do for the persons after one that have a record of the kind, some at a
// time (P8).
func (w *world) eachWith(f *mapping.Fact, after string, do func(*person) error) (last string, more bool, err error) {
	from := state.Key{}
	if after != "" {
		from = w.t.Key(kindPerson, after)
	}
	var found []*person
	n := 0
	err = w.tx.Store.Scan(w.t.Prefix(kindPerson, ""), from, func(k state.Key, raw []byte) (bool, error) {
		p := new(person)
		if err := decodePerson(raw, p); err != nil {
			return false, err
		}
		if slices.ContainsFunc(p.Links, func(l link) bool {
			return l.Provider == f.Provider && l.Object == f.Object && !l.Deleted && !w.former(l)
		}) {
			found = append(found, p)
		}
		last, n = k.ID(), n+1
		return n < sweepAtOnce, nil
	})
	if err != nil {
		return "", false, err
	}
	for _, p := range found {
		if err := do(p); err != nil {
			return "", false, err
		}
	}
	return last, n == sweepAtOnce, nil
}
