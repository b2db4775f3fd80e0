package salesforce

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/schemas"
)

// overlap is read again: a row's stamp is set inside its transaction, so rows appear
// behind others that have a later one. A transaction lasts at most ten minutes.
const overlap = 10 * time.Minute

const soqlTime = "2006-01-02T15:04:05.000Z"

// cursor is a place in the order (SystemModstamp, Id). Without id it stands before
// all rows of its stamp.
//
// began is the CRM's clock when the pass over the overlap began, 0 before its first
// page. When a pass that began more than an overlap after the last row's stamp is
// done, nothing can appear behind that row any more, and the next pass starts there
// and not an overlap earlier: an idle source costs one empty query.
type cursor struct {
	stamp time.Time
	id    string
	began int64 // s
}

func (c cursor) String() string {
	return fmt.Sprintf("1 %d %s %d", c.stamp.UnixMilli(), orDash(c.id), c.began)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func parseCursor(s string) (c cursor, err error) {
	if s == "" {
		return cursor{}, nil
	}
	p := strings.Fields(s)
	bad := fmt.Errorf("cursor %q is none of ours", s)
	if len(p) != 4 || p[0] != "1" {
		return c, bad
	}
	ms, err1 := strconv.ParseInt(p[1], 10, 64)
	began, err2 := strconv.ParseInt(p[3], 10, 64)
	if err1 != nil || err2 != nil || (p[2] != "-" && !recordID.MatchString(p[2])) {
		return c, bad
	}
	c.stamp, c.began = time.UnixMilli(ms).UTC(), began
	if p[2] != "-" {
		c.id = p[2]
	}
	return c, nil
}

func (c cursor) where() string {
	if c.stamp.IsZero() {
		return ""
	}
	t := c.stamp.UTC().Format(soqlTime)
	if c.id == "" {
		return " WHERE SystemModstamp >= " + t
	}
	return " WHERE (SystemModstamp > " + t + " OR (SystemModstamp = " + t + " AND Id > '" + c.id + "'))"
}

// after is the cursor after a page of n rows that ended at (stamp, id).
func (c cursor) after(n int, stamp time.Time, id string, last bool, serverNow time.Time) cursor {
	next := c
	if next.began == 0 {
		next.began = serverNow.Unix()
	}
	if n > 0 {
		next.stamp, next.id = stamp, id
	}
	if !last {
		return next
	}
	began := time.Unix(next.began, 0)
	next.began = 0
	if next.stamp.IsZero() || began.Sub(next.stamp) > overlap {
		return next
	}
	if n == 0 && c.id == "" {
		return next // already an overlap back
	}
	next.stamp, next.id = next.stamp.Add(-overlap), ""
	return next
}

// pageMost is how many rows the CRM gives in one answer.
const pageMost = 2000

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
	cur, err := parseCursor(a.At.Page.Cursor)
	if err != nil {
		a.Invalid(err.Error())
		return
	}
	limit := a.PageLimit(pageMost)
	cols := a.columns(src.Object)
	resource, fields, object := "/queryAll", standard(src.Object), src.Object
	change := func(rec row) (*schemas.CRMChange, time.Time) { return a.person(rec, object, cols, a.PageCause()) }
	if src.Name == users {
		resource, fields, object, cols = "/query", "Id, SystemModstamp, ", "User", []string{"Email", "IsActive", "TimeZoneSidKey"}
		change = a.user
	}
	q := "SELECT " + fields + strings.Join(cols, ", ") + " FROM " + object + cur.where() +
		" ORDER BY SystemModstamp ASC, Id ASC LIMIT " + strconv.Itoa(limit)
	got, res, ok := a.query(ctx, resource, q)
	if !ok {
		return
	}
	var stamp time.Time
	var id string
	for _, rec := range got.Records {
		var ch *schemas.CRMChange
		ch, stamp = change(rec)
		if id = ch.ID; stamp.IsZero() || !recordID.MatchString(id) {
			a.Unread(res.Status, "a row has no Id or SystemModstamp")
			return
		}
		if !a.Emit(ctx, 0, ch) {
			return
		}
	}
	// A server may cut a page short of its limit: done false says so.
	last := len(got.Records) < limit && got.Done
	a.PageDone(cur.after(len(got.Records), stamp, id, last, res.ServerTime(a.Now())).String(), last)
}

func (a *attempt) user(rec row) (*schemas.CRMChange, time.Time) {
	stamp, _ := parseTime(text(rec["SystemModstamp"]))
	u := base.User{ID: NormalizeID(text(rec["Id"])), Email: text(rec["Email"]), TimeZone: text(rec["TimeZoneSidKey"]), Active: string(rec["IsActive"]) == "true"}
	return a.Owner(owner, u), stamp
}
