package sync

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

// Sync is the function. It holds profiles only, and who runs scripts.
type Sync struct {
	base     *mapping.Base
	scripts  mapping.Scripts // nil = custom transforms are errors
	profiles map[string]*profile.Profile
	order    []string // of the profiles, as given
	zones    zones
	configs  decodedConfigs
	echoes   bool
}

// HearEchoes switches off what only saves calls to the CRMs: that a write which was taken
// counts as what stands there, and that a CRM is not told what it says itself.
func (s *Sync) HearEchoes() { s.echoes = true }

// New returns a Sync for CRMs with these profiles; scripts may be nil.
func New(profiles []*profile.Profile, scripts mapping.Scripts) *Sync {
	s := &Sync{profiles: make(map[string]*profile.Profile, len(profiles))}
	for _, p := range profiles {
		s.profiles[p.Provider] = p
		s.order = append(s.order, p.Provider)
	}
	s.base, s.scripts = mapping.NewBase(profiles, s.zones.known), scripts
	return s
}

// Again applies a record that was held, or given up before, as if it came now: to
// sync and to deliver, too.
type Again func(in *pipeline.Record) error

// Step applies one record and returns what should be written. again is called only
// for a *schemas.ControlAction.
func (s *Sync) Step(tx *pipeline.Tx, in *pipeline.Record, again Again) (pipeline.Intents, error) {
	w := &world{s: s, tx: tx, t: tx.Tenant(in.Tenant), ref: ref(in)}
	switch v := in.Decoded.(type) {
	case *schemas.TenantConfig:
		err := w.configure(v)
		return w.want, err
	case *schemas.AttemptResult: // what it teaches needs no configuration, and no order
		err := w.learn(v)
		return w.want, err
	}
	cfg, ok, err := w.config()
	if err != nil {
		return w.want, err
	}
	waiting, err := w.anyUnknown()
	if err != nil {
		return w.want, err
	}
	if !ok || cfg.Removed || waiting {
		err := w.hold(in)
		return w.want, err
	}
	w.cfg = cfg
	err = w.apply(in, again)
	return w.want, w.ended(err)
}

// Apply is Step for a record whose time has come: it is not held.
func (s *Sync) Apply(tx *pipeline.Tx, in *pipeline.Record, again Again) (pipeline.Intents, error) {
	w := &world{s: s, tx: tx, t: tx.Tenant(in.Tenant), ref: ref(in)}
	cfg, ok, err := w.config()
	if err != nil || !ok {
		return w.want, err
	}
	w.cfg = cfg
	err = w.apply(in, again)
	return w.want, w.ended(err)
}

func ref(in *pipeline.Record) string {
	topic := in.Topic
	if in.Via != "" {
		topic = in.Via // the offset is that of the topic it was read from
	}
	return topic + "-" + strconv.Itoa(int(in.Partition)) + "@" + strconv.FormatInt(in.Offset, 10)
}

func (w *world) apply(in *pipeline.Record, again Again) error {
	switch v := in.Decoded.(type) {
	case *schemas.CallEvent:
		return w.call(v)
	case *schemas.ContactChange:
		return w.contact(v)
	case *schemas.DialerEvent:
		return w.event(v)
	case *schemas.CRMChange:
		return w.change(v)
	case *schemas.AttemptResult:
		return w.learn(v)
	case *schemas.ControlAction:
		return w.action(v, in.Original, again)
	}
	return pipeline.Rejectf(schemas.ReasonUnsupported, "a %T is nothing that this version acts on", in.Decoded)
}

// configure takes a tenant's configuration over; the highest version counts.
func (w *world) configure(c *schemas.TenantConfig) error {
	if c.Tenant != w.t.Name() {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the record's key names another tenant than its value")
	}
	old, ok, err := w.config()
	if err != nil {
		return err
	}
	if ok && old.Version >= c.Version {
		return nil // a repeat
	}
	was := w.lines
	lines, problems := w.s.base.Compile(c)
	if bad := mapping.Errors(problems); len(bad) > 0 && !c.Removed {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the configuration can't be: %s: %s (crmstream tenants lint says all of it)", bad[0].List, bad[0])
	}
	if err := w.adopt(c); err != nil {
		return err
	}
	w.use(lines)
	if fuzzy(c) && !(ok && fuzzy(old)) {
		w.timer(w.tx.Now, timerNames, "")
	}
	w.cfg = c
	if err := w.survey(); err != nil {
		return err
	}
	put(w, configs, kindConfig, "", &settings{*c, w.orgs, w.salt, w.numbers, w.facts})
	w.tx.Store.Put(state.System(w.tx.Partition, sysTenant, c.Tenant), []byte{1})
	now := make(map[string]bool)
	for _, a := range c.Accounts {
		now[a.Provider] = !c.Removed
	}
	if ok {
		for _, a := range old.Accounts {
			if !now[a.Provider] {
				w.tx.Do(pipeline.Unwatch{Tenant: c.Tenant, Provider: a.Provider})
			}
		}
	}
	if c.Removed {
		gone := *c
		gone.Accounts = nil
		w.want.Accounts = &gone
		return nil
	}
	if err := w.watch(); err != nil {
		return err
	}
	w.want.Accounts = c
	if ok && !old.Removed {
		if err := w.readAgain(was, old, c); err != nil {
			return err
		}
	}
	if ok && !old.Removed && remaps(old, c) {
		if err := w.remap(); err != nil {
			return err
		}
	}
	if ok && reconsiders(old, c) {
		w.timer(w.tx.Now, timerReconsider, "")
	}
	if waits, err := w.anyUnknown(); err != nil || !waits {
		return err
	}
	w.timer(w.tx.Now, timerUnknown, "")
	return nil
}

// watch tells the host of every account of the tenant.
func (w *world) watch() error {
	for _, a := range w.cfg.Accounts {
		if _, known := w.profile(a.Provider); !known {
			continue
		}
		pos, ok, err := get(w, streams, kindStream, a.Provider)
		if err != nil {
			return err
		}
		if !ok {
			pos = &position{}
		}
		w.tx.Do(pipeline.Watch{Tenant: w.t.Name(), Account: w.withColumns(a), ConfigVersion: w.cfg.Version, Epoch: pos.Epoch, Cursor: pos.Cursor})
	}
	return nil
}

// Resume tells the host of every account of a partition and returns its tenants.
func (s *Sync) Resume(tx *pipeline.Tx) ([]string, error) {
	var tenants []string
	err := tx.Store.Scan(state.System(tx.Partition, sysTenant, ""), state.Key{}, func(k state.Key, _ []byte) (bool, error) {
		tenants = append(tenants, k.ID())
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	for _, t := range tenants {
		w := &world{s: s, tx: tx, t: tx.Tenant(t), ref: "resume"}
		cfg, ok, err := w.config()
		if err != nil {
			return nil, err
		}
		if !ok || cfg.Removed {
			continue
		}
		w.cfg = cfg
		if err := w.watch(); err != nil {
			return nil, err
		}
	}
	return tenants, nil
}

// change applies what was seen in a CRM.
func (w *world) change(c *schemas.CRMChange) error {
	p, ok := w.profile(c.Provider)
	if !ok {
		return pipeline.Rejectf(schemas.ReasonUnsupported, "no connector for %q", c.Provider)
	}
	switch o := w.org(c.Provider); {
	case o == nil:
		return pipeline.Rejectf(schemas.ReasonUnsupported, "the tenant never had an account of %q", c.Provider)
	case c.Account != "" && c.Account != o.ID:
		return pipeline.Rejectf(schemas.ReasonCredentialLost, "it was seen in the account %s, the tenant's is %s", c.Account, o.ID)
	}
	if p.NormalizeID != nil && c.ID != "" {
		c.ID = p.NormalizeID(c.ID)
	}
	n := 0
	for _, set := range []bool{c.Record != nil, c.Stream != nil, c.Hint != nil, c.PageEnd != nil, c.Reference != nil} {
		if set {
			n++
		}
	}
	switch {
	case n != 1:
		return pipeline.Rejectf(schemas.ReasonInvalid, "a change must have exactly one body, it has %d", n)
	case c.Record != nil:
		t := w.lines.Table(c.Provider, c.Object)
		if p.Deal.Object != "" && c.Object == p.Deal.Object {
			if err := w.dealRead(p, c.ID, c.Record.Deleted, c.Record.Fields); err != nil {
				return err
			}
		} else if t == nil {
			if ours, err := w.activityRead(c, c.Record.Deleted, c.Record.Fields); err != nil || ours {
				return err
			}
		}
		if t != nil {
			return w.tableRead(p, t, c)
		}
		return w.record(p, c)
	case c.Stream != nil:
		return w.stream(p, c)
	case c.Hint != nil && c.Hint.Kind == schemas.HintErased:
		return w.privacyDeleted(c.Provider, c.Object, c.ID)
	case c.Hint != nil:
		if kindOf(w.lines, c.Provider, c.Object) != nil { // else it is off, or nobody's
			w.read(c.Provider, c.Object, c.ID)
		}
		return nil
	case c.Reference != nil:
		return w.reference(c)
	}
	return w.pageEnd(p, c.PageEnd) // deliver moves the cursor
}

// reference keeps owners both ways, the CRM's list of dispositions, and what fields its
// kinds of record have.
func (w *world) reference(c *schemas.CRMChange) error {
	switch c.Reference.Kind {
	case "owner":
	case "disposition":
		w.dispositionSaid(c)
		return nil
	case schemas.ReferenceSchema:
		return w.describe(c)
	default:
		return nil
	}
	var email, zone string
	active := !c.Reference.Deleted
	for _, f := range c.Reference.Fields {
		switch {
		case f.Value == nil:
		case f.Name == "email":
			email = normalEmail(*f.Value)
		case f.Name == "active":
			active = active && *f.Value == "true"
		case f.Name == "time_zone":
			zone = *f.Value
		}
	}
	if email == "" || c.ID == "" {
		return nil
	}
	id := w.scope(c.Provider) + "\x00" + c.ID
	if was, ok, err := w.text(kindOwnerID, id); err != nil {
		return err
	} else if !ok || was != email {
		w.ownerKnown(c.Provider, c.ID)
	}
	w.setText(kindOwnerID, id, email)
	was, _, err := w.text(kindZone, id)
	switch {
	case err != nil:
		return err
	case zone != was && zone != "":
		w.setText(kindZone, id, zone)
	case zone != was:
		w.tx.Store.Delete(w.t.Key(kindZone, id))
	}
	key := w.scope(c.Provider) + "\x00" + email
	owner, ok, err := w.text(kindOwner, key)
	switch {
	case err != nil:
		return err
	case active && (!ok || owner != c.ID):
		w.setText(kindOwner, key, c.ID)
	case !active && ok && owner == c.ID:
		w.tx.Store.Delete(w.t.Key(kindOwner, key))
	}
	return nil
}

// Tick fires a timer of sync; ok is false for one that is not its own.
func (s *Sync) Tick(tx *pipeline.Tx, tm pipeline.Timer, again Again) (want pipeline.Intents, ok bool, err error) {
	w := &world{s: s, tx: tx, t: tx.Tenant(tm.Tenant), ref: "timer"}
	switch tm.Kind {
	case timerRelease, timerGiveUp, timerForget, timerUnknown, timerDrop, timerAction, timerSweep, timerTotals, timerUnheard, timerLead, timerNames, timerUnited, timerAgain, timerReconsider, timerAskedFor, timerReread, timerConverted, timerEveryCRM, timerLater, timerFieldBack, timerSendField:
	default:
		return w.want, false, nil
	}
	cfg, configured, err := w.config()
	if err != nil {
		return w.want, true, err
	}
	w.cfg = cfg
	if tm.Kind == timerUnknown {
		err := w.unknownTick(configured && !cfg.Removed, again)
		return w.want, true, err
	}
	if !configured {
		return w.want, true, nil
	}
	switch tm.Kind {
	case timerRelease:
		err = w.release(tm.ID)
	case timerDrop:
		err = w.dropAll(tm.ID)
	case timerSweep:
		err = w.sweep(tm.ID)
	case timerAction:
		w.tx.Store.Delete(w.t.Key(kindAction, tm.ID))
	case timerGiveUp:
		err = w.giveUp(tm.ID)
	case timerForget:
		err = w.forget(tm.ID)
	case timerTotals:
		err = w.writeTotals(tm.ID)
	case timerUnheard:
		err = w.unheard(tm.ID)
	case timerLead:
		err = w.leadMade(tm.ID)
	case timerNames:
		err = w.indexNames(tm.ID)
	case timerAgain:
		err = w.writeAgain(tm.ID)
	case timerUnited:
		err = w.moveCalls(tm.ID)
	case timerReconsider:
		err = w.reconsider(tm.ID)
	case timerLater:
		err = w.later(tm.ID)
	case timerAskedFor:
		w.askedForNoMore(tm.ID)
	case timerReread:
		if rest, is := strings.CutPrefix(tm.ID, eraseRest); is {
			err = w.eraseOn(rest)
		} else if rest, is := strings.CutPrefix(tm.ID, numberRest); is {
			err = w.tellNumber(rest)
		} else {
			w.reread(tm.ID)
		}
	case timerConverted:
		err = w.followConverted(tm.ID)
	case timerEveryCRM:
		err = w.logEverywhere(tm.ID)
	case timerFieldBack:
		err = w.fieldBack(tm.ID)
	case timerSendField:
		err = w.sendField(tm.ID)
	}
	if err != nil {
		err = fmt.Errorf("timer %c %q: %w", tm.Kind, tm.ID, err)
	}
	return w.want, true, w.ended(err)
}
