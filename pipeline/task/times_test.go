package task_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/pipetest"
	"github.com/crmstream/crmstream/schemas"
)

// Times from outside may be anything: microseconds, or the largest number there is.
// None makes a sum overflow, and none that lies in the future wins over what comes
// after it.
func TestTimesFromOutsideAreBounded(t *testing.T) {
	m := pipetest.NewMachine(pipetest.Profiles(), start)
	do := func(v any) (out []pipetest.Happened) {
		t.Helper()
		h, err := m.Step(&pipeline.Record{Topic: "input", Tenant: "acme", Decoded: v})
		if err == nil {
			out = append(out, h)
			err = m.Advance(m.Now, func(h pipetest.Happened) { out = append(out, h) })
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	rejected := func(v any, reason string) {
		t.Helper()
		if r := do(v)[0].Rejected; r == nil || r.Reason != reason || !strings.Contains(r.Detail, "milliseconds") {
			t.Errorf("got %v, want %s that says how to mend it", r, reason)
		}
	}
	const ms = start
	do(&schemas.TenantConfig{Tenant: "acme", Version: 1, Country: "US", TimeZone: "UTC", Accounts: []schemas.Account{{Provider: "sf", ID: "o"}}})
	number, seconds := "+14155550101", int32(5)
	end := func(v int64) *int64 { return &v }
	for _, at := range []int64{ms * 1000, math.MaxInt64, ms + 25*3600*1000} {
		rejected(&schemas.CallEvent{CallID: "c1", Revision: 1, StartedAt: at, ToNumber: number, DurationSeconds: &seconds}, schemas.ReasonInvalid)
		rejected(&schemas.CallEvent{CallID: "c1", Revision: 1, StartedAt: ms, EndedAt: end(at), ToNumber: number}, schemas.ReasonInvalid)
	}
	for _, at := range []int64{ms / 1000, 0, math.MinInt64} {
		rejected(&schemas.CallEvent{CallID: "c1", Revision: 1, StartedAt: at, ToNumber: number, DurationSeconds: &seconds}, schemas.ReasonTooOld)
	}

	lead := func(at int64, name string) []pipetest.Happened {
		return do(&schemas.CRMChange{Provider: "sf", Object: "Lead", ID: "L1", Record: &schemas.RecordRead{ModifiedAt: at, Fields: []schemas.Field{schemas.Text("LastName", name), schemas.Text("Phone", number)}}})
	}
	contact := func(at int64, name string) []pipetest.Happened {
		return do(&schemas.ContactChange{ContactID: "d1", ModifiedAt: at, CRMLink: &schemas.Link{Provider: "sf", Object: "Lead", ID: "L1"}, Fields: []schemas.Field{schemas.Text("last_name", name)}})
	}
	dnc := func(at int64, value string) []pipetest.Happened {
		id := "d1"
		return do(&schemas.DialerEvent{EventID: "e", Type: "dnc_changed", At: at, ContactID: &id, Fields: []schemas.Field{schemas.Text("do_not_call", value)}})
	}
	person := func(hs []pipetest.Happened) (c *schemas.SyncContact) {
		t.Helper()
		for _, h := range hs {
			for _, o := range h.Outputs {
				if v, ok := o.Value.(*schemas.SyncContact); ok {
					c = v
				}
			}
		}
		if c == nil {
			t.Fatal("nothing was published")
		}
		return c
	}
	last := func(c *schemas.SyncContact) string {
		for _, f := range c.Fields {
			if f.Name == "last_name" {
				return *f.Value
			}
		}
		return ""
	}
	lead(math.MaxInt64, "Future")
	m.Now += 1000
	if c := person(contact(m.Now, "Present")); last(c) != "Present" {
		t.Errorf("a CRM's time in the future wins: %s", last(c))
	}
	m.Now += 1000
	contact(math.MaxInt64, "Future")
	m.Now += 1000
	if c := person(lead(m.Now, "Past")); last(c) != "Past" {
		t.Errorf("a dialer's time in the future wins: %s", last(c))
	}
	if c := person(dnc(math.MaxInt64, "true")); !c.DoNotCall {
		t.Error("do-not-call was not set")
	}
	m.Now += 1000
	if c := person(dnc(m.Now, "false")); c.DoNotCall {
		t.Error("a do-not-call of the future can't be cleared")
	}

	// A limit that asks for more than a day is obeyed for a day.
	var at *schemas.Attempt
	started := func(hs []pipetest.Happened) {
		for _, h := range hs {
			for _, e := range h.Effects {
				if s, ok := e.(pipeline.Start); ok {
					at = s.Attempt
				}
			}
		}
	}
	m.Now += 120_000 // whatever was on its way is over
	started(do(&schemas.CallEvent{CallID: "c2", Revision: 1, StartedAt: m.Now, ToNumber: number, DurationSeconds: &seconds}))
	if at == nil {
		t.Fatal("no attempt")
	}
	do(&schemas.AttemptResult{AttemptID: at.ID, Provider: "sf", Account: "o", Kind: at.Kind, Error: schemas.ErrThrottled, RetryAfterMs: math.MaxInt64,
		Items: []schemas.ItemResult{{Key: at.Items[0].Key, Outcome: schemas.NotSent, Error: schemas.ErrThrottled}}})
	at = nil
	if err := m.Advance(m.Now+23*3600*1000, func(h pipetest.Happened) { started([]pipetest.Happened{h}) }); err != nil || at != nil {
		t.Errorf("%+v left within the pause; %v", at, err)
	}
	if err := m.Advance(m.Now+2*3600*1000, func(h pipetest.Happened) { started([]pipetest.Happened{h}) }); err != nil || at == nil {
		t.Errorf("nothing left after the pause; %v", err)
	}
}

// The shell's own check decides, where it has set one.
func TestFitsAsksTheShell(t *testing.T) {
	tx := pipeline.NewTx(0, start, pipetest.NewMachine(nil, start).Store())
	mark := tx.Mark()
	tx.Emit(schemas.TopicSyncContacts, "acme/p1", &schemas.SyncContact{Tenant: "acme"})
	if err := tx.Fits(mark); err != nil {
		t.Error(err)
	}
	no := pipeline.Rejectf(schemas.ReasonTooLarge, "no")
	tx.Check = func(m pipeline.Mark) error {
		if n := len(tx.OutputsSince(m)); n != 1 {
			t.Errorf("%d outputs since the mark", n)
		}
		return no
	}
	if err := tx.Fits(mark); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	tx.Check = nil
	tx.Emit(schemas.TopicSyncContacts, "acme/p1", &schemas.SyncContact{Tenant: "acme", Fields: []schemas.Field{schemas.Text("a", strings.Repeat("x", schemas.RecordLimit))}})
	if err := tx.Fits(mark); err == nil {
		t.Error("a record over the limit fits")
	}
}
