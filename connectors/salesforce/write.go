package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

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
		byIdentity = true
		path += "/" + a.At.Object + "/" + a.At.Items[0].IdentityField
	case schemas.OpUpdate:
	case schemas.OpCreate:
		method = http.MethodPost
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
			return
		}
	}
	if err == nil {
		a.Unread(res.Status, "the answer is not one result per record")
		return
	}
	a.Fail(err, outcome)
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
	for i, it := range a.At.Items {
		rec := map[string]any{"attributes": map[string]string{"type": a.At.Object}}
		bad := ""
		for _, f := range it.Fields {
			v, ok := value(f)
			if !ok {
				bad = f.Name
			}
			rec[f.Name] = v
		}
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
			a.Refuse(i, schemas.ErrPermanent, "the value of "+bad+" has not the form of the field")
			a.Res.Items[i].Fields = []string{bad}
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

// value is a field's JSON value; nil clears it.
func value(f schemas.Field) (any, bool) {
	if f.Value == nil {
		return nil, true
	}
	switch kinds[f.Name] {
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
