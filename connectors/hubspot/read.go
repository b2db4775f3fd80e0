package hubspot

import (
	"context"
	"encoding/json"
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
	cols := columns(a.at.Object)
	if cols == nil {
		a.fail(&rest.Error{Class: schemas.ErrPermanent, Message: "object " + a.at.Object + " is not read"}, schemas.NotSent)
		return
	}
	var inputs []ref
	for i, it := range a.at.Items {
		if !number.MatchString(it.ID) || len(a.at.Items) > batch {
			r := &a.res.Items[i]
			r.Error, r.Message = schemas.ErrPermanent, "not a record id, or more than 100 of them"
			continue
		}
		if !slices.Contains(inputs, ref{it.ID}) { // a double refuses the whole batch
			inputs = append(inputs, ref{it.ID})
		}
	}
	if len(inputs) == 0 {
		return
	}
	res, outcome, err := a.call(ctx, a.rest, a.leaveBy, http.MethodPost, objectsPath+a.at.Object+"/batch/read", nil,
		map[string]any{"properties": slices.Concat(cols, always), "inputs": inputs})
	var got answer
	switch e, _ := err.(*rest.Error); {
	case err != nil && res != nil && e != nil && e.Class == schemas.ErrNotFound:
		// None of them is there.
	case err != nil:
		a.failRead(err, outcome)
		return
	default:
		if err := json.Unmarshal(res.Body, &got); err != nil {
			a.fail(&rest.Error{Class: schemas.ErrTransient, Status: res.Status, Message: "the answer is no batch result"}, schemas.Unknown)
			return
		}
	}
	a.res.Status = int32(res.Status)
	// found has each record under its id and under the ids that were merged into it.
	found := make(map[string]*record, len(got.Results))
	for n := range got.Results {
		rec := &got.Results[n]
		for old := range strings.SplitSeq(rec.value("hs_merged_object_ids"), ";") {
			if _, taken := found[old]; old != "" && !taken {
				found[old] = rec
			}
		}
	}
	for n := range got.Results {
		found[got.Results[n].ID] = &got.Results[n]
	}
	if len(inputs) == 1 && len(got.Results) == 1 {
		found[inputs[0].ID] = &got.Results[0]
	}
	for i, it := range a.at.Items {
		r := &a.res.Items[i]
		if r.Error != "" {
			continue
		}
		r.Outcome = schemas.Sent
		rec, ok := found[it.ID]
		if !ok {
			a.missing(r, got.Errors)
			continue
		}
		ch := a.person(rec, cols, "read")
		if rec.ID != it.ID {
			to := rec.ID
			ch.ID, ch.Record.MovedTo = it.ID, &to
		}
		if err := a.emit(ctx, ch); err != nil {
			a.notTaken(i)
			return
		}
	}
}

// missing says why an id has no record: gone, unless an error says that the CRM
// could not look.
func (a *attempt) missing(r *schemas.ItemResult, errs []fault) {
	r.Error, r.Code, r.Message = schemas.ErrNotFound, "OBJECT_NOT_FOUND", "no such record, or not visible"
	for n := range errs {
		if class, _ := classify(&errs[n]); slices.Contains(errs[n].Context["ids"], r.ID) && class != schemas.ErrNotFound {
			r.Error, r.Code, r.Message = class, errs[n].code(), rest.Redact(errs[n].Message)
		}
	}
}

// failRead is fail where there is nothing to bisect.
func (a *attempt) failRead(err error, outcome rest.Outcome) {
	if e, ok := err.(*rest.Error); ok && (e.Class == schemas.ErrBatch || e.Class == schemas.ErrNotFound) {
		e.Class = schemas.ErrPermanent
	}
	a.fail(err, outcome)
}

// notTaken says that records from item i on were read and not taken over.
func (a *attempt) notTaken(i int) {
	a.res.Error, a.res.Message = schemas.ErrAborted, "a record that was read was not taken"
	for ; i < len(a.res.Items); i++ {
		a.res.Items[i].Error, a.res.Items[i].Message = a.res.Error, a.res.Message
	}
}

// person makes the change of one record.
func (a *attempt) person(rec *record, cols []string, cause string) *schemas.CRMChange {
	stamp := rec.value("lastmodifieddate")
	if stamp == "" {
		stamp = rec.UpdatedAt
	}
	r := &schemas.RecordRead{Deleted: rec.Archived, Cause: cause, AttemptID: a.at.ID}
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
	return &schemas.CRMChange{Provider: name, Account: a.at.Account, Object: a.at.Object, ID: rec.ID, ObservedAt: a.now().UnixMilli(), Record: r}
}
