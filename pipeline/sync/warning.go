package sync

import (
	"sort"
	"strings"

	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
)

// warn keeps why a value of a record is not as it should be, "" for one that is. It
// reports whether that is new: a warning is published once (B27).
func (l *link) warn(m *mapping.Line, why string) (changed bool) {
	old, had := find(l.Warnings, m.Dialer)
	switch {
	case why == "" && had:
		l.Warnings = unset(l.Warnings, m.Dialer)
	case why != "" && (!had || *old != why):
		l.Warnings = set(l.Warnings, m.Dialer, &why)
	default:
		return false
	}
	return true
}

// notWritten begins a warning of the way to the CRM.
const notWritten = "not written: "

// writable takes a warning of the way to the CRM back: the value is there, is on its way,
// or is none.
func (l *link) writable(m *mapping.Line) (changed bool) {
	if old, had := find(l.Warnings, m.Dialer); had && strings.HasPrefix(*old, notWritten) {
		return l.warn(m, "")
	}
	return false
}

func (w *world) warn(e *edit, l *link, m *mapping.Line, why string) {
	if l.warn(m, why) {
		e.changed, e.dirty = true, true
	}
}

// appendWarnings adds a record's warnings, each with the record, in the order of the
// fields.
func appendWarnings(all []schemas.Field, l *link) []schemas.Field {
	if len(l.Warnings) == 0 {
		return all
	}
	for _, f := range l.Warnings {
		all = append(all, schemas.Text(f.Name, l.Provider+"/"+l.Object+"/"+l.ID+": "+*f.Value))
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}
