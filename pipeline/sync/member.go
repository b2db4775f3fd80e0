package sync

import (
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// A campaign's member is one record that many events may change, so that it has a key and
// a state of its own: what is written to it stays in order. It is stored as an event is,
// under this type, with the fields of the event that spoke last.
const campaignMember = "campaign_member"

// needsPerson reports whether a target is nothing without knowing whom an event is of.
func (h *happening) needsPerson(t *schemas.EventTarget) bool {
	switch t.Target {
	case "record":
		return false
	case campaignMember:
		return h.text("campaign_member_id") == ""
	}
	return true
}

// writeMember wants the status of a campaign's member: of the one that the event names,
// else of the person in the campaign that the event, or the tenant, names.
func (w *world) writeMember(h *happening, l *link, t *schemas.EventTarget) (n int, err error) {
	pr, _ := w.profile(t.Provider)
	if pr.Member.Object == "" {
		return 0, pipeline.Rejectf(schemas.ReasonUnsupported, "events of type %q can't become a campaign's member in %s: it has none", h.Type, t.Provider)
	}
	fields := h.mapped(t)
	member := profile.Identity{}
	id := h.text("campaign_member_id")
	campaign, ok := find(fields, pr.Member.Campaign)
	if !ok {
		v := h.text("campaign_id")
		campaign = &v
	}
	fields = unset(fields, pr.Member.Campaign)
	key := campaignMember + ":" + id
	switch {
	case id != "":
	case blank(campaign):
		return 0, pipeline.Rejectf(schemas.ReasonInvalid, "%s names no campaign: it needs the field campaign_id or campaign_member_id, or the tenant's target a line %s: =ID", h.ID, pr.Member.Campaign)
	case l == nil:
		return 0, nil
	default:
		if member, ok = pr.Member.Identity(*campaign, l.Object, l.ID); !ok {
			return 0, pipeline.Rejectf(schemas.ReasonUnsupported, "a %s of %s is in no campaign", l.Object, t.Provider)
		}
		key = campaignMember + ":" + member.Value
	}
	m, ok, err := get(w, happenings, kindHappening, key)
	switch {
	case err != nil:
		return 0, err
	case !ok:
		m = &happening{ID: key, Type: h.Type, Began: h.Began}
		w.timer(w.tx.Now+callWindow, timerForget, heldEvent+key)
	case h.ID != key && h.At < m.At:
		return 1, nil // something later has been said of the member
	}
	a := w.standing(&m.Activities, t.Provider)
	switch {
	case a != nil && a.Account != w.account(t.Provider).ID:
		m.Activities = nil
		a = nil
	case a != nil && a.ID != "" && a.Status != schemas.StatusPending && m.Ref != h.ID:
		a.Fields = nil // people may have changed it since
	}
	if a == nil && id != "" {
		m.Activities = append(m.Activities, activity{Provider: t.Provider, Account: w.account(t.Provider).ID, Object: pr.Member.Object, ID: id})
	}
	if h.ID != key {
		m.Type, m.At, m.Fields, m.Person, m.Ref = h.Type, h.At, h.Fields, h.Person, h.ID
		m.CallID, m.ContactID = h.CallID, h.ContactID
	}
	m.Status = schemas.StatusPending
	d := m.draft(t.Provider, pr.Member.Object)
	d.identityField, d.identity, d.fields, d.sets = member.Field, member.Value, fields, eventSets(nil, t, nil)
	w.write(&m.Activities, l, d)
	put(w, happenings, kindHappening, m.ID, m)
	return 1, nil
}
