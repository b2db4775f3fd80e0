package sync

import (
	"slices"
	"time"

	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// What a draft does not have any more is cleared in the CRM, but for fields that nobody
// says anything of now: a line that was taken out clears nothing (B32). So it is asked of
// a field whether the configuration in force, or the CRM's profile, sets it at all.

// callSets reports which fields of a CRM's calls are set under this configuration.
func (w *world) callSets(pr *profile.Profile) func(field string) bool {
	return func(field string) bool {
		a := &pr.Activity
		if field == a.Body.Field || field == a.RecordingField || field == a.Disposition.Field {
			return true
		}
		if o := w.lines.Calls(pr.Provider); o != nil && slices.ContainsFunc(o.Lines, func(l *mapping.Line) bool { return l.CRM == field }) {
			return true
		}
		for i := range w.cfg.Dispositions {
			if w.cfg.Dispositions[i].Provider == pr.Provider && names(w.cfg.Dispositions[i].Fields, field) {
				return true
			}
		}
		for i := range a.Disposition.Defaults {
			if names(a.Disposition.Defaults[i].Fields, field) {
				return true
			}
		}
		one := int32(1)
		return onAny(pr, func(person schemas.Link) bool {
			fields, _ := a.Render(profile.Call{ID: "1", Revision: 1, Kind: "1", Direction: schemas.Outbound, StartedAt: 1, Duration: &one, From: "1", To: "1", OwnerID: "1",
				TimeZone: time.UTC, Person: person, AccountID: "1", DealID: "1", Disposition: "1", RecordingURL: "1"})
			return names(fields, field)
		})
	}
}

// eventSets reports which fields of what an event becomes are set under this
// configuration; target is nil for what the tenant alone gives fields to.
func eventSets(pr *profile.Profile, t *schemas.EventTarget, target *profile.Target) func(field string) bool {
	return func(field string) bool {
		if names(t.Fields, field) {
			return true
		}
		if target == nil || target.Render == nil {
			return false
		}
		return field == target.Body.Field || onAny(pr, func(person schemas.Link) bool {
			fields, _ := target.Render(profile.Happening{ID: "1", Type: "1", At: 1, EndsAt: 2, Title: "1", Location: "1", OwnerID: "1", TimeZone: time.UTC, Person: person,
				AccountID: "1", DealID: "1"})
			return names(fields, field)
		})
	}
}

// onAny reports whether something is so of an activity on any kind of person that a CRM has.
func onAny(pr *profile.Profile, is func(person schemas.Link) bool) bool {
	return slices.ContainsFunc(pr.Objects, func(o profile.Object) bool {
		return is(schemas.Link{Provider: pr.Provider, Object: o.Name, ID: "1"})
	})
}

func names(fs []schemas.Field, field string) bool {
	_, ok := find(fs, field)
	return ok
}
