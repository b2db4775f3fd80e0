package hubspot

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// read fetches records by id. An id that a merge took away is answered by the
// record that it went into.
func (a *attempt) read(ctx context.Context) {
	cols := a.Mapped(a.At.Object, columns(a.At.Object))
	if cols == nil {
		a.Invalid("object " + a.At.Object + " is not read")
		return
	}
	ids := a.IDs(batch, numeric)
	if len(ids) == 0 {
		return
	}
	var inputs []ref
	for _, id := range ids {
		inputs = append(inputs, ref{id})
	}
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, http.MethodPost, objectsPath+a.At.Object+"/batch/read", nil,
		map[string]any{"properties": slices.Concat(cols, always(a.At.Object)), "inputs": inputs})
	var got answer
	switch {
	case res != nil && rest.ClassOf(err) == schemas.ErrNotFound: // none of them is there
		a.Res.Status = int32(res.Status)
	case err != nil:
		a.Fail(err, outcome)
		return
	case !a.Decode(res.Response, &got, "batch result"):
		return
	}
	found := byID(got.Results, ids)
	a.Found(ctx, func(id string) *schemas.CRMChange {
		rec := found[id]
		if rec == nil {
			return nil
		}
		ch := a.person(rec, a.At.Object, cols, "read")
		if rec.ID != id {
			to := rec.ID
			ch.ID, ch.Record.MovedTo = id, &to
		}
		return ch
	}, func(r *schemas.ItemResult) { missing(r, got.Errors) })
}

func numeric(id string) string {
	if !number.MatchString(id) {
		return ""
	}
	return id
}

// byID has each record under its id and under the ids that were merged into it.
func byID(recs []record, asked []string) map[string]*record {
	found := make(map[string]*record, len(recs))
	for n := range recs {
		for old := range strings.SplitSeq(recs[n].value("hs_merged_object_ids"), ";") {
			if _, taken := found[old]; old != "" && !taken {
				found[old] = &recs[n]
			}
		}
	}
	for n := range recs {
		found[recs[n].ID] = &recs[n]
	}
	if len(asked) == 1 && len(recs) == 1 {
		found[asked[0]] = &recs[0]
	}
	return found
}

// missing says why an id has no record: gone, unless an error says that the CRM
// could not look.
func missing(r *schemas.ItemResult, errs []fault) {
	for n := range errs {
		if class, _ := classify(&errs[n]); slices.Contains(errs[n].Context["ids"], r.ID) && class != schemas.ErrNotFound {
			r.Error, r.Code, r.Message = class, errs[n].code(), rest.Redact(errs[n].Message)
		}
	}
}

// person makes the change of one record.
func (a *attempt) person(rec *record, object string, cols []string, cause string) *schemas.CRMChange {
	stamp := rec.value(modified(object))
	if stamp == "" {
		stamp = rec.UpdatedAt
	}
	r := &schemas.RecordRead{Deleted: rec.Archived, Cause: cause, AttemptID: a.At.ID}
	if t, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
		r.ModifiedAt = t.UnixMilli()
	}
	for _, col := range cols {
		v, ok := rec.Properties[col]
		if !ok {
			continue
		}
		if v != nil && *v == "" {
			v = nil // cleared reads back as "", never set as null
		}
		r.Fields = append(r.Fields, schemas.Field{Name: col, Value: v})
	}
	ch := a.Change(object, rec.ID)
	ch.Record = r
	return ch
}
