package deliver

import (
	"fmt"
	"testing"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/mem"
)

// yard is a partition with tenants that have one account each.
type yard struct {
	t  *testing.T
	d  *Deliver
	tx *pipeline.Tx
	// open are the attempts that began since they were last asked for.
	seen int
}

func newYard(t *testing.T, base state.Reader, l profile.Limits) *yard {
	return &yard{t: t, d: New([]*profile.Profile{{Provider: "crm", Limits: l}}), tx: pipeline.NewTx(0, 1_000_000, base)}
}

func (y *yard) configure(tenant string) {
	y.t.Helper()
	if _, err := y.d.Take(y.tx, tenant, pipeline.Intents{Accounts: &schemas.TenantConfig{Tenant: tenant, Version: 1, Accounts: []schemas.Account{{Provider: "crm", ID: "o"}}}}); err != nil {
		y.t.Fatal(err)
	}
}

// write enqueues updates of n records, the first of which is record from.
func (y *yard) write(tenant string, from, n int) {
	y.t.Helper()
	var want pipeline.Intents
	for i := range n {
		id := fmt.Sprint(from + i)
		want.Writes = append(want.Writes, pipeline.Write{Provider: "crm", Account: "o", Object: "Lead", Key: "person:" + id, ID: id, Fields: []schemas.Field{schemas.Text("A", "b")}, Revision: 1})
	}
	if _, err := y.d.Take(y.tx, tenant, want); err != nil {
		y.t.Fatal(err)
	}
}

// tick fires what is due now and returns the attempts that began.
func (y *yard) tick() (began []*schemas.Attempt) {
	y.t.Helper()
	for range 10_000 {
		tm, ok, err := pipeline.NextTimer(y.tx.Store, 0)
		if err != nil {
			y.t.Fatal(err)
		}
		if !ok || tm.Due > y.tx.Now {
			for _, e := range y.tx.Effects()[y.seen:] {
				began = append(began, e.(pipeline.Start).Attempt)
			}
			y.seen = len(y.tx.Effects())
			return began
		}
		y.tx.Cancel(tm)
		if _, ok, err := y.d.Tick(y.tx, tm); err != nil || !ok {
			y.t.Fatal(ok, err)
		}
	}
	y.t.Fatal("timers come without end")
	return nil
}

// An account that waits for its CRM while it is first in the line for the partition's
// attempts does not hold up those behind it (P8).
func TestAnAccountThatWaitsLeavesTheLine(t *testing.T) {
	y := newYard(t, mem.New().Store(0), profile.Limits{Update: 1, InFlight: maxOpen})
	for _, tenant := range []string{"stuck", "busy", "fine"} {
		y.configure(tenant)
	}
	y.write("stuck", 0, 1)
	first := y.tick()
	y.write("busy", 0, maxOpen-1)
	if n := len(y.tick()); len(first) != 1 || n != maxOpen-1 {
		t.Fatalf("%d and %d attempts began: the test tests nothing", len(first), n)
	}
	y.write("stuck", 1, 1)
	y.tick()
	y.write("fine", 0, 1)
	if n := len(y.tick()); n != 0 {
		t.Fatalf("%d attempts began though there was no place", n)
	}
	r := &schemas.AttemptResult{AttemptID: first[0].ID, Provider: "crm", Kind: first[0].Kind, Error: schemas.ErrThrottled, RetryAfterMs: 60_000,
		Items: []schemas.ItemResult{{Key: first[0].Items[0].Key, Outcome: schemas.NotSent, Error: schemas.ErrThrottled}}}
	if _, err := y.d.Step(y.tx, &pipeline.Record{Tenant: "stuck", Decoded: r}, pipeline.Intents{}); err != nil {
		t.Fatal(err)
	}
	began := y.tick()
	if len(began) != 1 || began[0].Tenant != "fine" {
		t.Errorf("the place that became free went to %+v, want fine", began)
	}
}

// counted counts what is read of a store.
type counted struct {
	state.Reader
	n int
}

func (c *counted) Get(k state.Key) ([]byte, bool, error) {
	c.n++
	return c.Reader.Get(k)
}

func (c *counted) Scan(prefix, after state.Key, fn func(state.Key, []byte) (bool, error)) error {
	return c.Reader.Scan(prefix, after, func(k state.Key, v []byte) (bool, error) {
		c.n++
		return fn(k, v)
	})
}

// What one request reads of the outbox does not grow with what waits in it (P8).
func TestARequestReadsAsMuchWhateverWaits(t *testing.T) {
	reads := func(waiting int) int {
		t.Helper()
		store := mem.New().Store(0)
		y := newYard(t, store, profile.Limits{Update: 10, InFlight: 1})
		y.configure("acme")
		y.write("acme", 0, waiting)
		if err := store.Apply(y.tx.Store.Writes(), state.Watermark{}); err != nil {
			t.Fatal(err)
		}
		c := &counted{Reader: store}
		y.tx, y.seen = pipeline.NewTx(0, y.tx.Now, c), 0
		if began := y.tick(); len(began) != 1 || len(began[0].Items) != 10 {
			t.Fatalf("began %+v, want one attempt of ten", began)
		}
		return c.n
	}
	if few, many := reads(50), reads(5000); many != few {
		t.Errorf("%d reads with 50 waiting, %d with 5,000", few, many)
	}
}

// What is said of several accounts is said in the order of their profiles, whatever
// the order of a map (P9).
func TestAccountsAreSaidInTheOrderOfProfiles(t *testing.T) {
	var ps []*profile.Profile
	var want []string
	all := &schemas.TenantConfig{Tenant: "acme", Version: 1}
	for _, name := range []string{"g", "b", "e", "a", "h", "d", "c", "f"} {
		ps = append(ps, &profile.Profile{Provider: name})
		want = append(want, "acme/"+name)
		all.Accounts = append(all.Accounts, schemas.Account{Provider: name, ID: "o"})
	}
	d := New(ps)
	for range 50 { // the order of a map is the right one now and then
		tx := pipeline.NewTx(0, 1000, mem.New().Store(0))
		for _, c := range []*schemas.TenantConfig{all, {Tenant: "acme", Version: 2}} {
			if _, err := d.Take(tx, "acme", pipeline.Intents{Accounts: c}); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, o := range tx.Outputs() {
			got = append(got, o.Key)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("said %q, want %q", got, want)
		}
	}
}

// edit enqueues one update of record 0 of acme.
func (y *yard) edit(fields ...schemas.Field) {
	y.t.Helper()
	want := pipeline.Intents{Writes: []pipeline.Write{{Provider: "crm", Account: "o", Object: "Lead", Key: "person:0", ID: "0", Fields: fields, Revision: 1}}}
	if _, err := y.d.Take(y.tx, "acme", want); err != nil {
		y.t.Fatal(err)
	}
}

// answer gives the result of an attempt of one item.
func (y *yard) answer(at *schemas.Attempt, outcome, class string) {
	y.t.Helper()
	r := &schemas.AttemptResult{AttemptID: at.ID, Provider: "crm", Kind: at.Kind, Items: []schemas.ItemResult{{Key: at.Items[0].Key, Outcome: outcome, Error: class}}}
	if _, err := y.d.Step(y.tx, &pipeline.Record{Tenant: at.Tenant, Decoded: r}, pipeline.Intents{}); err != nil {
		y.t.Fatal(err)
	}
}

// one returns the fields of the one attempt that began.
func (y *yard) one() (*schemas.Attempt, string) {
	y.t.Helper()
	began := y.tick()
	if len(began) != 1 || len(began[0].Items) != 1 {
		y.t.Fatalf("began %+v, want one attempt of one item", began)
	}
	said := ""
	for _, f := range began[0].Items[0].Fields {
		said += f.Name + "=" + *f.Value + " "
	}
	return began[0], said
}

// Several waiting writes of a record become one, with every field that one of them
// named; what was sent and not taken goes under them (P6).
func TestWhatWaitsIsJoined(t *testing.T) {
	y := newYard(t, mem.New().Store(0), profile.Limits{Update: 1, InFlight: 1})
	y.configure("acme")
	y.edit(schemas.Text("A", "1"), schemas.Text("B", "1"))
	first, _ := y.one()
	y.edit(schemas.Text("B", "2"))
	y.edit(schemas.Text("C", "3"))
	if began := y.tick(); len(began) != 0 {
		t.Fatalf("began %+v beside the first", began)
	}
	y.answer(first, schemas.NotSent, schemas.ErrTransient)
	y.tx.Now += 60_000
	if _, said := y.one(); said != "A=1 B=2 C=3 " {
		t.Errorf("sent %s", said)
	}
}

// Other content waits until what may still arrive of an attempt without an answer is
// over, also if it comes while the same content waits to be repeated (P6).
func TestOtherContentWaitsForWhatMayArrive(t *testing.T) {
	y := newYard(t, mem.New().Store(0), profile.Limits{Update: 1, InFlight: 1})
	y.configure("acme")
	y.edit(schemas.Text("A", "1"))
	first, _ := y.one()
	y.answer(first, schemas.Unknown, schemas.ErrTransient)
	if began := y.tick(); len(began) != 0 {
		t.Fatalf("repeated at once: %+v", began)
	}
	y.edit(schemas.Text("A", "2"))
	y.tx.Now = first.OverBy - 1
	if began := y.tick(); len(began) != 0 {
		t.Fatalf("other content left while the first may arrive: %+v", began)
	}
	y.tx.Now = first.OverBy
	if _, said := y.one(); said != "A=2 " {
		t.Errorf("sent %s", said)
	}
}
