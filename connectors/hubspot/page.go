package hubspot

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/base"
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
func (a *attempt) searchFor(ctx context.Context, object string, in searchRequest) (*listed[record], *base.Reply, bool) {
	return ask[record](ctx, a, a.search, http.MethodPost, objectsPath+object+"/search", nil, in)
}

func list[T any](ctx context.Context, a *attempt, path string, q url.Values, after string) (*listed[T], *base.Reply, bool) {
	if after != "" {
		q.Set("after", after)
	}
	return ask[T](ctx, a, a.rest, http.MethodGet, path, q, nil)
}

// ask sends one request for a page of records. One that fails inside a write has
// written nothing.
func ask[T any](ctx context.Context, a *attempt, by *rest.Client, method, path string, q url.Values, in any) (*listed[T], *base.Reply, bool) {
	res, outcome, err := a.Call(ctx, by, a.LeaveBy, method, path, q, in)
	got := new(listed[T])
	if err == nil && json.Unmarshal(res.Body, got) != nil {
		err, outcome = &rest.Error{Class: schemas.ErrTransient, Status: res.Status, Message: "the answer is no page of records"}, schemas.Unknown
	}
	if err == nil {
		a.Res.Status = int32(res.Status)
		return got, res, true
	}
	if a.At.Kind == schemas.KindWrite {
		outcome = schemas.NotSent
		if e, ok := errors.AsType[*rest.Error](err); ok && (e.Class == schemas.ErrBatch || e.Class == schemas.ErrNotFound) {
			e.Class = schemas.ErrPermanent // there is nothing to bisect
		}
	}
	a.Fail(err, outcome)
	return nil, nil, false
}

func (a *attempt) readPage(ctx context.Context) {
	if object, ok := base.SchemaOf(a.At.Page.Source); ok {
		a.describe(ctx, object)
		return
	}
	src, ok := theProfile.SourceByName(a.At.Page.Source)
	if !ok {
		a.Invalid("source " + a.At.Page.Source + " is not known")
		return
	}
	first, phases, page := listing, []string{searching}, a.recordPage
	switch src.Name {
	case outcomesOf:
		a.dispositionPage(ctx)
		return
	case owners:
		first, phases, page = active, []string{archived}, a.ownerPage
	}
	cur, err := parseCursor(a.At.Page.Cursor, first, phases...)
	if err != nil {
		a.Invalid(err.Error())
		return
	}
	if next, last, ok := page(ctx, cur, a.PageLimit(batch)); ok {
		a.PageDone(next.String(), last)
	}
}

// recordPage reads one page of records: the whole list once, then what changed.
func (a *attempt) recordPage(ctx context.Context, cur cursor, limit int) (next cursor, last, ok bool) {
	src, _ := theProfile.SourceByName(a.At.Page.Source)
	object := src.Object
	cols := a.Mapped(object, columns(object)) // a property that the portal lacks is passed over by it
	props := slices.Concat(cols, always(object))
	var got *listed[record]
	var res *base.Reply
	if cur.phase == listing {
		q := url.Values{"limit": {strconv.Itoa(limit)}, "properties": {strings.Join(props, ",")}}
		got, res, ok = list[record](ctx, a, objectsPath+object, q, cur.after)
	} else {
		fs := []filter{{modified(object), "GTE", strconv.FormatInt(cur.since, 10)}}
		if cur.after != "" {
			fs = append(fs, filter{"hs_object_id", "GT", cur.after})
		}
		got, res, ok = a.searchFor(ctx, object, searchRequest{Groups: []filterGroup{{fs}}, Limit: limit, Properties: props,
			Sorts: []sorting{{"hs_object_id", "ASCENDING"}}})
	}
	if !ok {
		return cur, false, false
	}
	next = cur
	if next.began == 0 {
		next.began = res.ServerTime(a.Now()).UnixMilli()
	}
	for n := range got.Results {
		rec := &got.Results[n]
		if !number.MatchString(rec.ID) {
			a.Unread(res.Status, "a record has no id")
			return cur, false, false
		}
		if !a.Emit(ctx, 0, a.person(rec, object, cols, a.PageCause())) {
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
		if !a.Emit(ctx, 0, a.Owner(owner, base.User{ID: o.ID, Email: o.Email, Active: !o.Archived && cur.phase == active})) {
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

type dispositionRecord struct {
	ID      string `json:"id"`
	Label   string `json:"label"`
	Deleted bool   `json:"deleted"`
}

// dispositionPage reads the portal's outcomes of calls, which are one list. A server
// that has no such list tells nothing of it: the outcomes that every portal has are
// known without.
func (a *attempt) dispositionPage(ctx context.Context) {
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, http.MethodGet, "/calling/v1/dispositions", nil, nil)
	switch e, _ := errors.AsType[*rest.Error](err); {
	case e != nil && e.Status == http.StatusNotFound:
		a.Res.Status = http.StatusNotFound
		a.PageDone("", true)
		return
	case err != nil:
		a.Fail(err, outcome)
		return
	}
	var list []dispositionRecord
	if !a.Decode(res.Response, &list, "list of dispositions") {
		return
	}
	for _, d := range list {
		if d.ID == "" || d.Label == "" {
			a.Unread(res.Status, "a disposition has no id or no label")
			return
		}
		c := a.Change(outcomeOf, d.ID)
		c.Reference = &schemas.Reference{Kind: outcomeOf, Deleted: d.Deleted, Fields: []schemas.Field{schemas.Text("id", d.ID), schemas.Text("label", d.Label)}}
		if !a.Emit(ctx, 0, c) {
			return
		}
	}
	a.PageDone("", true)
}
