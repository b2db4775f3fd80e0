package deliver

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state/mem"
)

// 150 calls with notes of 12 KB are more than a record holds. They go in requests that
// can be recorded.
func TestManyLargeWritesAreSeveralRequests(t *testing.T) {
	o := newOutbox(t, profile.Limits{Upsert: 200, InFlight: 1})
	var want pipeline.Intents
	for i := range 150 {
		id := strconv.Itoa(i)
		want.Writes = append(want.Writes, o.write("call:"+id, 12<<10, 1))
	}
	o.take(want)
	sent := 0
	for o.open != nil {
		sent += len(o.open.Items)
		if n := len(o.open.Items); n > 45 || n < 40 && sent < 150 {
			t.Errorf("%d items of 12 KB in one request", n)
		}
		o.answer(schemas.Sent, "")
	}
	if sent != 150 {
		t.Errorf("%d of 150 were sent", sent)
	}
}

// A provider's own bound is kept.
func TestProfileBoundsARequest(t *testing.T) {
	o := newOutbox(t, profile.Limits{Upsert: 200, InFlight: 1, Bytes: 30 << 10})
	o.take(pipeline.Intents{Writes: []pipeline.Write{o.write("call:1", 100<<10, 1), o.write("call:2", 12<<10, 1), o.write("call:3", 12<<10, 1), o.write("call:4", 12<<10, 1)}})
	for _, want := range []int{1, 2, 1} { // one that is larger goes alone
		if got := len(o.open.Items); got != want {
			t.Fatalf("%d items, want %d", got, want)
		}
		o.answer(schemas.Sent, "")
	}
}

// Whatever comes together, nothing outgrows a record: no unit of work of the outbox is
// rejected for its size, which would come again for ever.
func TestNothingOutgrowsARecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := newOutbox(t, profile.Limits{Upsert: 5, Update: 5, InFlight: 1})
		revision := int64(0)
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				revision++
				w := o.write("call:"+strconv.Itoa(rapid.IntRange(1, 3).Draw(t, "call")), rapid.IntRange(0, 450<<10).Draw(t, "bytes"), revision)
				w.Fields[0].Name = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "field")
				o.take(pipeline.Intents{Writes: []pipeline.Write{w}})
			},
			"answer": func(t *rapid.T) {
				if o.open != nil {
					o.answer(rapid.SampledFrom([]string{schemas.Sent, schemas.NotSent, schemas.Unknown}).Draw(t, "outcome"),
						rapid.SampledFrom([]string{"", schemas.ErrTransient, schemas.ErrBatch, schemas.ErrPermanent, schemas.ErrThrottled}).Draw(t, "class"))
				}
			},
			"time": func(t *rapid.T) { o.advance(rapid.Int64Range(1, 60_000).Draw(t, "ms")) },
		})
	})
}

// What failed and what waited became one; what waits behind that must leave room for
// it to come back.
func TestWhatComesBackFindsRoom(t *testing.T) {
	o := newOutbox(t, profile.Limits{Upsert: 1, InFlight: 1})
	for i, field := range []string{"a", "b", "c"} {
		if i == 2 {
			o.answer(schemas.Sent, schemas.ErrTransient)
			o.advance(2000)
		}
		w := o.write("call:1", 380<<10, int64(i+1))
		w.Fields[0].Name = field
		o.take(pipeline.Intents{Writes: []pipeline.Write{w}})
	}
	if n := len(o.open.Items[0].Fields); n != 2 {
		t.Errorf("%d fields are on their way, a and b were to become one", n)
	}
	o.answer(schemas.Sent, schemas.ErrTransient)
	o.advance(5000)
	o.answer(schemas.Sent, "")
	if o.open != nil {
		t.Errorf("what was too large was sent: %s", o.open.ID)
	}
}

type failer interface {
	Helper()
	Fatal(...any)
}

// outbox is one tenant's, with one account.
type outbox struct {
	t    failer
	d    *Deliver
	tx   *pipeline.Tx
	open *schemas.Attempt
}

func newOutbox(t failer, l profile.Limits) *outbox {
	o := &outbox{t: t, d: New([]*profile.Profile{{Provider: "crm", Limits: l}}), tx: pipeline.NewTx(0, 1_000_000, mem.New().Store(0))}
	o.take(pipeline.Intents{Accounts: &schemas.TenantConfig{Tenant: "acme", Version: 1, Accounts: []schemas.Account{{Provider: "crm", ID: "o"}}}})
	return o
}

func (o *outbox) write(key string, bytes int, revision int64) pipeline.Write {
	return pipeline.Write{Provider: "crm", Account: "o", Object: "Task", Key: key, IdentityField: "Call", Identity: key, Revision: revision,
		Fields: []schemas.Field{schemas.Text("Notes", strings.Repeat("x", bytes))}}
}

// do does one unit of work, as the shell would: it must fit.
func (o *outbox) do(work func() error) {
	o.t.Helper()
	mark := o.tx.Mark()
	if err := errors.Join(work(), o.tx.Fits(mark)); err != nil {
		o.t.Fatal(err)
	}
	for _, e := range o.tx.Effects() {
		if s, ok := e.(pipeline.Start); ok {
			o.open = s.Attempt
		}
	}
	// What was done is committed; the next unit's outputs are counted from none.
	store := o.tx.Store
	o.tx = pipeline.NewTx(0, o.tx.Now, nil)
	o.tx.Store = store
}

func (o *outbox) tick() {
	o.t.Helper()
	for range 1000 {
		tm, ok, err := pipeline.NextTimer(o.tx.Store, 0)
		if err != nil {
			o.t.Fatal(err)
		}
		if !ok || tm.Due > o.tx.Now {
			return
		}
		o.do(func() error {
			o.tx.Cancel(tm)
			_, _, err := o.d.Tick(o.tx, tm)
			return err
		})
	}
	o.t.Fatal("timers come without end")
}

func (o *outbox) take(want pipeline.Intents) {
	o.t.Helper()
	o.do(func() error { _, err := o.d.Take(o.tx, "acme", want); return err })
	o.tick()
}

func (o *outbox) advance(ms int64) {
	o.t.Helper()
	o.tx.Now += ms
	if o.open != nil && o.open.OverBy <= o.tx.Now {
		o.open = nil
	}
	o.tick()
}

func (o *outbox) answer(outcome, class string) {
	o.t.Helper()
	r := &schemas.AttemptResult{AttemptID: o.open.ID, Provider: "crm", Kind: o.open.Kind}
	for _, it := range o.open.Items {
		r.Items = append(r.Items, schemas.ItemResult{Key: it.Key, Outcome: outcome, Error: class, ID: "id-" + it.Key})
	}
	o.open = nil
	o.do(func() error {
		_, err := o.d.Step(o.tx, &pipeline.Record{Tenant: "acme", Decoded: r}, pipeline.Intents{})
		return err
	})
	o.tick()
}
