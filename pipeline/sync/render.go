package sync

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	act "github.com/crmstream/crmstream/pipeline/activity"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// render turns the call into what is to stand in the CRM.
func (w *world) render(c *call, l *link, pr *profile.Profile) (*draft, error) {
	ev, a := &c.Event, &pr.Activity
	owner, known, err := w.ownerFor(ev.AgentEmail, l, pr)
	if err != nil {
		return nil, err
	}
	zone, err := w.zone(textOf(ev.TimeZone), known && ev.AgentEmail != "", owner, pr)
	if err != nil {
		return nil, err
	}
	rc := profile.Call{ID: ev.CallID, Revision: ev.Revision, Kind: ev.Kind, Direction: ev.Direction, StartedAt: ev.StartedAt, Duration: duration(ev),
		From: ev.FromNumber, To: ev.ToNumber, OwnerID: owner, TimeZone: zone, AccountID: l.Account,
		Person: schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID}, DealID: w.dealID(ev.Deal, pr)}
	if ev.Disposition != nil {
		rc.Disposition = *ev.Disposition
	}
	notes := act.Notes{Notes: textOf(ev.Notes), Summary: textOf(ev.Summary), KeyPoints: ev.KeyPoints, NextSteps: ev.NextSteps, Duration: rc.Duration,
		Score: figure(ev.Score), Sentiment: textOf(ev.Sentiment), TalkRatioAgent: figure(ev.TalkRatioAgent)}
	notes.Lines = append(notes.Lines, noFigure("Score", ev.Score)...)
	notes.Lines = append(notes.Lines, noFigure("Talk Ratio", ev.TalkRatioAgent)...)
	switch {
	case !known: // a call is never lost over an owner (B16)
		notes.Lines = append(notes.Lines, act.Line{Name: "Rep", Value: rep(ev.AgentName, ev.AgentEmail)})
		err = w.todoRep(c, l, pr)
	case ev.AgentEmail != "":
		err = w.repFound(c, l)
	}
	if err != nil {
		return nil, err
	}
	outcome, err := w.outcome(c, l, pr, &notes)
	if err != nil {
		return nil, err
	}
	if !a.HasNumbers {
		notes.Lines = append(notes.Lines, act.Line{Name: "From", Value: ev.FromNumber}, act.Line{Name: "To", Value: ev.ToNumber})
	}
	mapped := w.mappedFields(ev, pr, &notes)
	address := w.recording(ev)
	switch {
	case address == "" && w.cfg.Calls.Recording != "signed":
		notes.Lines = append(notes.Lines, act.Line{Name: "Recording", Value: textOf(ev.RecordingID)}) // by which the dialer finds it
	case address != "" && a.RecordingField != "":
		rc.RecordingURL = address
	case address != "" && !w.mapsCall("recording_url", pr):
		notes.Lines = append(notes.Lines, act.Line{Name: "Recording", Value: address})
	}
	d := &draft{provider: pr.Provider, object: a.Object, key: callKey(ev.CallID), identityField: a.IdentityField, identity: ev.CallID,
		mark: ev.CallID, local: ev.CallID, table: tableCalls, began: ev.StartedAt, text: w.layout(&notes), body: a.Body, ownerField: a.OwnerField, sets: w.callSets(pr)}
	d.fields, d.links = a.Render(rc)
	for _, f := range outcome {
		d.fields = set(d.fields, f.Name, f.Value)
	}
	for _, f := range mapped {
		d.fields = set(d.fields, f.Name, f.Value)
	}
	return d, nil
}

func (w *world) layout(n *act.Notes) string {
	if w.cfg.Calls.NotesLayout == "plain" {
		return n.Plain()
	}
	return n.Structured()
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// rep is a rep as people know him.
func rep(name, email string) string {
	switch {
	case name == "":
		return email
	case email == "":
		return name
	}
	return name + " (" + email + ")"
}

// duration is the length that was said, else that between start and end (B15).
func duration(ev *schemas.CallEvent) *int32 {
	if ev.DurationSeconds != nil || ev.EndedAt == nil {
		return ev.DurationSeconds
	}
	d := int32(min((*ev.EndedAt-ev.StartedAt)/1000, 1<<31-1))
	return &d
}

// zone is where an activity took place, whose day is its date: what the dialer said, else
// the zone of the rep's user in the CRM, else the tenant's (B15). isRep says that user is
// the rep's: that of whoever owns the record says nothing of where the rep was.
func (w *world) zone(said string, isRep bool, user string, pr *profile.Profile) (*time.Location, error) {
	if z := w.s.zones.known(said); z != nil {
		return z, nil
	}
	if isRep {
		name, _, err := w.text(kindZone, w.scope(pr.Provider)+"\x00"+user)
		if err != nil {
			return nil, err
		}
		if z := w.s.zones.known(name); z != nil {
			return z, nil
		}
	}
	return w.s.zones.get(w.cfg.TimeZone), nil
}

// dealID is the deal, if it is one of this CRM.
func (w *world) dealID(deal *schemas.Link, pr *profile.Profile) string {
	if deal == nil || deal.Provider != pr.Provider || deal.Object != pr.Deal.Object || pr.Deal.Object == "" {
		return ""
	}
	return w.normalLink(*deal).ID
}

// ownerFor finds who is to own an activity: the rep's user in the CRM, by e-mail, if he
// is active there; else the record's active owner, else the tenant's default (B16).
// known says that it is the rep, or that nobody said who that is.
func (w *world) ownerFor(email string, l *link, pr *profile.Profile) (id string, known bool, err error) {
	if email != "" {
		crm := email
		for _, f := range w.cfg.Owners {
			if normalEmail(f.Name) == normalEmail(email) && !blank(f.Value) {
				crm = *f.Value
			}
		}
		if id, ok, err := w.text(kindOwner, w.scope(pr.Provider)+"\x00"+normalEmail(crm)); err != nil || ok {
			return id, true, err
		}
	}
	if l != nil {
		if id, err = w.recordOwner(l, pr); err != nil || id != "" {
			return id, email == "", err
		}
	}
	if w.cfg.DefaultOwnerEmail != "" {
		id, _, err = w.text(kindOwner, w.scope(pr.Provider)+"\x00"+normalEmail(w.cfg.DefaultOwnerEmail))
	}
	return id, email == "", err
}

// recordOwner is the owner of a CRM record, "" if none is known or he is active no more.
func (w *world) recordOwner(l *link, pr *profile.Profile) (string, error) {
	o := w.lines.Object(l.Provider, l.Object)
	if o == nil {
		return "", nil
	}
	for _, m := range o.Lines {
		if m.Role != profile.Owner {
			continue
		}
		id, _ := find(l.Known, m.CRM)
		if blank(id) {
			continue
		}
		email, ok, err := w.text(kindOwnerID, w.scope(pr.Provider)+"\x00"+*id)
		if err != nil || !ok {
			return "", err
		}
		active, ok, err := w.text(kindOwner, w.scope(pr.Provider)+"\x00"+email)
		if err != nil || !ok || active != *id {
			return "", err
		}
		return *id, nil
	}
	return "", nil
}

// outcome is the disposition in the CRM's form; one that it has nothing for stands in
// the text, and on the list of what is to be done (B17).
func (w *world) outcome(c *call, l *link, pr *profile.Profile, notes *act.Notes) ([]schemas.Field, error) {
	label := textOf(c.Event.Disposition)
	fields, mapped, err := act.Outcome(&pr.Activity.Disposition, pr.Provider, w.cfg.Dispositions, label, func(v string) (string, bool, error) {
		return w.dispositionID(pr, v)
	})
	if err != nil || label == "" {
		return nil, err
	}
	if !mapped {
		notes.Lines = append(notes.Lines, act.Line{Name: "Disposition", Value: label})
	}
	return fields, w.todo("disposition", "unmapped_disposition", "disposition", act.Letters(label), label, c, l, mapped)
}

// dispositionID finds the id of a label in the CRM's list: as the CRM has said, else
// among those that every account has. An id is itself.
func (w *world) dispositionID(pr *profile.Profile, label string) (string, bool, error) {
	if id, ok, err := w.text(kindDisposition, w.scope(pr.Provider)+"\x00"+act.Letters(label)); err != nil || ok {
		return id, id != "", err
	}
	for _, f := range pr.Activity.Disposition.IDs {
		if act.Letters(f.Name) == act.Letters(label) || textOf(f.Value) == label {
			return textOf(f.Value), true, nil
		}
	}
	return label, isGUID(label), nil
}

// isGUID reports whether a tenant wrote the id itself.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range s {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (s[i] == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
			return false
		}
	}
	return true
}

// dispositionSaid keeps one entry of a CRM's list of dispositions.
func (w *world) dispositionSaid(c *schemas.CRMChange) {
	label, gone := "", c.Reference.Deleted
	for _, f := range c.Reference.Fields {
		switch f.Name {
		case "label":
			label = textOf(f.Value)
		case "deleted":
			gone = gone || truth(f.Value)
		}
	}
	if act.Letters(label) == "" || c.ID == "" {
		return
	}
	id := c.ID
	if gone {
		id = ""
	}
	w.setText(kindDisposition, w.scope(c.Provider)+"\x00"+act.Letters(label), id)
}

// recording is the address of a recording that the CRM gets: a permanent one, at which
// the dialer signs on each click, or, where the tenant chose so, the dialer's own that
// runs out (B20).
func (w *world) recording(ev *schemas.CallEvent) string {
	p := &w.cfg.Calls
	switch {
	case p.Recording == "signed":
		return textOf(ev.RecordingURL)
	case blank(ev.RecordingID) || p.RecordingBase == "":
		return ""
	}
	return strings.TrimRight(p.RecordingBase, "/") + "/api/recordings/" + url.PathEscape(*ev.RecordingID) + "/play"
}

// mapsCall reports whether the tenant maps a value of calls to a field of the activity.
func (w *world) mapsCall(field string, pr *profile.Profile) bool {
	o := w.lines.Calls(pr.Provider)
	return o != nil && slices.ContainsFunc(o.Lines, func(m *mapping.Line) bool { return m.Dialer == field && m.Outbound() })
}

// mappedFields are what the tenant's own lines write of a call. A value that the call
// does not have is the line's constant; one that can't be written is left out, and says
// so in the text.
func (w *world) mappedFields(ev *schemas.CallEvent, pr *profile.Profile, notes *act.Notes) (out []schemas.Field) {
	o := w.lines.Calls(pr.Provider)
	if o == nil {
		return nil
	}
	for _, m := range o.Lines {
		if !m.Outbound() {
			continue
		}
		v := w.callValue(ev, m.Dialer)
		if blank(v) {
			v = m.Default
		} else if written, err := m.Out(w.env, v); err != nil {
			notes.Lines = append(notes.Lines, act.Line{Name: m.Dialer, Value: *v + " (not written to " + m.CRM + ": " + err.Error() + ")"})
			continue
		} else {
			v = written
		}
		if !blank(v) {
			out = set(out, m.CRM, v)
		}
	}
	return out
}

// callValue is a value of a call by its name; nil where it has none.
func (w *world) callValue(ev *schemas.CallEvent, name string) *string {
	some := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	number := func(v *float64) *string {
		if v == nil {
			return nil
		}
		return some(strconv.FormatFloat(*v, 'f', -1, 64))
	}
	switch name {
	case "call_id":
		return some(ev.CallID)
	case "direction":
		return some(ev.Direction)
	case "kind":
		return some(ev.Kind)
	case "started_at":
		return some(time.UnixMilli(ev.StartedAt).UTC().Format(instant))
	case "duration_seconds":
		if d := duration(ev); d != nil {
			return some(strconv.Itoa(int(*d)))
		}
	case "from_number":
		return some(ev.FromNumber)
	case "to_number":
		return some(ev.ToNumber)
	case "agent_email":
		return some(ev.AgentEmail)
	case "agent_name":
		return some(ev.AgentName)
	case "disposition":
		return ev.Disposition
	case "notes":
		return ev.Notes
	case "summary":
		return ev.Summary
	case "sentiment":
		return ev.Sentiment
	case "score":
		return number(figure(ev.Score))
	case "talk_ratio_agent":
		return number(figure(ev.TalkRatioAgent))
	case "recording_id":
		return ev.RecordingID
	case "recording_url":
		return some(w.recording(ev))
	}
	return nil
}

// instant is how instants stand in fields.
const instant = "2006-01-02T15:04:05.000Z"
