package sync

import (
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// action does what an operator decided, once for each action id. One that has no
// effect is rejected, and a dead letter says why: its id is then free again.
func (w *world) action(a *schemas.ControlAction, original *pipeline.Record, again Again) error {
	if a.ActionID == "" {
		return pipeline.Rejectf(schemas.ReasonInvalid, "an action without action_id")
	}
	done, err := w.mark(kindAction, a.ActionID)
	if err != nil {
		return err
	}
	if done {
		_, err := w.tx.NextSequence("duplicate actions") // counted (P5)
		return err
	}
	w.timer(w.tx.Now+actionFor, timerAction, a.ActionID)
	switch a.Kind {
	case schemas.ActionReleaseHeld:
		return w.releaseHeld(a)
	case schemas.ActionRedrive:
		return w.redrive(a, original, again)
	case schemas.ActionScriptQuarantined:
		return w.quarantine(a)
	case schemas.ActionResolveConflict:
		return w.resolveConflict(a)
	case schemas.ActionConfirmMatch:
		return w.confirmMatch(a)
	case schemas.ActionSplitMatch:
		return w.splitMatch(a)
	case schemas.ActionErasePerson:
		return w.erasePerson(a)
	}
	return pipeline.Rejectf(schemas.ReasonUnsupported, "the action %q is not known to this version", a.Kind)
}

func said(a *schemas.ControlAction, name string) string {
	if v, ok := find(a.Fields, name); ok && v != nil {
		return *v
	}
	return ""
}

// releaseHeld decides anew about one call, or about all that wait for a number.
func (w *world) releaseHeld(a *schemas.ControlAction) error {
	drop := ""
	switch do := said(a, "do"); do {
	case "", "release":
	case "drop":
		drop = "dropped by " + a.By
		if why := said(a, "why"); why != "" {
			drop += ": " + why
		}
	default:
		return pipeline.Rejectf(schemas.ReasonInvalid, "do is %q: release or drop", do)
	}
	id, number := said(a, "call"), said(a, "number")
	switch {
	case id != "" && number == "":
		return w.releaseCall(a, id, drop)
	case number == "" || id != "":
		return pipeline.Rejectf(schemas.ReasonInvalid, "either call or number says what is released")
	}
	on := "n:" + phone.E164(number, w.cfg.Country)
	waits := false
	err := w.tx.Store.Scan(w.t.Prefix(kindHeld, on+"\x00"), state.Key{}, func(state.Key, []byte) (bool, error) {
		waits = true
		return false, nil
	})
	switch {
	case err != nil:
		return err
	case !waits:
		return pipeline.Rejectf(schemas.ReasonInvalid, "no call waits for that number")
	case drop != "":
		w.timer(w.tx.Now, timerDrop, on+"\x00"+drop)
	default:
		w.timer(w.tx.Now, timerRelease, on)
	}
	return nil
}

func (w *world) releaseCall(a *schemas.ControlAction, id, drop string) error {
	c, ok, err := get(w, calls, kindCall, id)
	switch {
	case err != nil:
		return err
	case !ok:
		return pipeline.Rejectf(schemas.ReasonInvalid, "call %s is not known", id)
	case c.Status != schemas.StatusHeld && (c.Dropped == "" || drop != ""):
		return pipeline.Rejectf(schemas.ReasonInvalid, "call %s is not held, it is %s", id, c.Status)
	case c.Dropped == erasedWhy:
		return pipeline.Rejectf(schemas.ReasonInvalid, "call %s: %s", id, erasedWhy)
	case c.Base == 0 && drop == "":
		return pipeline.Rejectf(schemas.ReasonInvalid, "call %s has not come: there is nothing to log", id)
	}
	c.Dropped = drop
	if drop != "" {
		return w.decide(c)
	}
	if v := said(a, "link"); v != "" {
		p := strings.SplitN(v, "/", 3)
		if len(p) != 3 || !w.configured(p[0]) {
			return pipeline.Rejectf(schemas.ReasonInvalid, "link is to be provider/object/id, of an account of the tenant")
		}
		c.Link = &schemas.Link{Provider: p[0], Object: p[1], ID: p[2]}
	}
	c.Person, c.Released = "", true
	if err := w.decide(c); err != nil {
		return err
	}
	if c.Status == schemas.StatusHeld && said(a, "link") == "" {
		return pipeline.Rejectf(schemas.ReasonInvalid, "call %s would still be held: %s; name its record with link=provider/object/id, or do=drop", id, c.Reason)
	}
	return nil
}

// dropAll drops some of the calls that wait for something; what is after the first
// NUL says why.
func (w *world) dropAll(what string) error {
	on, why, _ := strings.Cut(what, "\x00")
	ids, err := w.members(kindHeld, on, releaseAtOnce)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if hid, ok := strings.CutPrefix(id, heldEvent); ok {
			if err := w.dropHappening(hid, why); err != nil {
				return err
			}
			w.tx.Store.Delete(w.t.Key(kindHeld, on+"\x00"+id))
			continue
		}
		c, ok, err := get(w, calls, kindCall, id)
		if err != nil {
			return err
		}
		if !ok || c.Status != schemas.StatusHeld {
			w.tx.Store.Delete(w.t.Key(kindHeld, on+"\x00"+id))
			continue
		}
		c.Dropped = why
		if err := w.decide(c); err != nil {
			return err
		}
	}
	if len(ids) == releaseAtOnce {
		w.timer(w.tx.Now+1, timerDrop, what)
	}
	return nil
}

// redrive applies the original of a dead letter again: an input as it came; a write as
// it is to be now.
func (w *world) redrive(a *schemas.ControlAction, original *pipeline.Record, again Again) error {
	if original != nil {
		return w.redriveInput(original, again)
	}
	key := said(a, "key")
	if d := a.DeadLetter; d != nil {
		if d.Tenant != w.t.Name() {
			return pipeline.Rejectf(schemas.ReasonInvalid, "the dead letter is another tenant's")
		}
		if key == "" {
			key = d.RecordKey
		}
	}
	if id, ok := strings.CutPrefix(key, callKey("")); ok {
		return w.redriveCall(id, "")
	}
	if id, ok := strings.CutPrefix(key, happeningKey("")); ok {
		return w.redriveHappening(id, "")
	}
	provider, rest, _ := strings.Cut(key, "/")
	if !w.configured(provider) {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the dead letter has neither an input that can be read nor the key of a record in an account of the tenant")
	}
	if id, ok := strings.CutPrefix(rest, callKey("")); ok {
		return w.redriveCall(id, provider)
	}
	if id, ok := strings.CutPrefix(rest, happeningKey("")); ok {
		return w.redriveHappening(id, provider)
	}
	if number, ok := strings.CutPrefix(rest, leadKey("")); ok {
		return w.redriveLead(provider, number)
	}
	if isRecordKey(rest) {
		return w.redrivePerson(provider, rest)
	}
	if of, ok := strings.CutPrefix(rest, "~read:"); ok {
		if object, id, ok := strings.Cut(of, ":"); ok {
			w.read(provider, object, id)
			return nil
		}
	}
	return pipeline.Rejectf(schemas.ReasonInvalid, "there is nothing to redrive: sources and timers go on by themselves")
}

// redriveInput applies an input again. What it said of a CRM record may be old by now:
// the record is read instead.
func (w *world) redriveInput(in *pipeline.Record, again Again) error {
	if in.Tenant != w.t.Name() {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the dead letter is another tenant's")
	}
	switch v := in.Decoded.(type) {
	case *schemas.TenantConfig:
		return pipeline.Rejectf(schemas.ReasonInvalid, "a configuration is not redriven: crmstream tenants apply")
	case *schemas.CRMChange:
		if !w.configured(v.Provider) {
			return pipeline.Rejectf(schemas.ReasonInvalid, "the tenant has no account of %q", v.Provider)
		}
		p, _ := w.profile(v.Provider)
		var ids []string
		switch {
		case v.Stream != nil:
			ids = v.Stream.RecordIDs
		case v.Record != nil, v.Hint != nil:
			ids = []string{v.ID}
		default:
			return again(in)
		}
		for _, id := range ids {
			if p != nil && p.NormalizeID != nil {
				id = p.NormalizeID(id)
			}
			w.read(v.Provider, v.Object, id)
		}
		return nil
	}
	return again(in)
}

// redriveCall writes a call that was given up once more: to one CRM, or, where it was
// held too long, to whichever has its person now.
func (w *world) redriveCall(id, provider string) error {
	c, ok, err := get(w, calls, kindCall, id)
	if err != nil {
		return err
	}
	if !ok {
		return pipeline.Rejectf(schemas.ReasonInvalid, "call %s is not known any more: redrive its input, or send it again", id)
	}
	status := c.Status
	a := c.activity(provider)
	if a != nil {
		status = a.Status
	}
	switch {
	case status != schemas.StatusError:
		return pipeline.Rejectf(schemas.ReasonInvalid, "call %s is not in error there, it is %s", id, status)
	case a != nil && a.ID != "" && w.configured(provider) && w.account(provider).ID != a.Account:
		return pipeline.Rejectf(schemas.ReasonInvalid, "call %s was logged in the account %s, which was replaced: it stays there as it is", id, a.Account)
	case a != nil:
		a.Fields = nil // all of it is to be written
	}
	return w.decide(c)
}

// redrivePerson sends again what a CRM refused of a person.
func (w *world) redrivePerson(provider, key string) error {
	p, l, err := w.byRecordKey(provider, key)
	if err != nil {
		return err
	}
	if l == nil || l.Deleted {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the CRM's record is not this person's any more")
	}
	l.Refused = nil
	w.outbound(p, false)
	w.save(p)
	return nil
}
