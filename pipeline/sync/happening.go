package sync

import (
	"errors"
	"slices"
	"strconv"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
)

// heldEvent begins the id of an event among those that wait for a person.
const heldEvent = "\x01"

func happeningKey(id string) string { return "event:" + id }

// Types of events that may have a record of their own in a CRM (B22).
const meetingBooked = "meeting_booked"

// titles are what the record of an event is called where the dialer gives no title.
var titles = map[string]string{
	meetingBooked: "Meeting", "voicemail_dropped": "Voicemail dropped", "ai_coaching": "Coaching", "session_ended": "Dialer session",
}

// happens reports whether events of a type may become something of their own: those
// that everybody knows, and those that the tenant says something of.
func (w *world) happens(typ string) bool {
	_, known := titles[typ]
	return known || slices.ContainsFunc(w.cfg.Events, func(t schemas.EventTarget) bool { return t.Type == typ })
}

// happening takes one word of an event: a meeting may have several, the last of which
// counts; any other has one.
func (w *world) happening(ev *schemas.DialerEvent) error {
	id := ev.Type + ":" + ev.EventID
	if ev.Type == meetingBooked {
		m, _ := find(ev.Fields, "meeting_id")
		if blank(m) {
			return pipeline.Rejectf(schemas.ReasonInvalid, "meeting_booked without the field meeting_id")
		}
		id = ev.Type + ":" + *m
	} else if ev.EventID == "" {
		return pipeline.Rejectf(schemas.ReasonInvalid, "%s without event_id: nobody could tell a repeat", ev.Type)
	}
	at := min(ev.At, w.tx.Now)
	h, ok, err := get(w, happenings, kindHappening, id)
	switch {
	case err != nil:
		return err
	case ok && (h.Reason == erasedWhy || ev.Type != meetingBooked || at < h.At || at == h.At && !news(h.Fields, ev.Fields)):
		_, err := w.tx.NextSequence("duplicate events") // counted (P5)
		return err
	case !ok:
		h = &happening{ID: id, Type: ev.Type, Began: at}
		w.timer(w.tx.Now+callWindow, timerForget, heldEvent+id)
	}
	h.At, h.Ref = at, w.ref
	if ev.CallID != nil {
		h.CallID = ev.CallID
	}
	if ev.ContactID != nil {
		h.ContactID = ev.ContactID
	}
	h.hear(ev.Fields)
	if h.Type == meetingBooked {
		if _, starts := h.instant("starts_at"); !starts && !ok && h.cancelled() {
			return w.neverBooked(h)
		} else if !starts {
			return pipeline.Rejectf(schemas.ReasonInvalid, "%s without the field starts_at, in ms since 1970", id)
		}
	}
	return w.decideHappening(h)
}

// hear takes over what a word says. A meeting that is moved is as long as before, where
// nobody says when it ends now.
func (h *happening) hear(fields []schemas.Field) {
	was, had := h.instant("starts_at")
	end, ends := h.instant("ends_at")
	for _, f := range fields {
		h.Fields = set(h.Fields, f.Name, f.Value)
	}
	if _, said := find(fields, "ends_at"); said || !had || !ends || h.Type != meetingBooked {
		return
	}
	if is, ok := h.instant("starts_at"); ok && is != was {
		moved := ms(end + is - was)
		h.Fields = set(h.Fields, "ends_at", &moved)
	}
}

// neverBooked keeps a cancellation that comes before its meeting: what was said of the
// meeting before that is told later, and must not book it.
func (w *world) neverBooked(h *happening) error {
	h.Status, h.Reason = schemas.StatusSkipped, "it was cancelled before it was booked"
	put(w, happenings, kindHappening, h.ID, h)
	_, err := w.tx.NextSequence("skipped events") // counted (P5)
	return err
}

func news(had, fields []schemas.Field) bool {
	for _, f := range fields {
		if old, ok := find(had, f.Name); !ok || !equal(old, f.Value) {
			return true
		}
	}
	return false
}

func (h *happening) text(name string) string {
	v, _ := find(h.Fields, name)
	return textOf(v)
}

func (h *happening) instant(name string) (int64, bool) {
	n, err := strconv.ParseInt(h.text(name), 10, 64)
	return n, err == nil && n > 0
}

// decideHappening finds out what is to become of an event, and stores it.
func (w *world) decideHappening(h *happening) error {
	w.unholdHappening(h)
	if err := w.settleHappening(h); err != nil {
		return err
	}
	give := pipeline.Timer{Due: h.GiveUpAt, Tenant: w.t.Name(), Kind: timerGiveUp, ID: heldEvent + h.ID}
	switch held := h.Status == schemas.StatusHeld; {
	case held && h.GiveUpAt == 0:
		h.GiveUpAt = w.tx.Now + heldFor
		w.timer(h.GiveUpAt, timerGiveUp, heldEvent+h.ID)
	case !held && h.GiveUpAt != 0:
		w.tx.Cancel(give)
		h.GiveUpAt = 0
		w.unlistHeld(h)
	}
	put(w, happenings, kindHappening, h.ID, h)
	return nil
}

func (w *world) settleHappening(h *happening) error {
	var targets []schemas.EventTarget
	needs := false // a person
	for _, p := range w.s.order {
		if t := w.targetOf(h.Type, p); t.Target != "" && t.Target != "off" && w.configured(p) {
			targets = append(targets, t)
			needs = needs || h.needsPerson(&t)
		}
	}
	if len(targets) == 0 {
		h.Status, h.Reason = schemas.StatusSkipped, "events of this type are not written"
		_, err := w.tx.NextSequence("skipped events") // counted (P5)
		return err
	}
	ps, err := w.personOfHappening(h)
	if err != nil {
		return err
	}
	if ps == nil && needs {
		if out, err := w.strangers("", phone.E164(h.text("phone"), w.cfg.Country), textOf(h.ContactID), nil); err != nil {
			return err
		} else if out {
			w.scrubHappening(h)
			return nil
		}
		return w.holdHappening(h, targets)
	}
	written := 0
	for i := range targets {
		n, err := w.writeHappening(h, ps, &targets[i])
		if err != nil {
			return err
		}
		written += n
	}
	if written == 0 {
		return w.holdHappening(h, targets)
	}
	if ps != nil {
		h.Person = ps.ID
	}
	h.Status, h.Reason = schemas.StatusPending, ""
	return nil
}

// targetOf is what events of a type become in a CRM: as the tenant says, else by the
// CRM's default.
func (w *world) targetOf(typ, provider string) schemas.EventTarget {
	for _, t := range w.cfg.Events {
		if t.Type == typ && t.Provider == provider {
			return t
		}
	}
	if pr, ok := w.profile(provider); ok {
		for _, t := range pr.Events {
			if t.Type == typ {
				return t
			}
		}
	}
	return schemas.EventTarget{}
}

// personOfHappening is the person of the event's call, of its contact, of its number.
func (w *world) personOfHappening(h *happening) (*person, error) {
	open := func(pid string) (*person, error) {
		if pid == "" {
			return nil, nil
		}
		ps, _, err := w.load(pid)
		return ps, err
	}
	if h.Person != "" {
		if ps, err := open(h.Person); err != nil || ps != nil {
			return ps, err
		}
	}
	if h.CallID != nil {
		c, ok, err := get(w, calls, kindCall, *h.CallID)
		if err != nil {
			return nil, err
		}
		if ok {
			if ps, err := open(c.Person); err != nil || ps != nil {
				return ps, err
			}
		}
	}
	if h.ContactID != nil {
		pid, _, err := w.text(kindContact, *h.ContactID)
		if err != nil {
			return nil, err
		}
		if ps, err := open(pid); err != nil || ps != nil && len(ps.Links) > 0 {
			return ps, err
		}
	}
	if n := phone.E164(h.text("phone"), w.cfg.Country); n != "" {
		return w.byNumber(n)
	}
	return nil, nil
}

func (w *world) holdHappening(h *happening, targets []schemas.EventTarget) error {
	if h.CallID != nil {
		h.HeldOn = append(h.HeldOn, "k:"+*h.CallID)
		w.tx.Store.Put(w.t.Key(kindAwaited, *h.CallID), []byte{1})
	}
	if h.ContactID != nil {
		h.HeldOn = append(h.HeldOn, "c:"+*h.ContactID)
	}
	if n := phone.E164(h.text("phone"), w.cfg.Country); n != "" {
		h.HeldOn = append(h.HeldOn, "n:"+n)
	}
	if len(h.HeldOn) == 0 {
		return pipeline.Rejectf(schemas.ReasonInvalid, "%s names nobody: call_id, contact_id or the field phone", h.ID)
	}
	h.Status, h.Reason = schemas.StatusHeld, "nobody with this call, contact or number is known"
	for i := range targets {
		w.publishHeld(h, &targets[i])
	}
	for _, on := range h.HeldOn {
		w.tx.Store.Put(w.t.Key(kindHeld, on+"\x00"+heldEvent+h.ID), []byte{1})
	}
	return nil
}

// callFound wakes the events that wait for the person of a call.
func (w *world) callFound(id string) error {
	key := w.t.Key(kindAwaited, id)
	if _, waits, err := w.tx.Store.Get(key); err != nil || !waits {
		return err
	}
	w.tx.Store.Delete(key)
	w.wake("k:" + id)
	return nil
}

// publishHeld lists an event that waits, or waited too long, under the local key that
// its record will have.
func (w *world) publishHeld(h *happening, t *schemas.EventTarget) {
	w.publishRecord(&activity{Provider: t.Provider, Object: w.targetObject(t), Status: h.Status, Reason: h.Reason}, tableEvents, h.ID, h.Began)
}

func (w *world) targetObject(t *schemas.EventTarget) string {
	pr, ok := w.profile(t.Provider)
	switch {
	case !ok || t.Object != "":
	case t.Target == campaignMember:
		return pr.Member.Object
	default:
		if target, ok := pr.TargetByName(t.Target); ok {
			return target.Object
		}
	}
	return t.Object
}

// unlistHeld takes an event off the list that waits no more, where what came of it has
// another name: a campaign's member, fields of the person.
func (w *world) unlistHeld(h *happening) {
	for _, p := range w.s.order {
		if t := w.targetOf(h.Type, p); w.configured(p) && t.Target != "" && t.Target != "off" && w.standing(&h.Activities, p) == nil {
			w.tx.Emit(schemas.TopicSyncRecords, w.localRecord(p, w.targetObject(&t), tableEvents, h.ID), nil)
		}
	}
}

// releaseHappening decides anew about an event that was held.
func (w *world) releaseHappening(id string) (waits bool, err error) {
	h, ok, err := get(w, happenings, kindHappening, id)
	if err != nil || !ok || h.Status != schemas.StatusHeld {
		return false, err
	}
	// Others wait for the same: what is wrong with this one must not take them back (P5).
	mark, want := w.tx.Mark(), w.want
	err = w.decideHappening(h)
	why := new(pipeline.Reject)
	if !errors.As(err, &why) {
		return h.Status == schemas.StatusHeld, err
	}
	w.tx.Rollback(mark)
	w.want = want
	if h, _, err = get(w, happenings, kindHappening, id); err != nil {
		return false, err
	}
	w.endHeld(h, schemas.StatusError, why.Detail)
	w.deadHappening(h, why.Reason, why.Detail)
	return false, nil
}

// endHeld ends an event that waits, and lists it so.
func (w *world) endHeld(h *happening, status, why string) {
	w.unholdHappening(h)
	if h.GiveUpAt != 0 {
		w.tx.Cancel(pipeline.Timer{Due: h.GiveUpAt, Tenant: w.t.Name(), Kind: timerGiveUp, ID: heldEvent + h.ID})
	}
	h.Status, h.Reason, h.GiveUpAt = status, why, 0
	put(w, happenings, kindHappening, h.ID, h)
	for _, p := range w.s.order {
		if t := w.targetOf(h.Type, p); w.configured(p) && t.Target != "" && t.Target != "off" {
			w.publishHeld(h, &t)
		}
	}
}

func (w *world) unholdHappening(h *happening) {
	for _, on := range h.HeldOn {
		w.tx.Store.Delete(w.t.Key(kindHeld, on+"\x00"+heldEvent+h.ID))
	}
	h.HeldOn = nil
}

// dropHappening ends an event that somebody decided is not to be written.
func (w *world) dropHappening(id, why string) error {
	h, ok, err := get(w, happenings, kindHappening, id)
	if err != nil || !ok || h.Status != schemas.StatusHeld {
		return err
	}
	w.endHeld(h, schemas.StatusSkipped, why)
	return nil
}

// giveUpHappening dead-letters an event whose person did not appear in thirty days.
func (w *world) giveUpHappening(id string) error {
	h, ok, err := get(w, happenings, kindHappening, id)
	if err != nil || !ok || h.Status != schemas.StatusHeld {
		return err
	}
	why := h.Reason
	w.endHeld(h, schemas.StatusError, "held for thirty days: "+why)
	w.deadHappening(h, schemas.ReasonHeldTooLong, id+": "+why)
	return nil
}

func (w *world) deadHappening(h *happening, reason, why string) {
	d := &schemas.DeadLetter{Tenant: w.t.Name(), Reason: reason, Message: why, RecordKey: happeningKey(h.ID),
		Topic: schemas.TopicDialerEvents, Partition: w.tx.Partition, At: w.tx.Now}
	w.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
}

// forgetHappening drops an event that is older than the window in which duplicates are
// known.
func (w *world) forgetHappening(id string) error {
	h, ok, err := get(w, happenings, kindHappening, id)
	if err != nil || !ok {
		return err
	}
	w.unholdHappening(h)
	for i := range h.Activities {
		a := &h.Activities[i]
		w.tx.Store.Delete(w.t.Key(kindActivity, w.linkID(a.Provider, a.Object, a.ID)))
		w.heardOf(a, happeningKey(id))
	}
	w.tx.Store.Delete(w.t.Key(kindHappening, id))
	return nil
}

// redriveHappening writes an event that a CRM refused, or that was held too long, once
// more.
func (w *world) redriveHappening(id, provider string) error {
	h, ok, err := get(w, happenings, kindHappening, id)
	if err != nil {
		return err
	}
	switch {
	case ok && provider == "" && h.Status == schemas.StatusError && len(h.Activities) == 0: // it was held too long
		return w.decideHappening(h)
	case ok:
		if a := (*loggedHappening)(h).at(provider); a != nil && a.Status == schemas.StatusError {
			a.Fields = nil // all of it is to be written
			return w.decideHappening(h)
		}
	}
	return pipeline.Rejectf(schemas.ReasonInvalid, "%s is not in error there", id)
}

type loggedHappening happening

func (h *loggedHappening) at(provider string) *activity {
	for i := range h.Activities {
		if h.Activities[i].Provider == provider {
			return &h.Activities[i]
		}
	}
	return nil
}
func (h *loggedHappening) decide(w *world) error { return w.decideHappening((*happening)(h)) }
func (h *loggedHappening) keep(w *world)         { put(w, happenings, kindHappening, h.ID, (*happening)(h)) }
func (h *loggedHappening) save(w *world, a *activity, shown bool) {
	if shown {
		w.publishRecord(a, tableEvents, h.ID, h.Began)
	}
	h.Status, h.Reason = a.Status, a.Reason
	h.keep(w)
}
