package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

var recordID = regexp.MustCompile(`^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$`)

// row is one record of a query's answer.
type row = map[string]json.RawMessage

// queried is the answer of a query.
type queried struct {
	Done    bool  `json:"done"`
	Records []row `json:"records"`
}

// columns that are read of an object: what is mapped inbound, and what the core
// needs beside it. Outbound fields are left out: an org may lack them, and one
// unknown column refuses the whole query.
func columns(object string) []string {
	o, ok := theProfile.ObjectByName(object)
	if !ok {
		return nil
	}
	var cols []string
	for _, m := range o.Mappings {
		if m.Direction != "outbound" && !slices.Contains(cols, m.CRM) {
			cols = append(cols, m.CRM)
		}
	}
	for _, x := range extra[object] {
		if !slices.Contains(cols, x) {
			cols = append(cols, x)
		}
	}
	slices.Sort(cols)
	return cols
}

// always is read of every person.
const always = "Id, SystemModstamp, IsDeleted, MasterRecordId, "

// read fetches records by id. queryAll also returns what is deleted, so a record
// that is gone is told from one that never was.
func (a *attempt) read(ctx context.Context) {
	cols := columns(a.at.Object)
	if cols == nil {
		a.fail(&rest.Error{Class: schemas.ErrPermanent, Message: "object " + a.at.Object + " is not read"}, schemas.NotSent)
		return
	}
	var ids []string
	for i, it := range a.at.Items {
		id := NormalizeID(it.ID)
		if !recordID.MatchString(id) || len(a.at.Items) > batch { // also: nothing of a stranger's goes into a query
			r := &a.res.Items[i]
			r.Error, r.Message = schemas.ErrPermanent, "not a record id, or more than 200 of them"
			continue
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	q := "SELECT " + always + strings.Join(cols, ", ") + " FROM " + a.at.Object + " WHERE Id IN ('" + strings.Join(ids, "','") + "')"
	got, _, ok := a.query(ctx, "/queryAll", q)
	if !ok {
		return
	}
	found := make(map[string]*schemas.CRMChange, len(got.Records))
	for _, rec := range got.Records {
		ch, _ := a.person(rec, cols, "read")
		found[ch.ID] = ch
	}
	for i, it := range a.at.Items {
		r := &a.res.Items[i]
		if r.Error != "" {
			continue
		}
		r.Outcome = schemas.Sent
		ch, ok := found[NormalizeID(it.ID)]
		if !ok {
			r.Error, r.Code, r.Message = schemas.ErrNotFound, "NOT_FOUND", "no such record, or not visible"
			continue
		}
		r.ID = ch.ID
		if err := a.emit(ctx, ch); err != nil {
			a.notTaken(i)
			return
		}
	}
}

// notTaken says that records from item i on were read and not taken over.
func (a *attempt) notTaken(i int) {
	e := &rest.Error{Class: schemas.ErrAborted, Message: "the record that was read was not taken"}
	a.res.Error, a.res.Message = e.Class, e.Message
	for ; i < len(a.res.Items); i++ {
		a.res.Items[i].Error, a.res.Items[i].Message = e.Class, e.Message
	}
}

// query runs one query; ok is false where the attempt failed and says so.
func (a *attempt) query(ctx context.Context, resource, q string) (*queried, *rest.Response, bool) {
	res, _, outcome, err := a.call(ctx, a.leaveBy, &rest.Request{Method: http.MethodGet, Path: apiPath + resource, Query: url.Values{"q": {q}}})
	if err != nil {
		a.fail(err, outcome)
		return nil, nil, false
	}
	var got queried
	if err := json.Unmarshal(res.Body, &got); err != nil {
		a.fail(&rest.Error{Class: schemas.ErrTransient, Status: res.Status, Message: "the answer is no query result"}, schemas.Unknown)
		return nil, nil, false
	}
	a.res.Status = int32(res.Status)
	return &got, res, true
}

// person makes the change of one row, and returns its stamp as the row has it.
func (a *attempt) person(rec row, cols []string, cause string) (*schemas.CRMChange, time.Time) {
	stamp, _ := parseTime(text(rec["SystemModstamp"]))
	r := &schemas.RecordRead{ModifiedAt: stamp.UnixMilli(), Deleted: string(rec["IsDeleted"]) == "true", Cause: cause, AttemptID: a.at.ID}
	if m := text(rec["MasterRecordId"]); m != "" {
		m = NormalizeID(m)
		r.MovedTo = &m
	}
	for _, col := range cols {
		if v, ok := lookup(rec, col); ok {
			r.Fields = append(r.Fields, schemas.Field{Name: col, Value: scalar(v)})
		}
	}
	return &schemas.CRMChange{Provider: name, Account: a.at.Account, Object: a.at.Object, ID: NormalizeID(text(rec["Id"])),
		ObservedAt: a.now().UnixMilli(), Record: r}, stamp
}

// lookup follows a path such as Account.Name; a null parent gives null.
func lookup(rec row, path string) (json.RawMessage, bool) {
	head, rest, nested := strings.Cut(path, ".")
	v, ok := rec[head]
	if !ok || !nested {
		return v, ok
	}
	if string(v) == "null" {
		return v, true
	}
	var inner map[string]json.RawMessage
	if json.Unmarshal(v, &inner) != nil {
		return nil, false
	}
	return lookup(inner, rest)
}

// scalar is a JSON value as text; nil for null and for the empty string, which the
// CRM does not tell apart.
func scalar(v json.RawMessage) *string {
	s := strings.TrimSpace(string(v))
	if s == "" || s == "null" || s == `""` {
		return nil
	}
	if s[0] == '"' {
		s = text(v)
	} else if f, err := strconv.ParseFloat(s, 64); err == nil && f == float64(int64(f)) && f > -1e15 && f < 1e15 {
		s = strconv.FormatInt(int64(f), 10) // 3.0 is 3
	}
	return &s
}

func text(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// parseTime reads the CRM's own form (offset without a colon) and RFC 3339.
func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse("2006-01-02T15:04:05.000-0700", s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}
