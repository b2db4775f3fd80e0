package base

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// Attempt is one call of Do on its way. It belongs to one goroutine.
type Attempt struct {
	At      *schemas.Attempt
	LeaveBy time.Time
	Res     schemas.AttemptResult // one item per item, not sent until it is settled
	Page    *connectors.Page

	emit connectors.Emit
	now  func() time.Time
}

// New returns the attempt with nothing sent yet.
func (a *Account) New(at *schemas.Attempt, leaveBy time.Time, emit connectors.Emit) *Attempt {
	t := &Attempt{At: at, LeaveBy: leaveBy, emit: emit, now: a.Now,
		Res: schemas.AttemptResult{AttemptID: at.ID, Provider: a.provider, Account: at.Account, Kind: at.Kind, Object: at.Object,
			Items: make([]schemas.ItemResult, len(at.Items))}}
	for i, it := range at.Items {
		t.Res.Items[i] = schemas.ItemResult{Key: it.Key, ID: it.ID, Outcome: schemas.NotSent}
	}
	return t
}

// Run carries the attempt out by its kind; find is nil where the CRM has no search by
// number.
func (t *Attempt) Run(ctx context.Context, write, read, page, find func(context.Context)) connectors.Answer {
	switch t.At.Kind {
	case schemas.KindWrite:
		if len(t.At.Items) > 0 {
			write(ctx)
		}
	case schemas.KindRead:
		read(ctx)
	case schemas.KindPage:
		if t.At.Page == nil {
			t.Invalid("the attempt asks for no page")
			break
		}
		page(ctx)
	case schemas.KindFind:
		if find == nil || len(t.At.Items) != 1 || t.At.Items[0].IdentityField != schemas.FindPhone {
			t.Invalid("the CRM has no search by number, or the attempt names not one number")
			break
		}
		find(ctx)
	default:
		t.Invalid("attempts of kind " + t.At.Kind + " are not known")
	}
	t.lift()
	t.Res.FinishedAt = t.now().UnixMilli()
	return connectors.Answer{Result: t.Res, Page: t.Page}
}

// lift makes the account's trouble that an item reports the request's, where the
// request itself went well: it parks or pauses the account and costs no record. What
// is a record's alone has another class (B37).
func (t *Attempt) lift() {
	if t.Res.Error != "" {
		return
	}
	for i := range t.Res.Items {
		switch it := &t.Res.Items[i]; it.Error {
		case schemas.ErrThrottled, schemas.ErrAuth, schemas.ErrForbidden:
			t.Res.Error, t.Res.Code, t.Res.Message = it.Error, it.Code, it.Message
			return
		}
	}
}

// Fail gives the request as a whole, and each item that has no answer of its own,
// this error. A batch of one item needs no bisecting, and a read has nothing to
// bisect.
func (t *Attempt) Fail(err error, outcome rest.Outcome) {
	e := asError(err)
	class := e.Class
	switch {
	case t.At.Kind != schemas.KindWrite && (class == schemas.ErrBatch || class == schemas.ErrNotFound):
		class = schemas.ErrPermanent
	case class == schemas.ErrBatch && len(t.At.Items) == 1:
		class, outcome = schemas.ErrPermanent, schemas.Sent
	}
	t.Res.Status, t.Res.Error, t.Res.Code, t.Res.Message = int32(e.Status), class, e.Code, e.Message
	t.Res.RetryAfterMs = e.RetryAfter.Milliseconds()
	for i := range t.Res.Items {
		it := &t.Res.Items[i]
		if it.Error != "" {
			continue // settled before anything was sent
		}
		it.Outcome, it.Error, it.Code, it.Message = outcome, class, e.Code, e.Message
	}
}

// Invalid fails an attempt that can't be carried out as it stands.
func (t *Attempt) Invalid(why string) {
	t.Fail(&rest.Error{Class: schemas.ErrPermanent, Message: why}, schemas.NotSent)
}

// TooMany fails an attempt with more items than a request may carry, and reports
// whether it did.
func (t *Attempt) TooMany(most int) bool {
	if len(t.At.Items) <= most {
		return false
	}
	t.Fail(&rest.Error{Class: schemas.ErrBatch, Message: "more records than one request may carry"}, schemas.NotSent)
	return true
}

// Unread fails an attempt whose answer is not what it should be. A write may have
// been applied all the same.
func (t *Attempt) Unread(status int, why string) {
	t.Fail(&rest.Error{Class: schemas.ErrTransient, Status: status, Message: why}, schemas.Unknown)
}

// Decode reads an answer; false where the attempt failed by it.
func (t *Attempt) Decode(res *rest.Response, into any, what string) bool {
	if err := json.Unmarshal(res.Body, into); err != nil {
		t.Unread(res.Status, "the answer is no "+what)
		return false
	}
	t.Res.Status = int32(res.Status)
	return true
}

// Refuse settles an item that can't go out.
func (t *Attempt) Refuse(i int, class, why string) {
	r := &t.Res.Items[i]
	r.Outcome, r.Error, r.Message = schemas.NotSent, class, why
}

// Unanswered says that an item went out and the answer does not speak of it.
func (t *Attempt) Unanswered(i int) {
	r := &t.Res.Items[i]
	r.Outcome, r.Error, r.Message = schemas.Unknown, schemas.ErrTransient, "the answer does not speak of this record"
}

// Distinct says of items in turn whether they may stand in one request: two of one
// record refuse each other, so the later one stays. "" is never the same.
func (t *Attempt) Distinct() func(i int, same string) bool {
	seen := make(map[string]bool, len(t.At.Items))
	return func(i int, same string) bool {
		if same != "" && seen[same] {
			t.Refuse(i, schemas.ErrDuplicates, "an earlier item of the request is the same record")
			return false
		}
		seen[same] = true
		return true
	}
}

// Emit hands over a record that was read; false ends the attempt, of which the items
// from i on were not taken.
func (t *Attempt) Emit(ctx context.Context, i int, c *schemas.CRMChange) bool {
	if t.emit(ctx, c) == nil {
		return true
	}
	t.Res.Error, t.Res.Message = schemas.ErrAborted, "a record that was read was not taken"
	for ; i < len(t.Res.Items); i++ {
		t.Res.Items[i].Error, t.Res.Items[i].Message = t.Res.Error, t.Res.Message
	}
	return false
}

// Change is a change of this account that was seen now.
func (t *Attempt) Change(object, id string) *schemas.CRMChange {
	return &schemas.CRMChange{Provider: t.Res.Provider, Account: t.At.Account, Object: object, ID: id, ObservedAt: t.now().UnixMilli()}
}

// User is somebody who may own records of the CRM.
type User struct {
	ID       string
	Email    string // "" if he has none
	TimeZone string // IANA name, "" where the CRM says none
	Active   bool
}

// Owner is the reference data of a user of the CRM.
func (t *Attempt) Owner(object string, u User) *schemas.CRMChange {
	f := []schemas.Field{schemas.Text("active", strconv.FormatBool(u.Active)), {Name: "email"}, schemas.Text("id", u.ID)}
	if u.Email != "" {
		f[1] = schemas.Text("email", u.Email)
	}
	if u.TimeZone != "" {
		f = append(f, schemas.Text("time_zone", u.TimeZone))
	}
	c := t.Change(object, u.ID)
	c.Reference = &schemas.Reference{Kind: object, Fields: f}
	return c
}
