package pipetest

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// show writes what one transaction brought about; what did not happen at the time
// of the input has its own time.
func (s *runner) show(h Happened, at int64) {
	when := ""
	if h.At != at {
		when = clock(h.At) + " "
	}
	say := func(format string, a ...any) { fmt.Fprintf(&s.out, when+format+"\n", a...) }
	if h.Rejected != nil {
		say("rejected %s: %s", h.Rejected.Reason, h.Rejected.Detail)
	}
	if h.Quarantined != nil {
		say("script of %s is quarantined: %s", h.Quarantined.Line, h.Quarantined.Why)
	}
	for _, o := range h.Outputs {
		if line := s.output(&o); line != "" {
			say("%s", line)
		}
	}
	for _, e := range h.Effects {
		switch e := e.(type) {
		case pipeline.Start:
			s.attempt(e.Attempt, say)
		case pipeline.Watch:
			say("watch %s/%s version=%d epoch=%d cursor=%s%s", e.Tenant, e.Account.Provider, e.ConfigVersion, e.Epoch, e.Cursor, columns(e.Account.Settings))
		case pipeline.Unwatch:
			say("unwatch %s/%s", e.Tenant, e.Provider)
		}
	}
}

func clock(ms int64) string {
	t := time.UnixMilli(ms).UTC()
	if days := (ms - day) / (24 * 3600 * 1000); days > 0 {
		return fmt.Sprintf("%s+%dd", t.Format("15:04:05.999"), days)
	}
	return t.Format("15:04:05.999")
}

func (s *runner) attempt(at *schemas.Attempt, say func(string, ...any)) {
	_, number, _ := strings.Cut(at.ID, "-")
	s.attempts[number] = at
	head := fmt.Sprintf("attempt %s: %s", number, at.Kind)
	if at.Operation != "" {
		head = fmt.Sprintf("attempt %s: %s", number, at.Operation)
	}
	head += " " + at.Provider + " " + at.Object
	if at.RepeatOf != nil {
		_, old, _ := strings.Cut(*at.RepeatOf, "-")
		head += " repeat_of=" + old
	}
	if at.Page != nil {
		say("%s cursor=%s", head, at.Page.Cursor)
		return
	}
	for i, it := range at.Items {
		line := it.ID
		if it.Identity != "" {
			line = "(" + it.IdentityField + "=" + it.Identity + ")"
		}
		line += fields(it.Fields)
		for _, l := range it.Associations {
			line += " →" + path(l)
		}
		switch {
		case len(at.Items) == 1:
			say("%s %s", head, line)
		case i == 0:
			say("%s %d items", head, len(at.Items))
			fallthrough
		default:
			say("  %s", line)
		}
	}
}

// plainRow says of an output that it is how a person's record stands on sync.records, but
// for who leaves the scope or comes back: a script that is about the rows says so.
func (s *runner) plainRow(o *pipeline.Output) bool {
	if o.Topic != schemas.TopicSyncRecords {
		return false
	}
	was, known := s.rows[o.Key]
	r, ok := o.Value.(*schemas.SyncRecord)
	switch {
	case o.Value == nil:
		delete(s.rows, o.Key)
		return known
	case !ok || r.LocalTable != "contacts":
		return false
	}
	s.rows[o.Key] = r.Status
	return was != schemas.StatusOutOfScope && r.Status != schemas.StatusOutOfScope
}

func (s *runner) output(o *pipeline.Output) string {
	if !s.records && s.plainRow(o) {
		return ""
	}
	if o.Value == nil {
		return fmt.Sprintf("%s %s tombstone", o.Topic, o.Key)
	}
	switch v := o.Value.(type) {
	case *schemas.Attempt:
		return "" // shown as the effect that it is
	case *schemas.SyncContact:
		line := o.Topic + " " + o.Key + fields(v.Fields)
		if v.Provenance.Snapshot {
			line += " snapshot"
		}
		if v.DoNotCall {
			line += " DO-NOT-CALL"
		}
		for _, n := range v.DoNotCallNumbers {
			line += " DO-NOT-DIAL=" + n
		}
		if v.ContactID != nil {
			line += " contact=" + *v.ContactID
		}
		for _, l := range v.Links {
			line += " " + path(l)
		}
		if v.Status != "active" {
			line += " " + v.Status
		}
		if v.MergedInto != nil {
			line += " into " + *v.MergedInto
		}
		for _, f := range v.Warnings {
			line += " warning " + f.Name + "=" + value(f.Value)
		}
		return line
	case *schemas.SyncCall:
		line := fmt.Sprintf("%s %s rev=%d %s", o.Topic, o.Key, v.Revision, v.Status)
		if v.PersonID != "" {
			line += " person=" + v.PersonID
		}
		for _, l := range v.Logged {
			line += fmt.Sprintf(" %s/%s/%s:%s", l.Provider, l.Object, l.ID, l.Status)
			if l.URL != "" {
				line += " at " + l.URL
			}
		}
		if v.Ambiguous {
			line += " ambiguous"
			for _, l := range v.Candidates {
				line += " " + path(l)
			}
		}
		return reason(line, v.Reason)
	case *schemas.SyncRecord:
		line := o.Topic + " " + o.Key + " " + v.Status
		if v.ErrorMessage != nil {
			line = reason(line, *v.ErrorMessage)
		}
		return line
	case *schemas.FieldChange:
		return fmt.Sprintf("%s %s %s: %s → %s (%s)", o.Topic, o.Key, v.Field, value(v.Old), value(v.New), v.Cause)
	case *schemas.SyncConflict:
		line := fmt.Sprintf("%s %s %s %s: %s=%s", o.Topic, o.Key, v.Status, v.Kind, v.Field, value(v.DialerValue))
		if v.Kind == "value" || v.Kind == "undone" || v.Kind == "same_person" {
			line += fmt.Sprintf(" against %s of %s/%s/%s", value(v.CRMValue), v.Record.Provider, v.Record.Object, v.Record.ID)
		}
		if v.Kind == "drift" || v.Kind == "new_field" {
			line = fmt.Sprintf("%s %s %s %s: %s → %s", o.Topic, o.Key, v.Status, v.Field, value(v.CRMValue), value(v.DialerValue))
		}
		return line
	case *schemas.SyncAccount:
		return row(o, v.Name, "", v.Fields, nil, v.Provenance, v.Warnings, v.Status)
	case *schemas.SyncOpportunity:
		return row(o, v.Name, v.Stage, v.Fields, v.Company, v.Provenance, v.Warnings, v.Status)
	case *schemas.SyncHealth:
		line := o.Topic + " " + o.Key + " " + v.State
		if v.RecordsSyncedLast24h > 0 || v.ErrorRateLast24h > 0 {
			line += fmt.Sprintf(" synced=%d errors=%.0f%% of 24h", v.RecordsSyncedLast24h, v.ErrorRateLast24h)
		}
		for _, what := range v.Rereading {
			line += " reading again " + what
		}
		return reason(line, v.Cause)
	case *schemas.DeadLetter:
		s.dead[v.RecordKey] = v
		return reason(fmt.Sprintf("%s %s %s tries=%d", o.Topic, o.Key, v.Reason, v.Tries), v.Message)
	}
	return fmt.Sprintf("%s %s %T", o.Topic, o.Key, o.Value)
}

// row is a company or a deal.
func row(o *pipeline.Output, name, stage string, fs []schemas.Field, company *schemas.Link, from *schemas.Provenance, warnings []schemas.Field, status string) string {
	line := o.Topic + " " + o.Key + " " + value(&name)
	if stage != "" {
		line += " in " + value(&stage)
	}
	line += fields(fs)
	if company != nil {
		line += " of " + path(*company)
	}
	if from.Snapshot {
		line += " snapshot"
	}
	if status != "active" {
		line += " " + status
	}
	for _, f := range warnings {
		line += " warning " + f.Name + "=" + value(f.Value)
	}
	return line
}

func reason(line, why string) string {
	if why == "" {
		return line
	}
	return line + ": " + why
}

func path(l schemas.Link) string { return l.Provider + "/" + l.Object + "/" + l.ID }

func value(v *string) string {
	switch {
	case v == nil:
		return "null"
	case len(*v) > 1000:
		return fmt.Sprintf("%s…(%d bytes)", (*v)[:3], len(*v))
	case strings.ContainsRune(*v, ' ') || strings.ContainsFunc(*v, unicode.IsControl) || *v == "":
		return fmt.Sprintf("%q", *v)
	}
	return *v
}

func fields(fs []schemas.Field) string {
	var b strings.Builder
	for _, f := range fs {
		if f.Value != nil {
			b.WriteString(" " + f.Name + "=" + value(f.Value))
		} else {
			b.WriteString(" " + f.Name + "=null")
		}
	}
	return b.String()
}

// duplicates says that calls were counted as known already.
func (s *runner) duplicates() error {
	v, ok, err := s.m.Store().Get(state.System(0, 'n', "seq/duplicate calls"))
	if err != nil || !ok || len(v) != 9 {
		return err
	}
	if n := binary.BigEndian.Uint64(v[1:]); n > s.repeats {
		s.repeats = n
		s.out.WriteString("duplicate\n")
	}
	return nil
}
