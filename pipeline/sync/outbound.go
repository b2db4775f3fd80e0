package sync

import (
	"slices"
	"strconv"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// outbound writes to each CRM record what it lacks; while it is loading, that nobody may
// be called alone (B34). It reports whether a warning came or went.
func (w *world) outbound(p *person, loading bool) (warned bool) {
	for i := range p.Links {
		l := &p.Links[i]
		acc := w.account(l.Provider)
		o := w.lines.Object(l.Provider, l.Object)
		if o == nil || !l.live() || acc == nil {
			continue
		}
		warned = w.outboundTo(p, l, o, acc, loading) || warned
	}
	return warned
}

func (w *world) outboundTo(p *person, l *link, o *mapping.Object, acc *schemas.Account, loading bool) (warned bool) {
	var fields []schemas.Field
	var missing *mapping.Line // required, and not as it must be
	var needs []string
	why, priority := "", pipeline.PriorityField
	w.tryTogether(p, l, o)
	for _, m := range o.Lines {
		if !m.Outbound() || loading && m.Role != profile.DoNotCall || !p.takes(l, m) {
			continue
		}
		if p.disputed(m.Dialer) {
			if v, back := w.giveBack(p, l, m); back {
				fields = set(fields, m.CRM, v)
			}
			continue
		}
		v, has, wrong := w.outward(p, m)
		if wrong != "" {
			if known, told := find(l.Known, m.CRM); told && equal(known, p.value(m.Dialer)) {
				warned = l.writable(m) || warned
				continue // it is what stands there, as it was spelled there
			}
			warned = l.warn(m, notWritten+wrong) || warned
			if m.Required && missing == nil {
				missing, why = m, wrong
			}
			continue
		}
		if !has {
			if p.emptied(l, m) {
				warned = l.warn(m, notWritten+"the CRM needs a value, and keeps the one that it has") || warned
			} else {
				warned = l.writable(m) || warned
			}
			continue
		}
		if refused, ok := find(l.Refused, m.CRM); ok && m.Alike(w.env, refused, v) {
			continue // until it changes
		}
		known, told := find(l.Known, m.CRM)
		if wanted, pending := find(l.Wanted, m.CRM); pending {
			if m.Alike(w.env, wanted, v) {
				warned = l.writable(m) || warned
				continue // on its way
			}
		} else if told && m.Alike(w.env, known, v) || !told && m.Inbound() && m.Role != profile.DoNotCall && blank(v) {
			warned = l.writable(m) || warned
			continue
		}
		if !told && w.unread(l, m) {
			continue // until it was
		}
		if told && m.Inbound() && !blank(known) && equal(known, p.value(m.Dialer)) && !m.Reads(w.env, *known) {
			continue // a word of the CRM that has no meaning here is no word of the dialer's, whatever it would mean there
		}
		warned = l.warn(m, "") || warned
		fields = set(fields, m.CRM, v)
		if m.Role == profile.DoNotCall {
			priority = pipeline.PriorityDoNotCall
		}
		if m.Role == profile.DoNotCall || m.Required { // that it is not there must be known
			needs = append(needs, m.CRM)
		}
	}
	if len(fields) == 0 {
		return warned
	}
	if missing != nil && priority != pipeline.PriorityDoNotCall { // that nobody may be called is never held up (B23)
		w.unwritten(p, l, missing, why, fields)
		return warned
	}
	for _, f := range fields {
		l.replaced(f.Name, f.Value)
		l.Wanted = set(l.Wanted, f.Name, f.Value)
	}
	l.Revision++
	w.want.Writes = append(w.want.Writes, pipeline.Write{Provider: l.Provider, Account: acc.ID, Object: l.Object, Key: recordKey(l.Object, l.ID), ID: l.ID,
		Fields: fields, Priority: priority, Revision: l.Revision, Drops: true, Needs: needs})
	return warned
}

// emptied says that the dialer has emptied a field that the CRM needs, and that the CRM
// still has a value.
func (p *person) emptied(l *link, m *mapping.Line) bool {
	f, has := p.field(m.Dialer)
	known, told := find(l.Known, m.CRM)
	return m.Required && has && blank(f.Value) && f.From != l.Provider && told && !blank(known)
}

// tellAgain writes to a CRM what it has just said, as it said it.
func (w *world) tellAgain(e *edit) {
	for i := range e.p.Links {
		l := &e.p.Links[i]
		o, acc := w.lines.Object(l.Provider, l.Object), w.account(l.Provider)
		if o == nil || acc == nil || l.Provider != e.origin || !l.live() {
			continue
		}
		var fields []schemas.Field
		for _, m := range o.Lines {
			known, told := find(l.Known, m.CRM)
			if _, waits := find(l.Wanted, m.CRM); m.Outbound() && told && !waits && slices.Contains(e.set, m.Dialer) {
				fields = set(fields, m.CRM, known)
				l.Wanted = set(l.Wanted, m.CRM, known)
			}
		}
		if len(fields) > 0 {
			l.Revision++
			w.want.Writes = append(w.want.Writes, pipeline.Write{Provider: l.Provider, Account: acc.ID, Object: l.Object, Key: recordKey(l.Object, l.ID), ID: l.ID,
				Fields: fields, Priority: pipeline.PriorityField, Revision: l.Revision, Drops: true})
		}
	}
}

// unwritten gives up a write for a field that the CRM needs; what it would have written
// is tried again when it changes, or is redriven.
func (w *world) unwritten(p *person, l *link, m *mapping.Line, why string, fields []schemas.Field) {
	for _, f := range fields {
		l.Refused = set(l.Refused, f.Name, f.Value)
	}
	l.Refused = set(l.Refused, m.CRM, nil) // no value, as it can't be written
	d := &schemas.DeadLetter{Tenant: w.t.Name(), Reason: schemas.ReasonInvalid, Message: m.Dialer + " is required for " + l.Object + "." + m.CRM + ", and its value can't be written: " + why,
		Fields: []string{m.CRM}, RecordKey: l.Provider + "/" + recordKey(l.Object, l.ID), Topic: schemas.TopicCRMCommands, Partition: w.tx.Partition, At: w.tx.Now}
	w.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
}

// outward is a field's value in the form of the CRM; has is false where we have
// nothing to say, and wrong says why a value can't be written. A blank clears only
// where a tenant maps it so (B24).
func (w *world) outward(p *person, m *mapping.Line) (v *string, has bool, wrong string) {
	if m.Role == profile.DoNotCall {
		if !p.DNC && p.DNCAt == 0 {
			return nil, false, ""
		}
		s := strconv.FormatBool(p.DNC)
		v = &s
	} else {
		f, ok := p.field(m.Dialer)
		if !ok {
			return nil, false, ""
		}
		if v = f.Value; blank(v) {
			if !m.ClearsCRM {
				return nil, false, ""
			}
			if _, err := m.Out(w.env, nil); err != nil { // a field that is required is not cleared
				return nil, false, err.Error()
			}
			return nil, true, ""
		}
	}
	out, err := m.Out(w.env, v)
	if err != nil {
		return nil, false, err.Error()
	}
	return out, !blank(out) || m.ClearsCRM, ""
}
