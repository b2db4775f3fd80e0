package sync

import (
	"strings"

	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
)

// A write that is given up is given up whole, for the sake of a value that the CRM needs
// and does not take. Whose fault it is has a warning (B27). Once that one is another one,
// those that were given up with it are tried again: else they would never be written. By
// themselves they do not hold up what comes later.

// tryTogether forgets that values were refused together with one that has changed.
func (w *world) tryTogether(p *person, l *link, o *mapping.Object) {
	var kept []schemas.Field
	again := false
	for i := range l.Refused {
		f := &l.Refused[i]
		m := writerOf(o, f.Name)
		if m == nil || !l.atFault(m, f) {
			continue
		}
		if v, _, wrong := w.outward(p, m); wrong == "" && (f.Value == nil || !m.Alike(w.env, f.Value, v)) {
			again = true
		} else {
			kept = append(kept, *f)
		}
	}
	if again {
		l.Refused = kept
	}
}

// atFault says that a value is why it was refused; nil is one that we can't write.
func (l *link) atFault(m *mapping.Line, f *schemas.Field) bool {
	why, warned := find(l.Warnings, m.Dialer)
	return f.Value == nil || warned && strings.HasPrefix(*why, notWritten)
}

// writerOf is the line that writes a field of the CRM; nil if none does.
func writerOf(o *mapping.Object, field string) *mapping.Line {
	if o == nil {
		return nil
	}
	for _, m := range o.Lines {
		if m.CRM == field && m.Outbound() {
			return m
		}
	}
	return nil
}
