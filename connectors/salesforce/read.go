package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/base"
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
// needs beside it.
func columns(object string) []string {
	if cols := base.Columns(theProfile, object, extra[object]...); cols != nil {
		return cols
	}
	return extra[object]
}

// columns of an object with those of the tenant's mapping, without those that the org is
// known to lack.
func (c *conn) columns(object string) []string {
	return c.lacking.without(object, c.Mapped(object, columns(object)), columns(object))
}

// standard is what is read of every record of an object, whatever is mapped.
func standard(object string) string {
	if _, person := theProfile.ObjectByName(object); person || object == company {
		return always // only those are merged
	}
	return anyway
}

// always is read of what may be merged, and anyway of every record.
const (
	always = "Id, SystemModstamp, IsDeleted, MasterRecordId, "
	anyway = "Id, SystemModstamp, IsDeleted, "
)

// read fetches records by id. queryAll also returns what is deleted, so a record
// that is gone is told from one that never was.
func (a *attempt) read(ctx context.Context) {
	cols := a.columns(a.At.Object)
	if cols == nil {
		a.Invalid("object " + a.At.Object + " is not read")
		return
	}
	ids := a.IDs(batch, func(id string) string {
		if id = NormalizeID(id); !recordID.MatchString(id) {
			return ""
		}
		return id
	})
	if len(ids) == 0 {
		return
	}
	q := "SELECT " + standard(a.At.Object) + strings.Join(cols, ", ") + " FROM " + a.At.Object + " WHERE Id IN ('" + strings.Join(ids, "','") + "')"
	got, _, ok := a.query(ctx, "/queryAll", q)
	if !ok {
		return
	}
	found := make(map[string]*schemas.CRMChange, len(got.Records))
	for _, rec := range got.Records {
		ch, _ := a.person(rec, a.At.Object, cols, "read")
		found[ch.ID] = ch
	}
	a.Found(ctx, func(id string) *schemas.CRMChange { return found[NormalizeID(id)] }, func(*schemas.ItemResult) {})
	for i := range a.Res.Items {
		a.Res.Items[i].ID = NormalizeID(a.Res.Items[i].ID)
	}
}

// query runs one query; ok is false where the attempt failed and says so.
func (a *attempt) query(ctx context.Context, resource, q string) (*queried, *base.Reply, bool) {
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, http.MethodGet, apiPath+resource, url.Values{"q": {q}}, nil)
	if a.refused(err) {
		err = &rest.Error{Class: schemas.ErrTransient, Message: "the org lacks a field that is mapped: it is asked again without"}
	}
	if err != nil {
		a.Fail(err, outcome)
		return nil, nil, false
	}
	got := new(queried)
	return got, res, a.Decode(res.Response, got, "query result")
}

// person makes the change of one row, and returns its stamp as the row has it.
func (a *attempt) person(rec row, object string, cols []string, cause string) (*schemas.CRMChange, time.Time) {
	stamp, _ := parseTime(text(rec["SystemModstamp"]))
	r := &schemas.RecordRead{ModifiedAt: stamp.UnixMilli(), Deleted: string(rec["IsDeleted"]) == "true", Cause: cause, AttemptID: a.At.ID}
	if m := text(rec["MasterRecordId"]); m != "" {
		m = NormalizeID(m)
		r.MovedTo = &m
	}
	for _, col := range cols {
		if v, ok := lookup(rec, col); ok {
			r.Fields = append(r.Fields, schemas.Field{Name: col, Value: scalar(v)})
		}
	}
	ch := a.Change(object, NormalizeID(text(rec["Id"])))
	ch.Record = r
	return ch, stamp
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
