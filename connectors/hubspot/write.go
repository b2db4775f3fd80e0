package hubspot

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// associated are the CRM's own types of the associations that an activity may be made
// with.
var associated = map[[2]string]int{
	{calls, contacts}: 194, {calls, companies}: 182, {calls, deals}: 206,
	{meetings, contacts}: 200, {meetings, companies}: 188, {meetings, deals}: 212,
	{tasks, contacts}: 204, {tasks, companies}: 192, {tasks, deals}: 216,
}

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
	if a.TooMany(batch) {
		return
	}
	if kind, name, ok := strings.Cut(a.At.Object, ":"); ok {
		a.push(ctx, kind, name)
		return
	}
	verb := ""
	switch a.At.Operation {
	case schemas.OpUpsert:
		verb = "upsert"
	case schemas.OpUpdate:
		verb = "update"
	case schemas.OpCreate:
		verb = "create"
		// A first try may have arrived. With several items one search can't tell for
		// all of them, and guessing would make doubles: they are taken one at a time.
		if a.At.RepeatOf != nil {
			if len(a.At.Items) > 1 {
				a.Fail(&rest.Error{Class: schemas.ErrDuplicates, Message: "a repeated create is looked up one record at a time"}, schemas.NotSent)
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
		a.Invalid("operation " + a.At.Operation + " is not known here")
		return
	}
	inputs, places := a.inputs()
	if len(inputs) == 0 {
		return
	}
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, http.MethodPost, objectsPath+a.At.Object+"/batch/"+verb, nil, map[string]any{"inputs": inputs})
	if err != nil {
		a.refused(res, err, outcome, len(inputs))
		return
	}
	var got answer
	if a.Decode(res.Response, &got, "batch result") {
		a.settle(&got, places)
	}
}

// inputs renders the items that can go out, with their places in the attempt. Two
// items of one record would refuse the whole batch: the later one stays.
func (a *attempt) inputs() (inputs []input, places []int) {
	distinct := a.Distinct()
	for i := range a.At.Items {
		it := &a.At.Items[i]
		in := input{Properties: make(map[string]string, len(it.Fields)), Trace: strconv.Itoa(i)}
		for _, f := range it.Fields {
			if f.Value != nil {
				in.Properties[f.Name] = *f.Value
			} else {
				in.Properties[f.Name] = "" // clears
			}
		}
		same := ""
		switch a.At.Operation {
		case schemas.OpUpsert:
			in.ID, in.IDProperty = it.Identity, it.IdentityField
			same = it.IdentityField + "\x00" + it.Identity
			if it.Identity == "" || it.IdentityField == "" {
				a.Refuse(i, schemas.ErrPermanent, "the item names no record")
				continue
			}
		case schemas.OpUpdate:
			in.ID, same = it.ID, it.ID
			if !number.MatchString(it.ID) {
				a.Refuse(i, schemas.ErrPermanent, "the item names no record")
				continue
			}
		case schemas.OpCreate:
			ok := true
			for _, l := range it.Associations {
				typ, known := associated[[2]string{a.At.Object, l.Object}]
				if !known || !number.MatchString(l.ID) {
					ok = false
					break
				}
				in.Associations = append(in.Associations, association{To: ref{l.ID}, Types: []associationType{{"HUBSPOT_DEFINED", typ}}})
			}
			if !ok {
				a.Refuse(i, schemas.ErrPermanent, "a record of this kind can't be linked at creation")
				continue
			}
		}
		if !distinct(i, same) {
			continue
		}
		inputs, places = append(inputs, in), append(places, i)
	}
	return inputs, places
}

// refused settles an answer that is no 2xx for n records.
func (a *attempt) refused(res *base.Reply, err error, outcome rest.Outcome, n int) {
	var e *rest.Error
	if !errors.As(err, &e) || res == nil || (e.Class != schemas.ErrBatch && e.Class != schemas.ErrNotFound) {
		a.Fail(err, outcome)
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
		if e.Class == schemas.ErrBatch || a.At.Operation != schemas.OpUpdate {
			e.Class = class
		}
	}
	a.Fail(e, outcome)
	for i := range a.Res.Items {
		if it := &a.Res.Items[i]; it.Outcome == schemas.Sent {
			it.Fields = f.fields()
			if id != "" {
				it.ID, it.URL = id, a.itemURL(a.At.Object, id)
			}
		}
	}
}

// lookups name, for each kind of record that is made without an identity, the property
// by which a repeated create finds what its first try may have made.
var lookups = map[string]string{calls: externalID, meetings: "hs_meeting_title", tasks: "hs_task_subject", contacts: "phone"}

// unfound reports whether the CRM has no record of the item yet; one that it has is
// adopted. A call has an id of the dialer's in it; a meeting and a task are known by
// their title and their time together.
func (a *attempt) unfound(ctx context.Context) bool {
	by := lookups[a.At.Object]
	var fs []filter
	for _, f := range a.At.Items[0].Fields {
		if f.Value == nil || *f.Value == "" {
			continue
		}
		switch {
		case f.Name == by:
			fs = append(fs, filter{by, "EQ", *f.Value})
		case f.Name == "hs_timestamp" && by != externalID:
			at, err := time.Parse(instant, *f.Value)
			if err == nil {
				fs = append(fs, filter{f.Name, "EQ", strconv.FormatInt(at.UnixMilli(), 10)})
			}
		}
	}
	if by == "" || !slices.ContainsFunc(fs, func(f filter) bool { return f.Property == by }) {
		return true // nothing to look it up by
	}
	got, _, ok := a.searchFor(ctx, a.At.Object, searchRequest{Limit: 1, Properties: []string{by},
		Groups: []filterGroup{{fs}}, Sorts: []sorting{{"hs_object_id", "ASCENDING"}}})
	if !ok {
		return false
	}
	for _, rec := range got.Results {
		if number.MatchString(rec.ID) {
			it := &a.Res.Items[0]
			it.Outcome, it.ID, it.URL = schemas.Sent, rec.ID, a.itemURL(a.At.Object, rec.ID)
			return false
		}
	}
	return true
}

type pair struct {
	From ref `json:"from"`
	To   ref `json:"to"`
}

// link writes the default associations of records that the CRM has: one request for
// each kind of record that they are linked to. An item is linked once all of its own
// are.
func (a *attempt) link(ctx context.Context) {
	wanted := make(map[string][]pair) // by the kind of the other end
	var places []int
	for i := range a.At.Items {
		it := &a.At.Items[i]
		ok := number.MatchString(it.ID)
		for _, l := range it.Associations {
			_, known := associated[[2]string{a.At.Object, l.Object}]
			ok = ok && known && number.MatchString(l.ID)
		}
		if !ok {
			a.Refuse(i, schemas.ErrPermanent, "the item names no records that can be linked")
			continue
		}
		places = append(places, i)
		for _, l := range it.Associations {
			if p := (pair{ref{it.ID}, ref{l.ID}}); !slices.Contains(wanted[l.Object], p) {
				wanted[l.Object] = append(wanted[l.Object], p)
			}
		}
	}
	done := make(map[string]map[pair]bool, len(wanted))
	var errs []fault
	for _, to := range []string{contacts, companies, deals} {
		if len(wanted[to]) == 0 {
			continue
		}
		got, ok := a.linkTo(ctx, to, wanted[to], len(places))
		if !ok {
			return
		}
		done[to] = make(map[pair]bool, len(got.Results))
		for _, p := range got.Results {
			done[to][p] = true
		}
		errs = append(errs, got.Errors...)
	}
	for _, i := range places {
		it, whole := &a.At.Items[i], true
		for _, l := range it.Associations {
			whole = whole && done[l.Object][pair{ref{it.ID}, ref{l.ID}}]
		}
		r := &a.Res.Items[i]
		switch {
		case whole:
			r.Outcome, r.Linked, r.URL = schemas.Sent, true, a.itemURL(a.At.Object, r.ID)
		case len(errs) > 0:
			// The entries do not say reliably which pair they mean.
			f := &errs[0]
			r.Outcome, r.Error, r.Code, r.Message = schemas.Sent, schemas.ErrPermanent, f.code(), rest.Redact(f.Message)
			if class, _ := classify(f); class == schemas.ErrTransient || class == schemas.ErrThrottled {
				r.Error = class
			}
		default:
			a.Unanswered(i)
		}
	}
}

type linked struct {
	Results []pair  `json:"results"`
	Errors  []fault `json:"errors"`
}

// linkTo sends one request; ok is false where the attempt failed and says so.
func (a *attempt) linkTo(ctx context.Context, to string, inputs []pair, items int) (got linked, ok bool) {
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, http.MethodPost, "/crm/v4/associations/"+a.At.Object+"/"+to+"/batch/associate/default", nil, map[string]any{"inputs": inputs})
	if err != nil {
		if e := (*rest.Error)(nil); errors.As(err, &e) && e.Class == schemas.ErrNotFound {
			e.Class = schemas.ErrBatch // either end may be the one that is gone
		}
		a.refused(res, err, outcome, items)
		return got, false
	}
	return got, a.Decode(res.Response, &got, "batch result")
}
