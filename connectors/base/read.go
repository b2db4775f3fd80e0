package base

import (
	"context"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Columns are the fields that are read of an object: what is mapped inbound, and
// extra ones. Outbound fields are left out: an account may lack them, and one unknown
// field can refuse a whole read. They are sorted; nil = the object is not read.
func Columns(p *profile.Profile, object string, extra ...string) []string {
	var mappings []profile.Mapping
	if o, ok := p.ObjectByName(object); ok {
		mappings = o.Mappings
	} else if t, ok := p.TableByName(object); ok {
		mappings = t.Mappings
	} else {
		return nil
	}
	cols := slices.Clone(extra)
	for _, m := range mappings {
		if m.Direction != profile.Outbound && !m.Optional {
			cols = append(cols, m.CRM)
		}
	}
	slices.Sort(cols)
	return slices.Compact(cols)
}

// columnsSetting begins the name of the setting by which the core says what a tenant's
// mapping has beside the profile: "columns.Lead" = "-Title,Nick__c,Score__c:number"; a
// field with > before it is written only, one with - is the profile's and not there.
const columnsSetting = "columns."

// extraField is one entry of that setting.
type extraField struct {
	sign       byte // '>', '-', or 0
	name, kind string
}

func (a *Account) extra(object string) (out []extraField) {
	for _, f := range a.Config.Settings {
		if f.Name != columnsSetting+object || f.Value == nil {
			continue
		}
		for part := range strings.SplitSeq(*f.Value, ",") {
			e := extraField{}
			e.name, e.kind, _ = strings.Cut(part, ":")
			if e.name != "" && (e.name[0] == '>' || e.name[0] == '-') {
				e.sign, e.name = e.name[0], e.name[1:]
			}
			out = append(out, e)
		}
	}
	return out
}

// Kinds are those of the fields that the tenant's mapping has of an object beside the
// profile and whose values are no text.
func (a *Account) Kinds(object string) map[string]string {
	kinds := make(map[string]string)
	for _, e := range a.extra(object) {
		if e.kind != "" {
			kinds[e.name] = e.kind
		}
	}
	return kinds
}

// Mapped are columns of the profile with those that the tenant's mapping has beside them,
// and without those that the CRM does not have; sorted, each once. nil stays nil.
func (a *Account) Mapped(object string, cols []string) []string {
	extra := a.extra(object)
	if cols == nil || len(extra) == 0 {
		return cols
	}
	all := slices.Clone(cols)
	for _, e := range extra {
		switch e.sign {
		case '-':
			all = slices.DeleteFunc(all, func(c string) bool { return c == e.name })
		case 0:
			all = append(all, e.name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// IDs returns the ids that a read asks for, each once, in the form that id gives
// them; one for which it returns "" is refused. None is returned where there is
// nothing to ask.
func (t *Attempt) IDs(most int, id func(string) string) []string {
	var ids []string
	for i, it := range t.At.Items {
		switch x := id(it.ID); {
		case x == "" || len(t.At.Items) > most: // also: nothing of a stranger's goes into a request
			t.Refuse(i, schemas.ErrPermanent, "not a record id, or more of them than one request may name")
		case !slices.Contains(ids, x):
			ids = append(ids, x)
		}
	}
	return ids
}

// Found settles a read by what was found; missing says of an item that was not why.
func (t *Attempt) Found(ctx context.Context, find func(id string) *schemas.CRMChange, missing func(r *schemas.ItemResult)) {
	for i, it := range t.At.Items {
		r := &t.Res.Items[i]
		if r.Error != "" {
			continue
		}
		r.Outcome = schemas.Sent
		c := find(it.ID)
		if c == nil {
			r.Error, r.Code, r.Message = schemas.ErrNotFound, "NOT_FOUND", "no such record, or not visible"
			missing(r)
			continue
		}
		if !t.Emit(ctx, i, c) {
			return
		}
	}
}

// FindMost is how many records one search by number brings: more are a switchboard.
const FindMost = 50

// Sought is the number that a find is about, as digits: in E.164 without its sign, and as
// dialled within its country. It refuses what is no number: nothing of a stranger's goes
// into a request.
func (t *Attempt) Sought() (international, national string, ok bool) {
	it := &t.At.Items[0]
	international = strings.TrimPrefix(it.Identity, "+")
	national = Map(it.Fields)[schemas.FindNational]
	if national == "" {
		national = international
	}
	for _, n := range []string{international, national} {
		if len(n) < 2 || len(n) > 15 || strings.Trim(n, "0123456789") != "" {
			t.Refuse(0, schemas.ErrPermanent, "not a phone number")
			return "", "", false
		}
	}
	return international, national, true
}

// NotSought fails a find. That the account may not search parks nothing: what waits is
// found when it comes by itself.
func (t *Attempt) NotSought(err error, outcome rest.Outcome) {
	e := *asError(err)
	if e.Class == schemas.ErrForbidden {
		e.Class, outcome = schemas.ErrPermanent, schemas.Sent
	}
	t.Fail(&e, outcome)
}

// PageCause is the cause of the records of the page: whether their source is read on, or
// once more.
func (t *Attempt) PageCause() string {
	if strings.HasSuffix(t.At.Page.Source, profile.Again) {
		return schemas.CauseAgain
	}
	return schemas.CausePage
}

// PageLimit is how many records the page may have.
func (t *Attempt) PageLimit(most int) int {
	if n := int(t.At.Page.Limit); n > 0 && n <= most {
		return n
	}
	return most
}

// PageDone says that the page was read whole.
func (t *Attempt) PageDone(next string, last bool) {
	for i := range t.Res.Items {
		t.Res.Items[i].Outcome = schemas.Sent
	}
	t.Page = &connectors.Page{Next: next, Last: last}
}
