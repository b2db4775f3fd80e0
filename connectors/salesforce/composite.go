package salesforce

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// A record that is known by several references at once, as a campaign's member is by the
// campaign and the person, has no external id that it could be upserted by, and the CRM
// refuses to make it twice. It is looked up; what is there is changed, the rest is made.
// Whoever makes it in between lets the create be refused, and the next try finds it.

// plus stands between the fields of a composite identity, and between their values.
const plus = "+"

// upsertComposite writes items whose identity is a tuple of references.
func (a *attempt) upsertComposite(ctx context.Context) {
	fields := strings.Split(a.At.Items[0].IdentityField, plus)
	if a.TooMany(batch) {
		return
	}
	tuples := make([][]string, len(a.At.Items))
	for i := range a.At.Items {
		it := &a.At.Items[i]
		t := strings.Split(it.Identity, plus)
		if it.IdentityField != a.At.Items[0].IdentityField || len(t) != len(fields) || slices.ContainsFunc(t, func(id string) bool { return !recordID.MatchString(NormalizeID(id)) }) {
			a.Refuse(i, schemas.ErrPermanent, "the item names no record: "+it.IdentityField+" takes one id for each field")
			continue
		}
		for n := range t {
			t[n] = NormalizeID(t[n])
		}
		tuples[i] = t
	}
	there, ok := a.members(ctx, fields, tuples)
	if !ok {
		return
	}
	var made, changed []map[string]any
	var makes, changes []int
	distinct := a.Distinct()
	own := a.Kinds(a.At.Object)
	for i, t := range tuples {
		if t == nil || !distinct(i, strings.Join(t, plus)) {
			continue
		}
		rec, bad := a.record(&a.At.Items[i], own)
		switch id := there[strings.Join(t, plus)]; {
		case bad != "":
			a.malformed(i, bad)
		case id != "":
			rec["id"] = id
			changed, changes = append(changed, rec), append(changes, i)
		default:
			for n, f := range fields {
				rec[f] = t[n]
			}
			made, makes = append(made, rec), append(makes, i)
		}
	}
	a.saveEach(ctx, http.MethodPatch, changed, changes)
	a.saveEach(ctx, http.MethodPost, made, makes)
}

// saveEach writes what is to be changed, or to be made.
func (a *attempt) saveEach(ctx context.Context, method string, records []map[string]any, places []int) {
	if len(records) == 0 {
		return
	}
	a.part(ctx, method, apiPath+"/composite/sobjects", records, places)
	for _, i := range places {
		it := &a.Res.Items[i]
		it.Created = method == http.MethodPost && it.Error == ""
	}
}

// members looks up which tuples there are: their ids by the tuple.
func (a *attempt) members(ctx context.Context, fields []string, tuples [][]string) (ids map[string]string, ok bool) {
	var where []string
	for n, f := range fields {
		var in []string
		for _, t := range tuples {
			if t != nil && !slices.Contains(in, "'"+t[n]+"'") {
				in = append(in, "'"+t[n]+"'")
			}
		}
		if len(in) == 0 {
			return nil, false
		}
		where = append(where, f+" IN ("+strings.Join(in, ",")+")")
	}
	q := "SELECT Id, " + strings.Join(fields, ", ") + " FROM " + a.At.Object + " WHERE " + strings.Join(where, " AND ")
	got, _, ok := a.query(ctx, "/query", q)
	if ok && !got.Done { // campaigns that many share: fewer at a time
		a.Fail(&rest.Error{Class: schemas.ErrBatch, Message: "more records than one answer has may be meant"}, schemas.NotSent)
		ok = false
	}
	if !ok {
		a.nothingWritten()
		return nil, false
	}
	ids = make(map[string]string, len(got.Records))
	for _, rec := range got.Records {
		t := make([]string, len(fields))
		for n, f := range fields {
			t[n] = NormalizeID(text(rec[f]))
		}
		ids[strings.Join(t, plus)] = NormalizeID(text(rec["Id"]))
	}
	return ids, true
}
