package sync

import (
	"bytes"
	"slices"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/conflict"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state/value"
)

// What timerLater does for a mapping that has changed.
const (
	laterMapped = "mapped\x00"   // person: what the CRMs said is read anew, and what they lack is written
	laterTables = "tables\x00"   // row: what the CRMs said of companies and deals is read anew
	laterRead   = "remapped\x00" // person: likewise, but a load that runs is to end before anything is written
)

// remaps reports whether one configuration reads or writes values otherwise than another.
func remaps(old, now *schemas.TenantConfig) bool {
	return old.Country != now.Country || old.Currency != now.Currency || old.Locale != now.Locale || old.TimeZone != now.TimeZone ||
		!bytes.Equal(allLines.Marshal(&mappingLines{old.Mappings}), allLines.Marshal(&mappingLines{now.Mappings}))
}

// mappingLines is what a configuration says of its mapping. It is compared only, and never stored.
type mappingLines struct {
	Mappings []schemas.FieldMapping `avro:"mappings"`
}

var allLines = value.New[mappingLines]("lines of a mapping")

// remap sees to it that a new mapping counts for what is known already, not for what comes
// alone: what it says of a record is what a preview of it says, and what a rollback takes
// back (B32).
func (w *world) remap() error {
	what := laterMapped
	if len(w.want.Again) > 0 {
		what = laterRead // what was read decides, too, and its end has the rest written
	}
	for _, p := range w.s.order {
		if !w.configured(p) {
			continue
		}
		if read, err := w.personsRead(w.s.profiles[p]); err != nil {
			return err
		} else if !read {
			what = laterRead
		}
	}
	w.timer(w.tx.Now, timerLater, what)
	w.timer(w.tx.Now, timerLater, laterTables)
	return nil
}

// remapped goes on with the persons after one, some at a time (P8).
func (w *world) remapped(what, after string) error {
	return w.persons(after, what, func(p *person) error {
		e := &edit{p: p, origin: conflict.Decided, at: w.tx.Now, snapshot: what == laterRead}
		for i := range p.Links {
			l := &p.Links[i]
			if o := w.lines.Object(l.Provider, l.Object); o != nil && l.live() {
				w.takeBack(e, l, o)
				if err := w.readAnew(e, l, o); err != nil {
					return err
				}
			}
		}
		if e.changed {
			return w.store(e)
		}
		if e.dirty {
			w.save(p)
		}
		if what == laterMapped {
			return w.writeLacking(p)
		}
		return nil
	})
}

// takeBack takes fields out of the queue that no line writes any more: who takes a line
// out because it writes the wrong thing wants it to end at once.
func (w *world) takeBack(e *edit, l *link, o *mapping.Object) {
	var void []string
	for _, f := range l.Wanted {
		if writerOf(o, f.Name) == nil {
			void = append(void, f.Name)
		}
	}
	if len(void) == 0 {
		return
	}
	for _, name := range void {
		l.Wanted = unset(l.Wanted, name)
	}
	// What left already is the CRM's word now, as whatever was there before.
	l.Sent = slices.DeleteFunc(l.Sent, func(s sentValue) bool { return slices.Contains(void, s.Name) })
	e.dirty = true
	for _, key := range recordKeys(e.p, l.record()) {
		w.want.Void = append(w.want.Void, pipeline.Void{Ref: pipeline.Ref{Provider: l.Provider, Key: key}, Fields: void})
	}
}

// readAnew takes what a record is known to hold for what the mapping says now, where the
// CRM's word is in force. What the dialer said since is the dialer's own.
func (w *world) readAnew(e *edit, l *link, o *mapping.Object) error {
	for _, m := range o.Lines {
		known, told := find(l.Known, m.CRM)
		_, waits := find(l.Wanted, m.CRM)
		cur, has := e.p.field(m.Dialer)
		if !m.Inbound() || m.Role == profile.DoNotCall || m.Role == profile.Owner || !told || waits || !has || blank(known) ||
			cur.From != l.Provider || e.p.disputed(m.Dialer) || w.othersSay(e.p, l, m.Dialer) {
			continue
		}
		v, why, err := w.inward(m, known)
		if err != nil {
			return err
		}
		w.warn(e, l, m, why)
		if equal(cur.Value, v) || !equal(cur.Value, known) && m.Echo(w.env, cur.Value, known) {
			continue // it means that already
		}
		held := e.p.held(cur)
		held.Value = v
		e.origin, e.at = l.Provider, cur.At
		w.inForce(e, cur, held, cur.Ref, "the mapping")
	}
	return nil
}

// othersSay reports whether another record of the same CRM says something of a field, too:
// whose word is in force is not known then.
func (w *world) othersSay(p *person, l *link, field string) bool {
	for i := range p.Links {
		x := &p.Links[i]
		o := w.lines.Object(x.Provider, x.Object)
		if x == l || x.Provider != l.Provider || o == nil {
			continue
		}
		for _, m := range o.Lines {
			if v, told := find(x.Known, m.CRM); told && m.Dialer == field && m.Inbound() && !blank(v) {
				return true
			}
		}
	}
	return false
}
