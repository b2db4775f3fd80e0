package connectortest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/schemas"
)

// System is a provider and the simulator of its CRM.
type System struct {
	Provider connectors.Provider
	Account  schemas.Account
	Env      connectors.Env
	// Bad is an account with several mistakes, BadSettings the settings to be named.
	Bad         schemas.Account
	BadSettings []string
	// Secrets must stand in no result.
	Secrets []string

	Object   string                            // kind of activity that is written
	Identity string                            // its external id field
	Fields   func(n int) []schemas.Field       // a valid record
	BadField schemas.Field                     // makes a record invalid
	Source   string                            // a source of persons
	Person   string                            // its object
	Count    func(object string) int           // records in the CRM
	Create   func(object string, n int) string // a person made by a user; returns the id
	Edit     func(object, id string)           // a user's edit of one person
	// Number makes persons with a number, each spelt in its own way, and returns their ids;
	// nil where the CRM has no search by number.
	Number func(international, national string) []string

	// Faults, each for the next request; nil where the simulator lacks it.
	DropAfterApply func() // the write is applied, the answer never comes
	Expire         func() // access tokens end
	Throttle       func() // the next request is turned away by a limit
}

const wait = 20 * time.Second

// Run proves the promises of connectors.Conn.
func Run(t *testing.T, s System) {
	t.Run("check reports all problems at once", s.check)
	t.Run("write once, also when repeated", s.writeOnce)
	t.Run("an item's error is its own", s.itemErrors)
	t.Run("nothing is sent after its time", s.leaveBy)
	t.Run("an answer that is lost is unknown", s.lost)
	t.Run("an expired token is renewed inside the attempt", s.expired)
	t.Run("a limit is throttled, with a delay", s.throttled)
	t.Run("nothing leaves after close", s.closed)
	t.Run("pages reach every record from any cursor", s.pages)
	t.Run("read by id", s.reads)
	t.Run("find by number", s.finds)
	t.Run("a stream resumes without loss", s.stream)
}

func (s System) open(t *testing.T) connectors.Conn {
	t.Helper()
	c, err := s.Provider.Open(s.Env, "acme", s.Account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (s System) check(t *testing.T) {
	if ps := s.Provider.Check(s.Account); len(ps) > 0 {
		t.Errorf("the good account: %v", ps)
	}
	var got []string
	for _, p := range s.Provider.Check(s.Bad) {
		if p.What == "" || p.Mend == "" {
			t.Errorf("%s: %+v does not say what to do", p.Setting, p)
		}
		got = append(got, p.Setting)
	}
	for _, want := range s.BadSettings {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not reported, only %v", want, got)
		}
	}
}

func (s System) attempt(id, kind string) *schemas.Attempt {
	return &schemas.Attempt{ID: id, Tenant: "acme", Provider: s.Provider.Name(), Account: s.Account.ID, Kind: kind, Object: s.Object}
}

func (s System) upsert(prefix string, n int) *schemas.Attempt {
	at := s.attempt(prefix, schemas.KindWrite)
	at.Operation = schemas.OpUpsert
	for i := range n {
		k := fmt.Sprintf("%s-%d", prefix, i)
		at.Items = append(at.Items, schemas.AttemptItem{Key: "call:" + k, IdentityField: s.Identity, Identity: k, Fields: s.Fields(i)})
	}
	return at
}

// do carries out an attempt and checks what holds of every result.
func (s System) do(t *testing.T, c connectors.Conn, at *schemas.Attempt, leaveBy time.Time, emit connectors.Emit) connectors.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a := c.Do(ctx, at, leaveBy, emit)
	if len(a.Result.Items) != len(at.Items) || a.Result.AttemptID != at.ID {
		t.Fatalf("attempt %s with %d items got %+v", at.ID, len(at.Items), a.Result)
	}
	for i, it := range a.Result.Items {
		if it.Key != at.Items[i].Key {
			t.Errorf("item %d is %s, not %s", i, it.Key, at.Items[i].Key)
		}
	}
	for _, secret := range s.Secrets {
		if strings.Contains(fmt.Sprintf("%+v", a), secret) {
			t.Error("a secret stands in the result")
		}
	}
	return a
}

func (s System) soon() time.Time { return s.Env.Now().Add(wait) }

func (s System) writeOnce(t *testing.T) {
	c, before := s.open(t), s.Count(s.Object)
	ids := make(map[string]bool)
	for round := range 2 {
		a := s.do(t, c, s.upsert("once", 5), s.soon(), nil)
		for _, it := range a.Result.Items {
			if it.Outcome != schemas.Sent || it.Error != "" || it.ID == "" || it.Created != (round == 0) {
				t.Errorf("round %d: %+v", round, it)
			}
			ids[it.ID] = true
		}
	}
	if got := s.Count(s.Object) - before; got != 5 || len(ids) != 5 {
		t.Errorf("%d records, ids %v", got, ids)
	}
}

func (s System) itemErrors(t *testing.T) {
	c := s.open(t)
	at := s.upsert("mixed", 3)
	at.Items[1].Fields = append(slices.Clone(at.Items[1].Fields), s.BadField)
	a := s.do(t, c, at, s.soon(), nil)
	if a.Result.Error == schemas.ErrBatch {
		return // refused whole: deliver bisects it
	}
	for i, it := range a.Result.Items {
		if (it.Error != "") != (i == 1) {
			t.Errorf("item %d: %+v", i, it)
		}
	}
}

func (s System) leaveBy(t *testing.T) {
	c, before := s.open(t), s.Count(s.Object)
	a := s.do(t, c, s.upsert("late", 1), s.Env.Now().Add(-time.Second), nil)
	if a.Result.Items[0].Outcome != schemas.NotSent || a.Result.Items[0].Error == "" || s.Count(s.Object) != before {
		t.Errorf("got %+v", a.Result)
	}
}

func (s System) lost(t *testing.T) {
	if s.DropAfterApply == nil {
		t.Skip("the simulator has no such fault")
	}
	c := s.open(t)
	s.do(t, c, s.upsert("warm", 1), s.soon(), nil)
	before := s.Count(s.Object)
	s.DropAfterApply()
	if a := s.do(t, c, s.upsert("lost", 2), s.soon(), nil); a.Result.Items[0].Outcome != schemas.Unknown {
		t.Errorf("got %+v", a.Result)
	}
	if a := s.do(t, c, s.upsert("lost", 2), s.soon(), nil); a.Result.Items[1].Outcome != schemas.Sent || a.Result.Items[1].Error != "" {
		t.Errorf("the repeat got %+v", a.Result)
	}
	if got := s.Count(s.Object) - before; got != 2 {
		t.Errorf("%d records", got)
	}
}

func (s System) expired(t *testing.T) {
	if s.Expire == nil {
		t.Skip("the simulator has no such fault")
	}
	c := s.open(t)
	s.do(t, c, s.upsert("exp", 1), s.soon(), nil)
	s.Expire()
	if a := s.do(t, c, s.upsert("exp", 1), s.soon(), nil); a.Result.Items[0].Error != "" {
		t.Errorf("got %+v", a.Result)
	}
}

func (s System) throttled(t *testing.T) {
	if s.Throttle == nil {
		t.Skip("the simulator has no such fault")
	}
	c := s.open(t)
	s.do(t, c, s.upsert("thr", 1), s.soon(), nil)
	s.Throttle()
	a := s.do(t, c, s.upsert("thr", 1), s.soon(), nil)
	if a.Result.Error != schemas.ErrThrottled || a.Result.RetryAfterMs <= 0 || a.Result.Items[0].Outcome != schemas.NotSent {
		t.Errorf("got %+v", a.Result)
	}
}

func (s System) closed(t *testing.T) {
	c := s.open(t)
	s.do(t, c, s.upsert("end", 1), s.soon(), nil)
	before := s.Count(s.Object)
	if s.Throttle != nil { // what follows waits for its moment
		s.Throttle()
		s.do(t, c, s.upsert("end", 1), s.soon(), nil)
	}
	const n = 8
	began, got := make(chan struct{}, n), make(chan schemas.AttemptResult, n)
	do := func(i int) {
		began <- struct{}{}
		got <- c.Do(t.Context(), s.upsert(fmt.Sprint("end-", i), 1), s.Env.Now().Add(time.Hour), nil).Result
	}
	if s.Throttle != nil {
		for i := range n {
			go do(i)
			<-began
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if s.Throttle == nil {
		for i := range n {
			do(i)
		}
	}
	for range n {
		select {
		case r := <-got:
			if r.Error != schemas.ErrAborted || r.Items[0].Outcome != schemas.NotSent {
				t.Errorf("got %+v", r)
			}
		case <-time.After(wait):
			t.Fatal("an attempt waits on although nothing leaves any more")
		}
	}
	if s.Count(s.Object) != before {
		t.Error("something was written")
	}
}

func (s System) pages(t *testing.T) {
	want := make(map[string]bool)
	for i := range 12 {
		want[s.Create(s.Person, i)] = true
	}
	var cursors []string
	read := func(from string, each func(string)) {
		c, cursor := s.open(t), from
		for n := 0; ; n++ {
			if n > 1000 {
				t.Fatal("the source has no end")
			}
			cursors = append(cursors, cursor)
			at := s.attempt("page", schemas.KindPage)
			at.Object = s.Person
			at.Page = &schemas.PageRequest{Source: s.Source, Cursor: cursor, Limit: 5}
			a := s.do(t, c, at, s.soon(), func(_ context.Context, ch *schemas.CRMChange) error { each(ch.ID); return nil })
			if a.Page == nil {
				t.Fatalf("no page: %+v", a.Result)
			}
			cursor = a.Page.Next
			if a.Page.Last {
				return
			}
		}
	}
	seen := make(map[string]bool)
	read("", func(id string) { seen[id] = true })
	for id := range want {
		if !seen[id] {
			t.Errorf("%s was not read", id)
		}
	}
	// A new connection at any cursor finds what is made after it.
	late := s.Create(s.Person, 99)
	for _, from := range slices.Clone(cursors) {
		found := false
		read(from, func(id string) { found = found || id == late })
		if !found {
			t.Errorf("from %q the new record is not reached", from)
		}
	}
}

func (s System) reads(t *testing.T) {
	id := s.Create(s.Person, 7)
	at := s.attempt("read", schemas.KindRead)
	at.Object = s.Person
	at.Items = []schemas.AttemptItem{{Key: "a", ID: id}}
	var got []string
	a := s.do(t, s.open(t), at, s.soon(), func(_ context.Context, ch *schemas.CRMChange) error {
		if ch.Record == nil || len(ch.Record.Fields) == 0 {
			t.Errorf("no record: %+v", ch)
		}
		got = append(got, ch.ID)
		return nil
	})
	if !slices.Equal(got, []string{id}) || a.Result.Items[0].Error != "" {
		t.Errorf("got %v, %+v", got, a.Result)
	}
}

func (s System) finds(t *testing.T) {
	find := func(number, national string) (connectors.Answer, []string) {
		at := s.attempt("find", schemas.KindFind)
		at.Object = ""
		at.Items = []schemas.AttemptItem{{Key: "~find:" + number, IdentityField: schemas.FindPhone, Identity: number, Fields: []schemas.Field{schemas.Text(schemas.FindNational, national)}}}
		var got []string
		a := s.do(t, s.open(t), at, s.soon(), func(_ context.Context, ch *schemas.CRMChange) error {
			if ch.Record == nil || len(ch.Record.Fields) == 0 || ch.Object == "" {
				t.Errorf("no record: %+v", ch)
			}
			got = append(got, ch.ID)
			return nil
		})
		return a, got
	}
	if p := s.Provider.Profile(); p.FindsByPhone != (s.Number != nil) {
		t.Fatalf("the profile says that it finds by number: %v", p.FindsByPhone)
	}
	if s.Number == nil {
		if a, _ := find("+14155550143", "4155550143"); a.Result.Error != schemas.ErrPermanent {
			t.Errorf("asked all the same: %+v", a.Result)
		}
		return
	}
	want := s.Number("+14155550143", "4155550143")
	s.Number("+14155550144", "4155550144")
	a, got := find("+14155550143", "4155550143")
	slices.Sort(got)
	slices.Sort(want)
	if it := a.Result.Items[0]; !slices.Equal(got, want) || it.Error != "" || it.Outcome != schemas.Sent {
		t.Errorf("found %v, want %v: %+v", got, want, a.Result)
	}
	if a, got := find("+442079460999", "2079460999"); len(got) > 0 || a.Result.Items[0].Error != "" || a.Result.Items[0].Outcome != schemas.Sent {
		t.Errorf("nobody has it, found %v: %+v", got, a.Result)
	}
	if a, _ := find("+1415 OR 1=1", "x} RETURNING User(Id)"); a.Result.Items[0].Error != schemas.ErrPermanent || a.Result.Items[0].Outcome != schemas.NotSent {
		t.Errorf("no number, and it went out: %+v", a.Result)
	}
}

var errEnough = errors.New("enough")

func (s System) stream(t *testing.T) {
	c, ok := s.open(t).(connectors.Streamer)
	if !ok {
		t.Skip("not pushed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	id := s.Create(s.Person, 1)
	// The position is learnt from the first event; edits go on until one came.
	var at schemas.StreamEvent
	quit := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				s.Edit(s.Person, id)
			}
		}
	}()
	err := c.Stream(ctx, 0, "", func(_ context.Context, ch *schemas.CRMChange) error {
		at = *ch.Stream
		return errEnough
	})
	close(quit)
	<-done
	if !errors.Is(err, errEnough) || at.To == "" || at.From != "" {
		t.Fatalf("the first event: %+v, %v", at, err)
	}
	var made []string
	for i := range 5 { // while nobody listens
		made = append(made, s.Create(s.Person, 20+i))
	}
	cursor, left := at.To, slices.Clone(made)
	err = c.Stream(ctx, at.Epoch, cursor, func(_ context.Context, ch *schemas.CRMChange) error {
		if ch.Stream.Reset || ch.Stream.From != cursor {
			t.Errorf("event from %q at cursor %q", ch.Stream.From, cursor)
		}
		cursor = ch.Stream.To
		left = slices.DeleteFunc(left, func(id string) bool { return slices.Contains(ch.Stream.RecordIDs, id) })
		if len(left) == 0 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Errorf("%d of %d were lost: %v", len(left), len(made), err)
	}
}
