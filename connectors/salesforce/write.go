package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// saved is one item of a Collections answer.
type saved struct {
	ID      string  `json:"id"`
	Success *bool   `json:"success"`
	Created bool    `json:"created"`
	Errors  []fault `json:"errors"`
}

// write carries out a Collections request: items fail alone.
func (a *attempt) write(ctx context.Context) {
	method, path := http.MethodPatch, apiPath+"/composite/sobjects"
	byIdentity := false
	switch a.At.Operation {
	case schemas.OpUpsert:
		if strings.Contains(a.At.Items[0].IdentityField, plus) {
			a.upsertComposite(ctx)
			return
		}
		byIdentity = true
		path += "/" + a.At.Object + "/" + a.At.Items[0].IdentityField
	case schemas.OpUpdate:
	case schemas.OpCreate:
		method = http.MethodPost
		// A first try may have arrived. With several items one query can't tell for all
		// of them: they are taken one at a time.
		if a.At.RepeatOf != nil {
			if len(a.At.Items) > 1 {
				a.Fail(&rest.Error{Class: schemas.ErrDuplicates, Message: "a repeated create is looked up one record at a time"}, schemas.NotSent)
				return
			}
			if !a.unfound(ctx) {
				return
			}
		}
	default:
		a.Invalid("operation " + a.At.Operation + " is not known here")
		return
	}
	if a.TooMany(batch) {
		return
	}
	records, places := a.records(byIdentity)
	if len(records) == 0 {
		return
	}
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, method, path, nil, map[string]any{"allOrNone": false, "records": records})
	// An answer by item counts, also under the 400 that some servers give it.
	if res != nil && (err == nil || res.Status == http.StatusBadRequest) {
		if items, ok := savedItems(res.Body, len(places)); ok {
			a.Res.Status = int32(res.Status)
			for n, s := range items {
				a.settle(&a.Res.Items[places[n]], s, res.Base)
			}
			if byIdentity {
				a.rewrite(ctx, method, path, records, places)
			}
			return
		}
	}
	if err == nil {
		a.Unread(res.Status, "the answer is not one result per record")
		return
	}
	a.Fail(err, outcome)
}

// phones of a query: what has another character in it is no number that we wrote.
var plainNumber = regexp.MustCompile(`^\+[0-9]{6,15}$`)

// unfound reports whether the CRM has no record yet that a create of a lead may have
// made; one that it has is adopted. A lead is made for a number, and found by it.
func (a *attempt) unfound(ctx context.Context) bool {
	it := &a.At.Items[0]
	phone := ""
	for _, f := range it.Fields {
		if f.Name == theProfile.New.Phone && f.Value != nil {
			phone = *f.Value
		}
	}
	if a.At.Object != theProfile.New.Object || !plainNumber.MatchString(phone) {
		return true // nothing to look it up by
	}
	got, res, ok := a.query(ctx, "/query", "SELECT Id FROM "+a.At.Object+" WHERE "+theProfile.New.Phone+" = '"+phone+"' ORDER BY CreatedDate ASC LIMIT 1")
	if !ok {
		a.nothingWritten()
		return false
	}
	if len(got.Records) == 0 {
		return true
	}
	if id := NormalizeID(text(got.Records[0]["Id"])); recordID.MatchString(id) {
		r := &a.Res.Items[0]
		r.Outcome, r.ID, r.URL = schemas.Sent, id, res.Base+"/lightning/r/"+a.At.Object+"/"+id+"/view"
		return false
	}
	a.Unread(res.Status, "a row has no Id")
	return false
}

// nothingWritten says of a write whose record could not be looked up that it was not sent.
func (a *attempt) nothingWritten() {
	for i := range a.Res.Items {
		a.Res.Items[i].Outcome = schemas.NotSent
	}
}

// createOnly are fields that the CRM takes when it makes a record and refuses on one
// that is there.
var createOnly = []string{"TaskSubtype"}

// rewrite sends what was refused only because its record is there already: a first try
// has made it, and these fields with it. The same content goes without them (P4).
func (a *attempt) rewrite(ctx context.Context, method, path string, records []map[string]any, places []int) {
	var again []map[string]any
	var at []int
	for n, i := range places {
		it := &a.Res.Items[i]
		if it.Code != "INVALID_FIELD_FOR_INSERT_UPDATE" || len(it.Fields) == 0 {
			continue
		}
		refused := 0
		for _, f := range it.Fields {
			if _, sent := records[n][f]; sent && slices.Contains(createOnly, f) {
				refused++
			}
		}
		if refused < len(it.Fields) {
			continue
		}
		for _, f := range it.Fields {
			delete(records[n], f)
		}
		*it = schemas.ItemResult{Key: it.Key, ID: it.ID, Outcome: schemas.NotSent}
		again, at = append(again, records[n]), append(at, i)
	}
	if len(again) == 0 {
		return
	}
	a.part(ctx, method, path, again, at)
}

// part sends some of the items in a request of their own: the others have their answer,
// or are still to go.
func (a *attempt) part(ctx context.Context, method, path string, records []map[string]any, places []int) {
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, method, path, nil, map[string]any{"allOrNone": false, "records": records})
	if res != nil && (err == nil || res.Status == http.StatusBadRequest) {
		if items, ok := savedItems(res.Body, len(places)); ok {
			a.Res.Status = int32(res.Status)
			for n, s := range items {
				a.settle(&a.Res.Items[places[n]], s, res.Base)
			}
			return
		}
	}
	if err == nil {
		outcome = schemas.Unknown
	}
	class, code, why := schemas.ErrTransient, "", "the answer is not one result per record"
	if e, ok := errors.AsType[*rest.Error](err); ok {
		class, code, why = e.Class, e.Code, e.Message
		a.Res.RetryAfterMs = e.RetryAfter.Milliseconds()
	}
	for _, i := range places {
		it := &a.Res.Items[i]
		it.Outcome, it.Error, it.Code, it.Message = outcome, class, code, why
	}
}

func savedItems(body []byte, n int) ([]saved, bool) {
	var items []saved
	if json.Unmarshal(body, &items) != nil || len(items) != n {
		return nil, false
	}
	for _, s := range items {
		if s.Success == nil {
			return nil, false
		}
	}
	return items, true
}

// records renders the items that can go out, with their places in the attempt. Two
// items of one record in a request would fail each other: the later one stays.
func (a *attempt) records(byIdentity bool) (records []map[string]any, places []int) {
	distinct := a.Distinct()
	own := a.Kinds(a.At.Object)
	for i, it := range a.At.Items {
		rec, bad := a.record(&it, own)
		same := ""
		switch {
		case byIdentity:
			same = it.Identity
			rec[it.IdentityField] = it.Identity
		case a.At.Operation == schemas.OpUpdate:
			same = NormalizeID(it.ID)
			rec["id"] = same
		}
		switch {
		case bad != "":
			a.malformed(i, bad)
		case byIdentity && it.IdentityField != a.At.Items[0].IdentityField:
			a.Refuse(i, schemas.ErrBatch, "one request upserts by one field")
		case a.At.Operation != schemas.OpCreate && same == "":
			a.Refuse(i, schemas.ErrPermanent, "the item names no record")
		case distinct(i, same):
			records, places = append(records, rec), append(places, i)
		}
	}
	return records, places
}

func (a *attempt) malformed(i int, field string) {
	a.Refuse(i, schemas.ErrPermanent, "the value of "+field+" has not the form of the field")
	a.Res.Items[i].Fields = []string{field}
}

// record renders the fields of one item; bad names one whose value has not its form.
func (a *attempt) record(it *schemas.AttemptItem, own map[string]string) (rec map[string]any, bad string) {
	rec = map[string]any{"attributes": map[string]string{"type": a.At.Object}}
	for _, f := range it.Fields {
		if a.At.Operation == schemas.OpUpdate && slices.Contains(createOnly, f.Name) {
			continue // it is there
		}
		v, ok := value(f, own)
		if !ok {
			bad = f.Name
		}
		rec[f.Name] = v
	}
	return rec, bad
}

// value is a field's JSON value; nil clears it.
func value(f schemas.Field, own map[string]string) (any, bool) {
	if f.Value == nil {
		return nil, true
	}
	kind := kinds[f.Name]
	switch own[f.Name] { // of the tenant's mapping
	case "number":
		kind = 'n'
	case "boolean":
		kind = 'b'
	}
	switch kind {
	case 'n':
		_, err := strconv.ParseFloat(*f.Value, 64)
		n := json.Number(*f.Value)
		return n, err == nil && json.Valid([]byte(*f.Value))
	case 'b':
		b, err := strconv.ParseBool(*f.Value)
		return b, err == nil
	}
	return *f.Value, true
}

func (a *attempt) settle(it *schemas.ItemResult, s saved, instance string) {
	it.Outcome = schemas.Sent
	if *s.Success {
		it.ID, it.Created = NormalizeID(s.ID), s.Created || a.At.Operation == schemas.OpCreate
		it.URL = instance + "/lightning/r/" + a.At.Object + "/" + it.ID + "/view"
		return
	}
	var f fault
	if len(s.Errors) > 0 {
		f = s.Errors[0]
	}
	class, id := classify(f)
	it.Error, it.Code, it.Message, it.Fields = class, f.code(), rest.Redact(f.Message), f.Fields
	if id != "" {
		it.ID = id
		it.URL = instance + "/lightning/r/" + a.At.Object + "/" + id + "/view"
	}
}
