package sync

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
)

// ErrNobody is returned by Explain where the tenant has nothing of that name.
var ErrNobody = errors.New("nothing found")

// explainMost bounds the persons and the calls of one explanation.
const explainMost = 20

// Explain finds what somebody asks about: a call, a person, a contact of the dialer, a
// CRM record as provider/object/id or by its address, an e-mail address, a number. The
// transaction is only read from.
func (s *Sync) Explain(tx *pipeline.Tx, tenant, what string) (*pipeline.Explanation, error) {
	w := &world{s: s, tx: tx, t: tx.Tenant(tenant)}
	e := &pipeline.Explanation{Tenant: tenant}
	cfg, ok, err := w.config()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: the tenant %s is not configured", ErrNobody, tenant)
	}
	w.cfg, e.ConfigVersion = cfg, cfg.Version
	persons, calls, err := w.named(what)
	if err != nil {
		return nil, err
	}
	for _, id := range persons {
		p, ok, err := w.load(id)
		if err != nil {
			return nil, err
		}
		if ok {
			x := w.explainPerson(p)
			if err := w.forbidden(p, func(n string, s *saidNumber) {
				x.Numbers = append(x.Numbers, pipeline.ExplainedNumber{Number: n, DoNotCall: s.DNC, At: s.At, From: s.From, Ref: s.Ref, Why: s.Why})
			}); err != nil {
				return nil, err
			}
			e.Persons = append(e.Persons, x)
		}
	}
	for _, id := range calls {
		c, ok, err := w.getCall(id)
		if err != nil {
			return nil, err
		}
		if ok {
			e.Calls = append(e.Calls, w.explainCall(c))
		}
	}
	if len(e.Persons)+len(e.Calls) == 0 {
		return nil, fmt.Errorf("%w: no call, person, contact, CRM record, e-mail address or number of %s is %q", ErrNobody, tenant, what)
	}
	return e, nil
}

func (w *world) getCall(id string) (*call, bool, error) { return get(w, calls, kindCall, id) }

// named returns the ids of the persons and calls that a name stands for.
func (w *world) named(what string) (persons, calls []string, err error) {
	if _, ok, err := w.getCall(what); err != nil || ok {
		return nil, []string{what}, err
	}
	if _, ok, err := w.load(what); err != nil || ok {
		return []string{what}, nil, err
	}
	if id, ok, err := w.text(kindContact, what); err != nil || ok {
		held, err2 := w.members(kindHeld, "c:"+what, explainMost)
		return []string{id}, held, errors.Join(err, err2)
	}
	if persons, calls, err = w.namedRecord(what); err != nil || len(persons)+len(calls) > 0 {
		return persons, calls, err
	}
	if strings.Contains(what, "@") {
		persons, err = w.members(kindEmail, normalEmail(what), explainMost)
		return persons, nil, err
	}
	if n := phone.E164(what, w.cfg.Country); n != "" {
		if persons, err = w.members(kindPhone, n, explainMost); err != nil {
			return nil, nil, err
		}
		calls, err = w.members(kindHeld, "n:"+n, explainMost)
		calls = slices.DeleteFunc(calls, func(id string) bool { return strings.HasPrefix(id, heldEvent) })
	}
	return persons, calls, err
}

// namedRecord finds a CRM record by provider/object/id, by its id alone, or by the
// address at which the CRM shows it.
func (w *world) namedRecord(what string) (persons, calls []string, err error) {
	if u, err := url.Parse(what); err == nil && u.Host != "" {
		what = u.Path
	}
	for _, part := range strings.Split(what, "/") {
		if part == "" {
			continue
		}
		for _, provider := range w.s.order {
			p, _ := w.profile(provider)
			id := part
			if p.NormalizeID != nil {
				id = p.NormalizeID(id)
			}
			for i := range p.Objects {
				if pid, ok, err := w.text(kindLink, w.linkID(provider, p.Objects[i].Name, id)); err != nil {
					return nil, nil, err
				} else if ok && !slices.Contains(persons, pid) {
					persons = append(persons, pid)
				}
			}
			key, ok, err := w.text(kindActivity, w.linkID(provider, p.Activity.Object, id))
			if err != nil {
				return nil, nil, err
			}
			if call, is := strings.CutPrefix(key, callKey("")); ok && is && !slices.Contains(calls, call) {
				calls = append(calls, call)
			}
		}
	}
	return persons, calls, nil
}

func (w *world) explainPerson(p *person) pipeline.ExplainedPerson {
	out := pipeline.ExplainedPerson{ID: p.ID, Status: p.Status, DoNotCall: p.DNC, DoNotCallAt: p.DNCAt, DoNotCallFrom: p.DNCFrom, DoNotCallRef: p.DNCRef, Fields: []pipeline.ExplainedField{}, Records: []pipeline.ExplainedRecord{}}
	if p.ContactID != nil {
		out.ContactID = *p.ContactID
	}
	for i := range p.Fields {
		f := &p.Fields[i]
		ef := pipeline.ExplainedField{Name: f.Name, Value: f.Value, From: f.From, At: f.At, Ref: f.Ref, Went: []pipeline.FieldPlace{}}
		for k := range p.Links {
			ef.Went = append(ef.Went, w.places(p, &p.Links[k], f.Name)...)
		}
		for k := range p.Disputes {
			if d := &p.Disputes[k]; d.Field == f.Name && d.OpenedAt > 0 {
				ef.Open = &pipeline.OpenConflict{ID: disputeID(p.ID, d.Field), Since: d.OpenedAt, Value: d.Value, Of: d.Record}
			}
		}
		out.Fields = append(out.Fields, ef)
	}
	for i := range p.Links {
		l := &p.Links[i]
		out.Records = append(out.Records, pipeline.ExplainedRecord{Record: schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID}, Account: l.Account,
			Deleted: l.Deleted, OutOfScope: l.Out, Key: recordKey(l.Object, l.ID)})
	}
	return out
}

// places says how one field of a person stands in one of its CRM records.
func (w *world) places(p *person, l *link, name string) (out []pipeline.FieldPlace) {
	o := w.lines.Object(l.Provider, l.Object)
	if o == nil {
		return nil
	}
	for _, m := range o.Lines {
		if m.Dialer != name {
			continue
		}
		at := pipeline.FieldPlace{Record: schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID}, Field: m.CRM}
		known, told := find(l.Known, m.CRM)
		at.Holds = known
		if why, warned := find(l.Warnings, name); warned && why != nil {
			at.Why = *why
		}
		_, pending := find(l.Wanted, m.CRM)
		_, refused := find(l.Refused, m.CRM)
		v, has, _ := w.outward(p, m)
		switch {
		case pending:
			at.State = pipeline.FieldOnWay
		case !m.Outbound():
			at.State = pipeline.FieldInbound
		case told && (!has && blank(known) || has && m.Alike(w.env, known, v)):
			at.State = pipeline.FieldInStep
		case l.Deleted:
			at.State = pipeline.FieldDeleted
		case l.Out:
			at.State = pipeline.FieldOutOfScope
		case refused:
			at.State = pipeline.FieldRefused
		default:
			at.State = pipeline.FieldDiffers
		}
		out = append(out, at)
	}
	return out
}

func (w *world) explainCall(c *call) pipeline.ExplainedCall {
	out := pipeline.ExplainedCall{ID: c.Event.CallID, Revision: c.Event.Revision, Status: c.Status, Reason: c.Reason, Person: c.Person, Ambiguous: c.Ambiguous,
		Candidates: c.Candidates, GiveUpAt: c.GiveUpAt, StartedAt: c.Event.StartedAt, Ref: c.Ref, Activities: []pipeline.ExplainedActivity{}}
	for _, on := range c.HeldOn {
		kind, of, _ := strings.Cut(on, ":")
		switch kind {
		case "n":
			out.WaitsFor = append(out.WaitsFor, "a person with the number "+of)
		case "c":
			out.WaitsFor = append(out.WaitsFor, "a CRM record of the contact "+of)
		case "l":
			out.WaitsFor = append(out.WaitsFor, "the record "+strings.ReplaceAll(of, "\x00", "/"))
		default:
			out.WaitsFor = append(out.WaitsFor, strings.ReplaceAll(on, "\x00", "/"))
		}
	}
	for i := range c.Activities {
		a := &c.Activities[i]
		out.Activities = append(out.Activities, pipeline.ExplainedActivity{Record: schemas.Link{Provider: a.Provider, Object: a.Object, ID: a.ID}, URL: a.URL,
			Status: a.Status, Reason: a.Reason, At: a.At, On: a.Person, Key: callKey(c.Event.CallID)})
	}
	return out
}
