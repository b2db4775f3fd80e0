package task_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/pipetest"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// tenancy is a tenant whose account of one CRM is replaced, taken out and put back.
// Each account gives its records ids that begin with its own.
type tenancy struct {
	t       *rapid.T
	m       *pipetest.Machine
	version int64
	org     string // "" = none is configured
	open    []*schemas.Attempt
	next    int
}

func (w *tenancy) see(hs ...pipetest.Happened) {
	for _, h := range hs {
		if h.Rejected != nil && h.Rejected.Reason != schemas.ReasonCredentialLost {
			w.t.Fatalf("rejected: %v", h.Rejected)
		}
		for _, e := range h.Effects {
			s, ok := e.(pipeline.Start)
			if !ok {
				continue
			}
			w.open = append(w.open, s.Attempt)
			if s.Attempt.RepeatOf == nil && s.Attempt.Account != w.org {
				w.t.Fatalf("%s goes to the account %s, configured is %q", s.Attempt.ID, s.Attempt.Account, w.org)
			}
			for _, it := range s.Attempt.Items {
				if it.ID != "" && !strings.HasPrefix(it.ID, s.Attempt.Account) {
					w.t.Fatalf("%s writes the record %s in the account %s", s.Attempt.ID, it.ID, s.Attempt.Account)
				}
				for _, f := range it.Fields {
					if f.Name == "WhoId" && !strings.HasPrefix(*f.Value, s.Attempt.Account) || f.Name == "OwnerId" && !strings.HasPrefix(*f.Value, s.Attempt.Account) {
						w.t.Fatalf("%s names the record %s in the account %s", s.Attempt.ID, *f.Value, s.Attempt.Account)
					}
				}
			}
		}
	}
}

func (w *tenancy) step(v any) {
	h, err := w.m.Step(&pipeline.Record{Topic: "input", Tenant: "acme", Decoded: v})
	if err != nil {
		w.t.Fatal(err)
	}
	w.see(h)
	w.advance(0)
}

func (w *tenancy) advance(ms int64) {
	if err := w.m.Advance(w.m.Now+ms, func(h pipetest.Happened) { w.see(h) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *tenancy) configure(org string) {
	w.version++
	c := &schemas.TenantConfig{Tenant: "acme", Version: w.version, Country: "US", TimeZone: "UTC"}
	if w.org = org; org != "" {
		c.Accounts = []schemas.Account{{Provider: "sf", ID: org}}
	}
	w.step(c)
}

func (w *tenancy) answer(i int, how string) {
	at := w.open[i]
	w.open = append(w.open[:i], w.open[i+1:]...)
	r := &schemas.AttemptResult{AttemptID: at.ID, Provider: at.Provider, Account: at.Account, Kind: at.Kind, Object: at.Object, Error: how}
	for _, it := range at.Items {
		ir := schemas.ItemResult{Key: it.Key, Outcome: schemas.Sent, Error: how}
		switch {
		case how == "" && it.ID == "":
			w.next++
			ir.ID = at.Account + "-T" + strconv.Itoa(w.next)
		case how == schemas.ErrAuth:
			ir.Outcome = schemas.NotSent
		}
		r.Items = append(r.Items, ir)
	}
	w.step(r)
}

func (w *tenancy) record(org string, i int) {
	w.step(&schemas.CRMChange{Provider: "sf", Account: org, Object: "Lead", ID: org + "-L" + strconv.Itoa(i), Record: &schemas.RecordRead{ModifiedAt: w.m.Now,
		Fields: []schemas.Field{schemas.Text("Email", email(i)), schemas.Text("Phone", number(i))}}})
}

// Whatever is replaced, taken out and put back, and whatever is on its way meanwhile:
// no record of one account is written to, or named in, another (B11), and in the end
// nothing is left waiting.
func TestAccountsAreNeverMixed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &tenancy{t: t, m: pipetest.NewMachine(profiles(), start)}
		w.configure("a")
		orgs := rapid.SampledFrom([]string{"a", "b", "c"})
		t.Repeat(map[string]func(*rapid.T){
			"call": func(t *rapid.T) {
				i, disposition, d := rapid.IntRange(1, 3).Draw(t, "call"), rapid.SampledFrom([]string{"Busy", "Connected"}).Draw(t, "disposition"), int32(5)
				w.next++
				w.step(&schemas.CallEvent{CallID: "c" + strconv.Itoa(i), Revision: int64(w.next), Direction: schemas.Outbound, StartedAt: start - 60_000, DurationSeconds: &d,
					ToNumber: number(i), Disposition: &disposition, AgentEmail: "rep@example.com"})
			},
			"record": func(t *rapid.T) { w.record(orgs.Draw(t, "org"), rapid.IntRange(1, 3).Draw(t, "record")) },
			"owner": func(t *rapid.T) {
				org := orgs.Draw(t, "org")
				w.step(&schemas.CRMChange{Provider: "sf", Account: org, Object: "owner", ID: org + "-U1", Reference: &schemas.Reference{Kind: "owner", Fields: []schemas.Field{schemas.Text("email", "rep@example.com")}}})
			},
			"contact": func(t *rapid.T) {
				i := rapid.IntRange(1, 3).Draw(t, "contact")
				w.step(&schemas.ContactChange{ContactID: "d" + strconv.Itoa(i), ModifiedAt: w.m.Now, Fields: []schemas.Field{
					schemas.Text("email", email(i)), schemas.Text("first_name", rapid.SampledFrom([]string{"Ann", "Bo", "Cy"}).Draw(t, "name"))}})
			},
			"hint": func(t *rapid.T) {
				if w.org != "" {
					w.step(&schemas.CRMChange{Provider: "sf", Account: w.org, Object: "Lead", ID: w.org + "-L9", Hint: &schemas.Hint{Kind: "changed"}})
				}
			},
			"replace": func(t *rapid.T) { w.configure(orgs.Draw(t, "org")) },
			"remove":  func(*rapid.T) { w.configure("") },
			"answer": func(t *rapid.T) {
				if len(w.open) > 0 {
					w.answer(rapid.IntRange(0, len(w.open)-1).Draw(t, "attempt"), rapid.SampledFrom([]string{"", "", "", schemas.ErrTransient, schemas.ErrAuth, schemas.ErrThrottled}).Draw(t, "how"))
				}
			},
			"time": func(t *rapid.T) { w.advance(rapid.Int64Range(1, 60_000).Draw(t, "ms")) },
			"day":  func(*rapid.T) { w.advance(25 * 3600 * 1000) },
			"resume": func(t *rapid.T) {
				h, err := w.m.Resume()
				if err != nil {
					t.Fatal(err)
				}
				w.see(h)
				w.advance(0)
			},
		})
		if w.org != "" || rapid.Bool().Draw(t, "back") {
			w.configure("a")
		}
		for range 100 {
			for len(w.open) > 0 {
				w.answer(0, "")
			}
			w.advance(30 * 60 * 1000)
		}
		tenant := state.TenantIn(0, "acme")
		for _, k := range []state.Kind{'o', 'q', 'a'} {
			err := w.m.Store().Scan(tenant.Prefix(k, ""), state.Key{}, func(k state.Key, _ []byte) (bool, error) {
				t.Errorf("left in the outbox: %q", k.ID())
				return true, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// All persons lose what they had in the former account, not only the first of them.
func TestEveryPersonLeavesTheFormerAccount(t *testing.T) {
	const people = 1001
	m := pipetest.NewMachine(profiles(), start)
	links := make(map[string]int)
	see := func(h pipetest.Happened) {
		for _, o := range h.Outputs {
			if c, ok := o.Value.(*schemas.SyncContact); ok {
				links[c.PersonID] = len(c.Links)
			}
		}
		if len(h.Outputs) > 250 {
			t.Errorf("%d outputs of one unit of work (P8)", len(h.Outputs))
		}
	}
	step := func(v any) {
		t.Helper()
		h, err := m.Step(&pipeline.Record{Topic: "input", Tenant: "acme", Decoded: v})
		if err == nil {
			see(h)
			err = m.Advance(m.Now, see)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	config := func(version int64, org string) {
		step(&schemas.TenantConfig{Tenant: "acme", Version: version, Country: "US", TimeZone: "UTC", Accounts: []schemas.Account{{Provider: "sf", ID: org}}})
	}
	config(1, "a")
	for i := range people {
		step(&schemas.CRMChange{Provider: "sf", Account: "a", Object: "Lead", ID: fmt.Sprint("L", i), Record: &schemas.RecordRead{ModifiedAt: 1, Fields: []schemas.Field{schemas.Text("LastName", fmt.Sprint("n", i))}}})
	}
	config(2, "b")
	if err := m.Advance(m.Now+1000, see); err != nil {
		t.Fatal(err)
	}
	if len(links) != people {
		t.Fatalf("%d persons", len(links))
	}
	for id, n := range links {
		if n != 0 {
			t.Fatalf("%s has still %d links", id, n)
		}
	}
}
