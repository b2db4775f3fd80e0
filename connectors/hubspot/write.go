package hubspot

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// callToContact is the CRM's own type of the association of a call with a contact.
const callToContact = 194

type ref struct {
	ID string `json:"id"`
}

type associationType struct {
	Category string `json:"associationCategory"`
	ID       int    `json:"associationTypeId"`
}

type association struct {
	To    ref               `json:"to"`
	Types []associationType `json:"types"`
}

// input is one record of a batch. Trace makes its errors its own: without it one bad
// input refuses the whole batch.
type input struct {
	ID           string            `json:"id,omitempty"`
	IDProperty   string            `json:"idProperty,omitempty"`
	Properties   map[string]string `json:"properties"`
	Associations []association     `json:"associations,omitempty"`
	Trace        string            `json:"objectWriteTraceId"`
}

// write carries out one batch request.
func (a *attempt) write(ctx context.Context) {
	if len(a.at.Items) == 0 {
		return
	}
	if len(a.at.Items) > batch {
		a.fail(&rest.Error{Class: schemas.ErrBatch, Message: "more than 100 records"}, schemas.NotSent)
		return
	}
	verb := ""
	switch a.at.Operation {
	case schemas.OpUpsert:
		verb = "upsert"
	case schemas.OpUpdate:
		verb = "update"
	case schemas.OpCreate:
		verb = "create"
		// A first try may have arrived. With several items one search can't tell for
		// all of them, and guessing would make doubles: they are taken one at a time.
		if a.at.RepeatOf != nil {
			if len(a.at.Items) > 1 {
				a.fail(&rest.Error{Class: schemas.ErrDuplicates, Message: "a repeated create is looked up one record at a time"}, schemas.NotSent)
				return
			}
			if !a.unfound(ctx) {
				return
			}
		}
	case schemas.OpLink:
		a.link(ctx)
		return
	default:
		a.fail(&rest.Error{Class: schemas.ErrPermanent, Message: "operation " + a.at.Operation + " is not known here"}, schemas.NotSent)
		return
	}
	inputs, places := a.inputs()
	if len(inputs) == 0 {
		return
	}
	res, outcome, err := a.call(ctx, a.rest, a.leaveBy, http.MethodPost, objectsPath+a.at.Object+"/batch/"+verb, nil, map[string]any{"inputs": inputs})
	if err != nil {
		a.refused(res, err, outcome, len(inputs))
		return
	}
	var got answer
	if err := json.Unmarshal(res.Body, &got); err != nil {
		a.fail(&rest.Error{Class: schemas.ErrTransient, Status: res.Status, Message: "the answer is no batch result"}, schemas.Unknown)
		return
	}
	a.res.Status = int32(res.Status)
	a.settle(&got, places)
}

// inputs renders the items that can go out, with their places in the attempt. Two
// items of one record would refuse the whole batch: the later one stays.
func (a *attempt) inputs() (inputs []input, places []int) {
	seen := make(map[string]bool, len(a.at.Items))
	for i := range a.at.Items {
		it, r := &a.at.Items[i], &a.res.Items[i]
		refuse := func(class, why string) { r.Error, r.Message = class, why }
		in := input{Properties: make(map[string]string, len(it.Fields)), Trace: strconv.Itoa(i)}
		for _, f := range it.Fields {
			if f.Value != nil {
				in.Properties[f.Name] = *f.Value
			} else {
				in.Properties[f.Name] = "" // clears
			}
		}
		same := ""
		switch a.at.Operation {
		case schemas.OpUpsert:
			in.ID, in.IDProperty = it.Identity, it.IdentityField
			same = it.IdentityField + "\x00" + it.Identity
			if it.Identity == "" || it.IdentityField == "" {
				refuse(schemas.ErrPermanent, "the item names no record")
				continue
			}
		case schemas.OpUpdate:
			in.ID, same = it.ID, it.ID
			if !number.MatchString(it.ID) {
				refuse(schemas.ErrPermanent, "the item names no record")
				continue
			}
		case schemas.OpCreate:
			ok := true
			for _, l := range it.Associations {
				if l.Object != contacts || a.at.Object != calls || !number.MatchString(l.ID) {
					ok = false
					break
				}
				in.Associations = append(in.Associations, association{To: ref{l.ID}, Types: []associationType{{"HUBSPOT_DEFINED", callToContact}}})
			}
			if !ok {
				refuse(schemas.ErrPermanent, "a record of this kind can't be linked at creation")
				continue
			}
		}
		if same != "" && seen[same] {
			refuse(schemas.ErrDuplicates, "an earlier item of the request is the same record")
			continue
		}
		seen[same] = true
		inputs, places = append(inputs, in), append(places, i)
	}
	return inputs, places
}

// refused settles an answer that is no 2xx for n records.
func (a *attempt) refused(res *rest.Response, err error, outcome rest.Outcome, n int) {
	e, ok := err.(*rest.Error)
	if !ok || res == nil || (e.Class != schemas.ErrBatch && e.Class != schemas.ErrNotFound) {
		a.fail(err, outcome)
		return
	}
	f, _ := parse(res.Body)
	class, id := a.written(&f)
	switch {
	case class == schemas.ErrThrottled || class == schemas.ErrDuplicates && n > 1:
		e.Class = class
	case n > 1:
		e.Class, id = schemas.ErrBatch, ""
	default:
		// The CRM looked at the one record and said what is wrong with it.
		outcome = schemas.Sent
		if e.Class == schemas.ErrBatch || a.at.Operation != schemas.OpUpdate {
			e.Class = class
		}
	}
	a.fail(e, outcome)
	for i := range a.res.Items {
		if it := &a.res.Items[i]; it.Outcome == schemas.Sent {
			it.Fields = f.fields()
			if id != "" {
				it.ID, it.URL = id, a.itemURL(a.at.Object, id)
			}
		}
	}
}

// unfound reports whether the CRM has no record of the item's call yet; one that it
// has is adopted.
func (a *attempt) unfound(ctx context.Context) bool {
	value := ""
	for _, f := range a.at.Items[0].Fields {
		if f.Name == externalID && f.Value != nil {
			value = *f.Value
		}
	}
	if value == "" {
		return true // no call: nothing to look it up by
	}
	got, _, ok := a.searchFor(ctx, a.at.Object, searchRequest{Limit: 1, Properties: []string{externalID},
		Groups: []filterGroup{{[]filter{{externalID, "EQ", value}}}}, Sorts: []sorting{{"hs_object_id", "ASCENDING"}}})
	if !ok {
		return false
	}
	for _, rec := range got.Results {
		if number.MatchString(rec.ID) {
			it := &a.res.Items[0]
			it.Outcome, it.ID, it.URL = schemas.Sent, rec.ID, a.itemURL(a.at.Object, rec.ID)
			return false
		}
	}
	return true
}

type pair struct {
	From ref `json:"from"`
	To   ref `json:"to"`
}

// link writes the default associations of records that the CRM has.
func (a *attempt) link(ctx context.Context) {
	var inputs []pair
	var places []int
	seen := make(map[pair]bool)
	for i := range a.at.Items {
		it, r := &a.at.Items[i], &a.res.Items[i]
		ok := number.MatchString(it.ID)
		for _, l := range it.Associations {
			ok = ok && l.Object == contacts && number.MatchString(l.ID)
		}
		if !ok {
			r.Error, r.Message = schemas.ErrPermanent, "the item names no records that can be linked"
			continue
		}
		places = append(places, i)
		for _, l := range it.Associations {
			if p := (pair{ref{it.ID}, ref{l.ID}}); !seen[p] {
				seen[p] = true
				inputs = append(inputs, p)
			}
		}
	}
	settle := func(i int) {
		r := &a.res.Items[i]
		r.Outcome, r.Linked, r.URL = schemas.Sent, true, a.itemURL(a.at.Object, r.ID)
	}
	if len(inputs) == 0 {
		for _, i := range places {
			settle(i)
		}
		return
	}
	res, outcome, err := a.call(ctx, a.rest, a.leaveBy, http.MethodPost, "/crm/v4/associations/"+a.at.Object+"/"+contacts+"/batch/associate/default", nil, map[string]any{"inputs": inputs})
	if err != nil {
		if e, ok := err.(*rest.Error); ok && e.Class == schemas.ErrNotFound {
			e.Class = schemas.ErrBatch // either end may be the one that is gone
		}
		a.refused(res, err, outcome, len(places))
		return
	}
	var got struct {
		Results []pair  `json:"results"`
		Errors  []fault `json:"errors"`
	}
	if err := json.Unmarshal(res.Body, &got); err != nil {
		a.fail(&rest.Error{Class: schemas.ErrTransient, Status: res.Status, Message: "the answer is no batch result"}, schemas.Unknown)
		return
	}
	a.res.Status = int32(res.Status)
	done := make(map[pair]bool, len(got.Results))
	for _, p := range got.Results {
		done[p] = true
	}
	for _, i := range places {
		it, whole := &a.at.Items[i], true
		for _, l := range it.Associations {
			whole = whole && done[pair{ref{it.ID}, ref{l.ID}}]
		}
		switch {
		case whole:
			settle(i)
		case len(got.Errors) > 0:
			// The entries do not say reliably which pair they mean.
			f := &got.Errors[0]
			r := &a.res.Items[i]
			r.Outcome, r.Error, r.Code, r.Message = schemas.Sent, schemas.ErrPermanent, f.code(), rest.Redact(f.Message)
			if class, _ := classify(f); class == schemas.ErrTransient || class == schemas.ErrThrottled {
				r.Error = class
			}
		default:
			a.unanswered(i)
		}
	}
}
