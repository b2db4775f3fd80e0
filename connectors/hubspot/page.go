package hubspot

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// overlap is read again: the search's index is behind the records by some moments.
const overlap = 5 * time.Minute

type filter struct {
	Property string `json:"propertyName"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

type filterGroup struct {
	Filters []filter `json:"filters"`
}

type sorting struct {
	Property  string `json:"propertyName"`
	Direction string `json:"direction"`
}

type searchRequest struct {
	Groups     []filterGroup `json:"filterGroups"`
	Sorts      []sorting     `json:"sorts"`
	Properties []string      `json:"properties"`
	Limit      int           `json:"limit"`
}

// listed is a page of records.
type listed[T any] struct {
	Results []T `json:"results"`
	Paging  *struct {
		Next *struct {
			After string `json:"after"`
		} `json:"next"`
	} `json:"paging"`
}

func (l *listed[T]) after() string {
	if l.Paging == nil || l.Paging.Next == nil {
		return ""
	}
	return l.Paging.Next.After
}

// searchFor runs one search; ok is false where the attempt failed and says so.
func (a *attempt) searchFor(ctx context.Context, object string, in searchRequest) (*listed[record], *rest.Response, bool) {
	res, outcome, err := a.call(ctx, a.search, a.leaveBy, http.MethodPost, objectsPath+object+"/search", nil, in)
	if err != nil {
		if outcome == schemas.Unknown && a.at.Kind == schemas.KindWrite {
			outcome = schemas.NotSent // a search writes nothing
		}
		a.failRead(err, outcome)
		return nil, nil, false
	}
	return decode[record](a, res)
}

func decode[T any](a *attempt, res *rest.Response) (*listed[T], *rest.Response, bool) {
	var got listed[T]
	if err := json.Unmarshal(res.Body, &got); err != nil {
		a.fail(&rest.Error{Class: schemas.ErrTransient, Status: res.Status, Message: "the answer is no page of records"}, schemas.NotSent)
		return nil, nil, false
	}
	a.res.Status = int32(res.Status)
	return &got, res, true
}

func (a *attempt) readPage(ctx context.Context) {
	if a.at.Page == nil {
		a.fail(&rest.Error{Class: schemas.ErrPermanent, Message: "the attempt asks for no page"}, schemas.NotSent)
		return
	}
	first, phases, page := listing, []string{searching}, a.contactPage
	switch a.at.Page.Source {
	case contacts:
	case owners:
		first, phases, page = active, []string{archived}, a.ownerPage
	default:
		a.fail(&rest.Error{Class: schemas.ErrPermanent, Message: "source " + a.at.Page.Source + " is not known"}, schemas.NotSent)
		return
	}
	cur, err := parseCursor(a.at.Page.Cursor, first, phases...)
	if err != nil {
		a.fail(&rest.Error{Class: schemas.ErrPermanent, Message: err.Error()}, schemas.NotSent)
		return
	}
	limit := int(a.at.Page.Limit)
	if limit <= 0 || limit > batch {
		limit = batch
	}
	next, last, ok := page(ctx, cur, limit)
	if !ok {
		return
	}
	for i := range a.res.Items {
		a.res.Items[i].Outcome = schemas.Sent
	}
	a.page = &connectors.Page{Next: next.String(), Last: last}
}

// contactPage reads one page of contacts: the whole list once, then what changed.
func (a *attempt) contactPage(ctx context.Context, cur cursor, limit int) (next cursor, last, ok bool) {
	cols := columns(contacts)
	props := slices.Concat(cols, always)
	var got *listed[record]
	var res *rest.Response
	if cur.phase == listing {
		q := url.Values{"limit": {strconv.Itoa(limit)}, "properties": {strings.Join(props, ",")}}
		got, res, ok = list[record](ctx, a, objectsPath+contacts, q, cur.after)
	} else {
		fs := []filter{{"lastmodifieddate", "GTE", strconv.FormatInt(cur.since, 10)}}
		if cur.after != "" {
			fs = append(fs, filter{"hs_object_id", "GT", cur.after})
		}
		got, res, ok = a.searchFor(ctx, contacts, searchRequest{Groups: []filterGroup{{fs}}, Limit: limit, Properties: props,
			Sorts: []sorting{{"hs_object_id", "ASCENDING"}}})
	}
	if !ok {
		return cur, false, false
	}
	next = cur
	if next.began == 0 {
		next.began = serverTime(res, a.now()).UnixMilli()
	}
	for n := range got.Results {
		rec := &got.Results[n]
		if !number.MatchString(rec.ID) {
			a.fail(&rest.Error{Class: schemas.ErrTransient, Status: res.Status, Message: "a record has no id"}, schemas.NotSent)
			return cur, false, false
		}
		ch := a.person(rec, cols, "page")
		ch.Object = contacts
		if !a.handOver(ctx, ch) {
			return cur, false, false
		}
		if cur.phase == searching {
			next.after = rec.ID
		}
	}
	if cur.phase == listing {
		next.after = got.after()
		last = next.after == ""
	} else {
		last = got.after() == "" // a page may be shorter than its limit
		if !last && len(got.Results) == 0 {
			last = true
		}
	}
	if last {
		next = cursor{phase: searching, since: max(0, next.began-overlap.Milliseconds())}
	}
	return next, last, true
}

// handOver hands one record over; false ends the attempt.
func (a *attempt) handOver(ctx context.Context, ch *schemas.CRMChange) bool {
	if err := a.emit(ctx, ch); err != nil {
		a.notTaken(0)
		return false
	}
	return true
}

func list[T any](ctx context.Context, a *attempt, path string, q url.Values, after string) (*listed[T], *rest.Response, bool) {
	if after != "" {
		q.Set("after", after)
	}
	res, outcome, err := a.call(ctx, a.rest, a.leaveBy, http.MethodGet, path, q, nil)
	if err != nil {
		a.failRead(err, outcome)
		return nil, nil, false
	}
	return decode[T](a, res)
}

type ownerRecord struct {
	ID       string `json:"id"`
	Email    string `json:"email"`
	Archived bool   `json:"archived"`
}

// ownerPage reads one page of owners: those at work, then those who left, for their
// ids still stand on records. Then it begins anew: there are few.
func (a *attempt) ownerPage(ctx context.Context, cur cursor, limit int) (next cursor, last, ok bool) {
	q := url.Values{"limit": {strconv.Itoa(limit)}, "archived": {strconv.FormatBool(cur.phase == archived)}}
	got, _, ok := list[ownerRecord](ctx, a, "/crm/v3/owners", q, cur.after)
	if !ok {
		return cur, false, false
	}
	for _, o := range got.Results {
		f := []schemas.Field{schemas.Text("active", strconv.FormatBool(!o.Archived && cur.phase == active)), {Name: "email"}, schemas.Text("id", o.ID)}
		if o.Email != "" {
			f[1] = schemas.Text("email", o.Email)
		}
		if !a.handOver(ctx, &schemas.CRMChange{Provider: name, Account: a.at.Account, Object: owner, ID: o.ID, ObservedAt: a.now().UnixMilli(),
			Reference: &schemas.Reference{Kind: owner, Fields: f}}) {
			return cur, false, false
		}
	}
	next = cursor{phase: cur.phase, after: got.after()}
	if next.after == "" {
		last = cur.phase == archived
		next.phase = archived
		if last {
			next.phase = active
		}
	}
	return next, last, true
}

// serverTime is the CRM's clock.
func serverTime(res *rest.Response, now time.Time) time.Time {
	if t, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		return t
	}
	return now
}
