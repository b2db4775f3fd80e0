package sync

import (
	"strings"

	"github.com/crmstream/crmstream/schemas"
)

// tableContacts is what the records of persons are on our side.
const tableContacts = "contacts"

// showRecords says on sync.records how the records of a person stand, of those where that
// has changed since it was said last.
func (w *world) showRecords(p *person) {
	for i := range p.Links {
		l := &p.Links[i]
		if w.former(*l) {
			continue
		}
		status, why := p.standingOf(l)
		if status == l.Row {
			continue
		}
		if l.RowSince == 0 {
			l.RowSince = w.tx.Now
		}
		l.Row = status
		key := w.recordRow(l)
		r := &schemas.SyncRecord{ID: key, Tenant: w.t.Name(), Provider: l.Provider, ObjectType: l.Object, RecordID: l.ID, LocalRecordID: p.ID, LocalTable: tableContacts,
			Direction: "bidirectional", Status: status, CreatedAt: l.RowSince, UpdatedAt: w.tx.Now}
		if status == schemas.StatusSynced {
			r.LastSyncedAt = &r.UpdatedAt
		}
		if l.Whole > 0 {
			r.LastCRMModifiedAt = &l.Whole
		}
		if at := p.dialerSpoke(); at > 0 {
			r.LastLocalModifiedAt = &at
		}
		if why != "" {
			r.ErrorMessage = &why
		}
		w.tx.Emit(schemas.TopicSyncRecords, key, r)
	}
}

// unlist takes a record off sync.records that is no record of its person any more. Where
// it is another's by now, that one's state lists it.
func (w *world) unlist(l *link) {
	if l.Row != "" {
		w.tx.Emit(schemas.TopicSyncRecords, w.recordRow(l), nil)
		l.Row = ""
	}
}

func (w *world) recordRow(l *link) string {
	return w.t.Name() + "/" + l.Provider + "/" + l.Object + "/" + l.ID
}

// standingOf is how one record of a person stands, and why.
func (p *person) standingOf(l *link) (status, why string) {
	switch {
	case l.Deleted:
		return schemas.StatusCRMDeleted, ""
	case l.Out:
		return schemas.StatusOutOfScope, ""
	}
	for i := range p.Disputes {
		if d := &p.Disputes[i]; d.OpenedAt != 0 && d.Record == l.record() {
			return schemas.StatusConflict, disputeID(p.ID, d.Field)
		}
	}
	switch {
	case len(l.Refused) > 0:
		var names []string
		for _, f := range l.Refused {
			names = append(names, f.Name)
		}
		return schemas.StatusError, "not taken: " + strings.Join(names, ", ")
	case len(l.Wanted) > 0:
		return schemas.StatusPending, ""
	}
	return schemas.StatusSynced, ""
}

// dialerSpoke is when the dialer last said one of the values that are in force, in ms; 0 =
// none is the dialer's.
func (p *person) dialerSpoke() (at int64) {
	for i := range p.Fields {
		if f := &p.Fields[i]; f.From == dialer {
			at = max(at, f.At)
		}
	}
	return at
}
