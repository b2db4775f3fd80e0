package sync

import (
	"slices"
	"strings"
	"time"

	"github.com/crmstream/crmstream/pipeline"
	act "github.com/crmstream/crmstream/pipeline/activity"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// writeHappening wants what an event becomes in one CRM; n is 0 where the CRM does not
// hold the person.
func (w *world) writeHappening(h *happening, ps *person, t *schemas.EventTarget) (n int, err error) {
	pr, _ := w.profile(t.Provider)
	a := w.standing(&h.Activities, t.Provider)
	if a != nil && a.Account != w.account(t.Provider).ID {
		return 1, nil // it stays where it was written
	}
	var l *link
	if ps != nil {
		l = w.target(ps, t.Provider, a)
	}
	owner, known, err := w.ownerFor(h.text("agent_email"), l, pr)
	if err != nil {
		return 0, err
	}
	switch t.Target {
	case "field":
		return w.writeFields(h, ps, t)
	case "record":
		return 1, w.writeRecord(h, l, t)
	case campaignMember:
		return w.writeMember(h, l, t)
	}
	target, ok := pr.TargetByName(t.Target)
	if !ok {
		return 0, pipeline.Rejectf(schemas.ReasonUnsupported, "events of type %q can't become %q in %s", h.Type, t.Target, t.Provider)
	}
	if l == nil {
		return 0, nil
	}
	if target.Render == nil {
		return 1, w.push(h, l, t, target)
	}
	rh := profile.Happening{ID: h.ID, Type: h.Type, At: h.At, Title: h.title(), Location: h.text("location"), Cancelled: h.cancelled(), OwnerID: owner,
		Person: schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID}, AccountID: l.Account, DealID: w.dealID(h.deal(), pr)}
	if at, ok := h.instant("starts_at"); ok {
		rh.At = at
	}
	rh.EndsAt, _ = h.instant("ends_at")
	if rh.TimeZone, err = w.zone(h.text("time_zone"), known && h.text("agent_email") != "", owner, pr); err != nil {
		return 0, err
	}
	notes := act.Notes{Notes: h.text("notes")}
	if !known {
		notes.Lines = append(notes.Lines, act.Line{Name: "Rep", Value: rep(h.text("agent_name"), h.text("agent_email"))})
	}
	for _, f := range h.Fields {
		if !slices.Contains(placed, f.Name) {
			notes.Lines = append(notes.Lines, act.Line{Name: f.Name, Value: textOf(f.Value)})
		}
	}
	d := h.draft(t.Provider, target.Object)
	d.identityField, d.text, d.body, d.ownerField = target.IdentityField, w.layout(&notes), target.Body, pr.Activity.OwnerField
	d.sets = eventSets(pr, t, target)
	d.fields, d.links = target.Render(rh)
	for _, f := range h.mapped(t) {
		d.fields = set(d.fields, f.Name, f.Value)
	}
	w.write(&h.Activities, l, d)
	return 1, nil
}

// push wants an event of the CRM's own kind on the person's record. It is sent once: what
// comes later of it changes nothing.
func (w *world) push(h *happening, l *link, t *schemas.EventTarget, target *profile.Target) error {
	if t.Object == "" {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the target %s of %s in %s needs an object: which kind of event it is", t.Target, h.Type, t.Provider)
	}
	if a := w.standing(&h.Activities, t.Provider); a != nil && a.Status != schemas.StatusError {
		return nil
	}
	d := h.draft(t.Provider, target.Object+":"+t.Object)
	d.identityField = target.IdentityField
	d.links = []schemas.Link{{Provider: l.Provider, Object: l.Object, ID: l.ID}}
	at := time.UnixMilli(h.At).UTC().Format(instant)
	d.fields = set(h.mapped(t), profile.At, &at)
	w.write(&h.Activities, l, d)
	return nil
}

// placed are the fields of an event that have a place of their own in its record.
var placed = []string{"agent_email", "agent_name", "deal", "ends_at", "location", "meeting_id", "name", "notes", "phone", "starts_at", "status", "time_zone", "title"}

func (h *happening) draft(provider, object string) *draft {
	_, mark, _ := strings.Cut(h.ID, ":")
	return &draft{provider: provider, object: object, key: happeningKey(h.ID), identity: h.ID, name: "Dialer Notes", mark: mark, local: h.ID, table: tableEvents, began: h.Began}
}

func (h *happening) title() string {
	if t := h.text("title"); t != "" {
		return t
	}
	title, ok := titles[h.Type]
	if !ok {
		title = strings.ReplaceAll(h.Type, "_", " ")
	}
	if n := h.text("name"); n != "" {
		title += ": " + n
	}
	return title
}

func (h *happening) cancelled() bool {
	s := act.Letters(h.text("status"))
	return s == "cancelled" || s == "canceled"
}

// deal is named as provider/object/id.
func (h *happening) deal() *schemas.Link {
	p := strings.SplitN(h.text("deal"), "/", 3)
	if len(p) != 3 {
		return nil
	}
	return &schemas.Link{Provider: p[0], Object: p[1], ID: p[2]}
}

// mapped are the tenant's own fields of a target: each takes a value of the event by its
// name, or, after "=", a text. What begins with @ says something to us.
func (h *happening) mapped(t *schemas.EventTarget) (out []schemas.Field) {
	for _, f := range t.Fields {
		from := textOf(f.Value)
		if strings.HasPrefix(f.Name, "@") || from == "" {
			continue
		}
		v, constant := strings.CutPrefix(from, "=")
		if !constant {
			v = h.value(from)
		}
		if v != "" {
			out = set(out, f.Name, &v)
		}
	}
	return out
}

func (h *happening) value(name string) string {
	switch name {
	case "event_id":
		return h.ID
	case "type":
		return h.Type
	case "call_id":
		return textOf(h.CallID)
	case "at":
		return ms(h.At)
	}
	return h.text(name)
}

// writeRecord wants a record of the tenant's own kind.
func (w *world) writeRecord(h *happening, l *link, t *schemas.EventTarget) error {
	d := h.draft(t.Provider, t.Object)
	d.fields, d.sets = h.mapped(t), eventSets(nil, t, nil)
	if v, ok := find(t.Fields, "@identity"); ok && t.Object != "" {
		d.identityField = textOf(v)
	} else { // without, an answer that was lost would make two
		return pipeline.Rejectf(schemas.ReasonInvalid, "the target record of %s in %s needs an object and the field @identity: the name of its unique external id", h.Type, t.Provider)
	}
	w.write(&h.Activities, l, d)
	return nil
}

// writeFields wants fields of the person's own records.
func (w *world) writeFields(h *happening, ps *person, t *schemas.EventTarget) (n int, err error) {
	if ps == nil {
		return 0, nil
	}
	for i := range ps.Links {
		l := &ps.Links[i]
		if l.Provider != t.Provider || !l.live() || t.Object != "" && t.Object != l.Object || !ps.primary(l) {
			continue
		}
		fields := h.mapped(t)
		if len(fields) == 0 {
			return 0, pipeline.Rejectf(schemas.ReasonInvalid, "the target field of %s in %s names no field that the event has a value for", h.Type, t.Provider)
		}
		l.Revision++
		w.want.Writes = append(w.want.Writes, pipeline.Write{Provider: l.Provider, Account: w.account(l.Provider).ID, Object: l.Object, Key: recordKey(l.Object, l.ID), ID: l.ID,
			Fields: fields, Priority: pipeline.PriorityField, Revision: l.Revision})
		n++
	}
	if n > 0 {
		w.save(ps)
	}
	return n, nil
}
