package sync

import (
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/value"
)

// A number that may not be dialled, whoever has it (B23), stands under kindErased beside
// the hashes: it begins with a plus sign, they don't.

// numberRest begins the id of a timerReread that publishes who has a number: number NUL
// the last one.
const numberRest = "\x01"

// saidNumber is the last explicit word about a number, and who said it.
type saidNumber struct {
	DNC  bool   `avro:"dnc"`
	At   int64  `avro:"at"` // ms, by the clock of whoever said it
	From string `avro:"origin"`
	Ref  string `avro:"ref"`
	Why  string `avro:"why"`
}

var saidNumbers = value.New[saidNumber]("number that may not be dialled")

// forbid makes a person one whom nobody may call, and keeps who said so. A repeat that is
// later counts against an earlier word that comes after it.
func (w *world) forbid(e *edit, field string, v *string, at int64) {
	p := e.p
	if p.DNC {
		if at > p.DNCAt {
			p.DNCAt, e.dirty = at, true
		}
		return
	}
	p.DNC, p.DNCAt, p.DNCFrom, p.DNCRef = true, at, e.origin, w.ref
	e.changed, e.dirty = true, true
	w.fieldChange(e, field, nil, v, "do_not_call of either side")
}

// understood rejects a word about do-not-call that is no truth value: to pass it over
// would let somebody call. An empty one says nothing.
func understood(f *schemas.Field) error {
	if blank(f.Value) {
		return nil
	}
	if _, ok := mapping.Truth(*f.Value); !ok {
		return pipeline.Rejectf(schemas.ReasonInvalid, "the field %s is neither true nor false", f.Name)
	}
	return nil
}

// dnc is an explicit word of the dialer about a contact, a number, or both (B23). It is
// the only one that takes do-not-call back, and only if it is the later one.
func (w *world) dnc(ev *schemas.DialerEvent) error {
	v, ok := find(ev.Fields, "do_not_call")
	if !ok || blank(v) {
		return pipeline.Rejectf(schemas.ReasonInvalid, "dnc_changed without the field do_not_call")
	}
	if err := understood(&schemas.Field{Name: "do_not_call", Value: v}); err != nil {
		return err
	}
	raw, about := find(ev.Fields, "phone")
	if about = about && !blank(raw); about {
		n := phone.E164(*raw, w.cfg.Country)
		if n == "" {
			return pipeline.Rejectf(schemas.ReasonInvalid, "dnc_changed: the field phone is no phone number")
		}
		why, _ := find(ev.Fields, "why")
		if err := w.numberSaid(n, truth(v), min(ev.At, w.tx.Now), textOf(why)); err != nil {
			return err
		}
	}
	switch {
	case ev.ContactID != nil:
		return w.contactSaid(ev, v)
	case !about:
		return pipeline.Rejectf(schemas.ReasonInvalid, "dnc_changed without contact_id and without the field phone")
	}
	return nil
}

func (w *world) contactSaid(ev *schemas.DialerEvent, v *string) error {
	pid, ok, err := w.text(kindContact, *ev.ContactID)
	if err != nil {
		return err
	}
	if !ok {
		return w.contact(&schemas.ContactChange{ContactID: *ev.ContactID, ModifiedAt: ev.At, Fields: []schemas.Field{{Name: "do_not_call", Value: v}}})
	}
	ps, ok, err := w.load(pid)
	at := min(ev.At, w.tx.Now) // one that has not come yet would stand for ever
	if err != nil || !ok || at < ps.DNCAt {
		return err
	}
	e := &edit{p: ps, origin: dialer, at: at}
	switch {
	case ps.DNC && truth(v):
		w.forbid(e, "do_not_call", v, at)
	case ps.DNC != truth(v):
		e.changed, e.dirty = true, true
		old := strconv.FormatBool(ps.DNC)
		ps.DNC, ps.DNCAt, ps.DNCFrom, ps.DNCRef = truth(v), at, dialer, w.ref
		w.fieldChange(e, "do_not_call", &old, v, "explicit act")
	}
	return w.store(e)
}

// numberSaid keeps the last word about a number, and tells of everybody who has it.
func (w *world) numberSaid(n string, dnc bool, at int64, why string) error {
	old, ok, err := get(w, saidNumbers, kindErased, n)
	switch {
	case err != nil:
		return err
	case ok && (at < old.At || at == old.At && old.DNC), !ok && !dnc:
		return nil // it is known, or there is nothing to take back
	}
	put(w, saidNumbers, kindErased, n, &saidNumber{DNC: dnc, At: at, From: dialer, Ref: w.ref, Why: why})
	if ok && old.DNC == dnc {
		return nil
	}
	if !w.numbers {
		w.numbers = true
		w.saveSettings()
	}
	return w.tellNumber(n + "\x00")
}

// tellNumber publishes those who have a number, some at a time (P8).
func (w *world) tellNumber(id string) error {
	n, after, _ := strings.Cut(id, "\x00")
	prefix, from := n+"\x00", state.Key{}
	if after != "" {
		from = w.t.Key(kindPhone, prefix+after)
	}
	var ids []string
	err := w.tx.Store.Scan(w.t.Prefix(kindPhone, prefix), from, func(k state.Key, _ []byte) (bool, error) {
		ids = append(ids, k.ID()[len(prefix):])
		return len(ids) < releaseAtOnce, nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		p, ok, err := w.load(id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := w.publish(&edit{p: p, origin: dialer, at: w.tx.Now}); err != nil {
			return err
		}
	}
	if len(ids) == releaseAtOnce {
		w.timer(w.tx.Now+1, timerReread, numberRest+prefix+ids[len(ids)-1])
	}
	return nil
}

// forbidden are the numbers of a person that may not be dialled, whoever has them. Nothing
// is looked up for a tenant of which no number was ever said that.
func (w *world) forbidden(p *person, each func(n string, s *saidNumber)) error {
	if !w.numbers {
		return nil
	}
	var seen []string
	for i := range p.Fields {
		f := &p.Fields[i]
		if w.lines.Role(f.Name) != profile.Phone || blank(f.Value) {
			continue
		}
		n := phone.E164(*f.Value, w.cfg.Country)
		if n == "" || slices.Contains(seen, n) {
			continue
		}
		seen = append(seen, n)
		s, ok, err := get(w, saidNumbers, kindErased, n)
		if err != nil {
			return err
		}
		if ok {
			each(n, s)
		}
	}
	return nil
}

// saveSettings keeps what a tenant's state knows beside its configuration.
func (w *world) saveSettings() {
	put(w, configs, kindConfig, "", &settings{*w.cfg, w.orgs, w.salt, w.numbers, w.facts})
}
