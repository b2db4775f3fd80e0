package task_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/pipetest"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

// fakeCRM is both CRMs: it knows calls by external id in one, and by search in the
// other.
type fakeCRM struct {
	records map[string]map[string]string // provider/object/id → fields
	byCall  map[string][]string          // provider/call → ids
	next    int
}

func newFakeCRM() *fakeCRM {
	return &fakeCRM{records: make(map[string]map[string]string), byCall: make(map[string][]string)}
}

// apply carries out one item and returns its id.
func (f *fakeCRM) apply(at *schemas.Attempt, it *schemas.AttemptItem) string {
	id := it.ID
	switch known := f.byCall[at.Provider+"/"+it.Identity]; {
	case id != "":
	case at.Operation == schemas.OpUpsert && len(known) > 0, at.Operation == schemas.OpCreate && at.RepeatOf != nil && len(known) > 0:
		id = known[0]
	default:
		f.next++
		id = "T" + strconv.Itoa(f.next)
		f.byCall[at.Provider+"/"+it.Identity] = append(known, id)
	}
	k := at.Provider + "/" + at.Object + "/" + id
	if f.records[k] == nil {
		f.records[k] = make(map[string]string)
	}
	for _, fl := range it.Fields {
		if fl.Value != nil {
			f.records[k][fl.Name] = *fl.Value
		}
	}
	return id
}

// flight is an attempt that may still take effect.
type flight struct {
	at       *schemas.Attempt
	answered bool // as unknown: it may still arrive
}

// world drives one machine and watches what must always hold.
type world struct {
	t       *rapid.T
	m       *pipetest.Machine
	crm     *fakeCRM
	flights []*flight
	log     []func(*pipetest.Machine) ([]pipetest.Happened, error) // what was done, to do it again
	seen    []pipetest.Happened
	status  map[string]string // call → last on sync.calls
	logged  map[string][]schemas.Logged
	bad     int // answers that cost a try
	// typed is what a rep wrote into a description, by provider/object/id; blind are those
	// that a read did not show.
	typed map[string][]string
	blind map[string]bool
}

func profiles() []*profile.Profile {
	ps := pipetest.Profiles()
	ps[1].Sources = nil
	return ps
}

const start = int64(1_773_565_200_000)

func (w *world) do(what func(*pipetest.Machine) ([]pipetest.Happened, error)) {
	w.log = append(w.log, what)
	hs, err := what(w.m)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range hs {
		w.seen = append(w.seen, h)
		if h.Rejected != nil && h.Rejected.Reason == schemas.ReasonPanic {
			w.t.Fatalf("panic: %s", h.Rejected.Detail)
		}
		for _, o := range h.Outputs {
			if c, ok := o.Value.(*schemas.SyncCall); ok {
				w.status[c.CallID], w.logged[c.CallID] = c.Status, c.Logged
			}
			if _, ok := o.Value.(*schemas.DeadLetter); ok && w.bad <= 5 {
				w.t.Fatalf("a dead letter after %d failures: %+v", w.bad, o.Value)
			}
		}
		for _, e := range h.Effects {
			if s, ok := e.(pipeline.Start); ok {
				w.started(s.Attempt, h.At)
			}
		}
	}
}

// started checks P6: what an attempt names has no other content on its way.
func (w *world) started(at *schemas.Attempt, now int64) {
	w.flights = slices.DeleteFunc(w.flights, func(f *flight) bool { return f.at.OverBy <= now })
	for _, f := range w.flights {
		for _, a := range f.at.Items {
			for _, b := range at.Items {
				if a.Key == b.Key && f.at.Provider == at.Provider && f.at.Kind == schemas.KindWrite && (!reflect.DeepEqual(a.Fields, b.Fields) || !reflect.DeepEqual(a.Associations, b.Associations)) {
					w.t.Fatalf("at %d two attempts are on their way with different content of %s:\n%s until %d: %s\n%s: %s", now, a.Key, f.at.ID, f.at.OverBy, asJSON(a), at.ID, asJSON(b))
				}
			}
		}
	}
	w.flights = append(w.flights, &flight{at: at})
}

func asJSON(v any) string { b, _ := json.Marshal(v); return string(b) }

// step applies a copy of a record, each time anew.
func (w *world) step(v any) {
	b, typ := asJSON(v), reflect.TypeOf(v).Elem()
	w.do(func(m *pipetest.Machine) ([]pipetest.Happened, error) {
		c := reflect.New(typ).Interface()
		if err := json.Unmarshal([]byte(b), c); err != nil {
			return nil, err
		}
		h, err := m.Step(&pipeline.Record{Topic: "input", Tenant: "acme", Decoded: c})
		hs := []pipetest.Happened{h}
		if err == nil {
			err = m.Advance(m.Now, func(h pipetest.Happened) { hs = append(hs, h) })
		}
		return hs, err
	})
}

func (w *world) advance(ms int64) {
	w.do(func(m *pipetest.Machine) (hs []pipetest.Happened, err error) {
		err = m.Advance(m.Now+ms, func(h pipetest.Happened) { hs = append(hs, h) })
		return hs, err
	})
}

func (w *world) resume() {
	w.do(func(m *pipetest.Machine) ([]pipetest.Happened, error) {
		h, err := m.Resume()
		hs := []pipetest.Happened{h}
		if err == nil {
			err = m.Advance(m.Now, func(h pipetest.Happened) { hs = append(hs, h) })
		}
		return hs, err
	})
}

// answer answers one flight in some way.
func (w *world) answer(f *flight, how string) {
	at := f.at
	r := &schemas.AttemptResult{AttemptID: at.ID, Provider: at.Provider, Account: at.Account, Kind: at.Kind, Object: at.Object}
	for i := range at.Items {
		ir := schemas.ItemResult{Key: at.Items[i].Key, Outcome: schemas.Sent}
		if at.Kind == schemas.KindRead {
			r.Items = append(r.Items, ir)
			w.read(at, at.Items[i].ID, how)
			continue
		}
		switch how {
		case "taken", "taken twice":
			ir.ID = w.crm.apply(at, &at.Items[i])
			ir.Linked = at.Operation != schemas.OpCreate
		case "taken, unanswered":
			w.crm.apply(at, &at.Items[i])
			ir.Outcome, ir.Error = schemas.Unknown, schemas.ErrTransient
		case "unanswered":
			ir.Outcome, ir.Error = schemas.Unknown, schemas.ErrTransient
		case "busy":
			ir.Error = schemas.ErrTransient
		case "limit":
			ir.Outcome, ir.Error = schemas.NotSent, schemas.ErrThrottled
			r.Error, r.RetryAfterMs = schemas.ErrThrottled, 1500
		case "credential":
			ir.Outcome, ir.Error = schemas.NotSent, schemas.ErrAuth
			r.Error = schemas.ErrAuth
		case "batch":
			if len(at.Items) == 1 {
				ir.ID = w.crm.apply(at, &at.Items[i])
				ir.Linked = true
			} else {
				ir.Error = schemas.ErrBatch
			}
		}
		r.Items = append(r.Items, ir)
	}
	switch how {
	case "unanswered", "taken, unanswered":
		w.bad++
		f.answered = true // and may still arrive
	case "busy":
		w.bad++
		fallthrough
	default:
		w.flights = slices.DeleteFunc(w.flights, func(g *flight) bool { return g == f })
	}
	w.step(r)
	if how == "taken twice" {
		w.step(r)
	}
}

// read hands over what the CRM has of a record, if it answers at all.
func (w *world) read(at *schemas.Attempt, id, how string) {
	k := at.Provider + "/" + at.Object + "/" + id
	had, ok := w.crm.records[k]
	if !ok || !strings.HasPrefix(how, "taken") {
		w.blind[k] = true
		return
	}
	c := &schemas.CRMChange{Provider: at.Provider, Object: at.Object, ID: id, Record: &schemas.RecordRead{ModifiedAt: start, Cause: "read"}}
	for _, name := range slices.Sorted(maps.Keys(had)) {
		c.Record.Fields = append(c.Record.Fields, schemas.Text(name, had[name]))
	}
	w.step(c)
}

// typing lets a rep write into the description of a call that is logged, while nothing of
// ours is on its way to it.
func (w *world) typing(t *rapid.T) {
	id := "c" + strconv.Itoa(rapid.IntRange(1, 3).Draw(t, "call"))
	if w.status[id] != schemas.StatusSynced || len(w.open()) > 0 {
		return
	}
	l := rapid.SampledFrom(w.logged[id]).Draw(t, "activity")
	k := l.Provider + "/" + l.Object + "/" + l.ID
	r := w.crm.records[k]
	if r == nil || len(w.typed[k]) == 2 || slices.ContainsFunc(w.flights, func(f *flight) bool { return f.at.OverBy > w.m.Now }) {
		return
	}
	text, field := fmt.Sprintf("typed %d", len(w.typed[k])), "Description"
	if l.Provider == "hs" {
		field = "hs_call_body"
	}
	w.typed[k] = append(w.typed[k], text)
	if rapid.Bool().Draw(t, "above") {
		r[field] = text + "\n" + r[field]
	} else {
		r[field] += "\n" + text
	}
}

func (w *world) open() (fs []*flight) {
	for _, f := range w.flights {
		if !f.answered && f.at.OverBy > w.m.Now {
			fs = append(fs, f)
		}
	}
	return fs
}

func number(i int) string { return "+1415555010" + strconv.Itoa(i) }

// Whatever the order of inputs, duplicates, failures and changes of owner: every
// call ends logged once in each CRM, as last edited; nothing is left in the outbox;
// no record has two contents on their way (P4, P6); and the same inputs give the
// same bytes (P9).
func TestAnyOrderConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, m: pipetest.NewMachine(profiles(), start), crm: newFakeCRM(), status: make(map[string]string), logged: make(map[string][]schemas.Logged), typed: make(map[string][]string), blind: make(map[string]bool)}
		w.step(&schemas.TenantConfig{Tenant: "acme", Version: 1, Country: "US", TimeZone: "UTC", Accounts: []schemas.Account{{Provider: "sf", ID: "o"}, {Provider: "hs", ID: "p"}},
			Mappings: []schemas.FieldMapping{{Entity: schemas.EntityContact, Field: "call_count"}, {Entity: schemas.EntityContact, Field: "last_called_at"}}})
		meetings := make(map[string]int64)
		var inputs []any
		newest := make(map[string]*schemas.CallEvent)
		t.Repeat(map[string]func(*rapid.T){
			"call": func(t *rapid.T) {
				id := "c" + strconv.Itoa(rapid.IntRange(1, 3).Draw(t, "call"))
				rev := rapid.Int64Range(1, 4).Draw(t, "revision")
				end, disposition := start-1000, fmt.Sprintf("as of %d", rev)
				ev := &schemas.CallEvent{CallID: id, Revision: rev, Direction: schemas.Outbound, StartedAt: start - 60_000, EndedAt: &end, Disposition: &disposition,
					ToNumber: number(int(id[1] - '0'))}
				if old := newest[id]; old == nil || old.Revision < rev {
					newest[id] = ev
				}
				inputs = append(inputs, ev)
				w.step(ev)
			},
			"record": func(t *rapid.T) {
				v := record(rapid.SampledFrom([]string{"sf", "hs"}).Draw(t, "provider"), rapid.IntRange(1, 3).Draw(t, "record"), rapid.Int64Range(1, 5).Draw(t, "at"))
				inputs = append(inputs, v)
				w.step(v)
			},
			"contact": func(t *rapid.T) {
				i := rapid.IntRange(1, 3).Draw(t, "contact")
				v := &schemas.ContactChange{ContactID: "d" + strconv.Itoa(i), ModifiedAt: start - rapid.Int64Range(0, 5).Draw(t, "at"), Fields: []schemas.Field{
					schemas.Text("email", email(i)), schemas.Text("first_name", rapid.SampledFrom([]string{"Ann", "Bo", "Cy"}).Draw(t, "name"))}}
				inputs = append(inputs, v)
				w.step(v)
			},
			"notes": func(t *rapid.T) {
				id, n := "c"+strconv.Itoa(rapid.IntRange(1, 3).Draw(t, "call")), rapid.Int64Range(1, 50).Draw(t, "at")
				v := &schemas.DialerEvent{EventID: "e", Type: "call_updated", At: start - n, CallID: &id, Fields: []schemas.Field{schemas.Text("notes", fmt.Sprintf("note %d", n))}}
				inputs = append(inputs, v)
				w.step(v)
			},
			"meeting": func(t *rapid.T) {
				i, n := rapid.IntRange(1, 3).Draw(t, "contact"), rapid.Int64Range(1, 4).Draw(t, "word")
				id, contact := "m"+strconv.Itoa(i), "d"+strconv.Itoa(i)
				meetings[id] = max(meetings[id], n)
				v := &schemas.DialerEvent{EventID: "e", Type: "meeting_booked", At: start - 100 + n, ContactID: &contact, Fields: []schemas.Field{
					schemas.Text("meeting_id", id), schemas.Text("phone", number(i)), schemas.Text("starts_at", strconv.FormatInt(start+n*3_600_000, 10)), schemas.Text("title", "Demo")}}
				inputs = append(inputs, v)
				w.step(v)
			},
			"again": func(t *rapid.T) {
				if len(inputs) > 0 {
					w.step(rapid.SampledFrom(inputs).Draw(t, "input"))
				}
			},
			"answer": func(t *rapid.T) {
				if open := w.open(); len(open) > 0 {
					w.answer(rapid.SampledFrom(open).Draw(t, "attempt"), rapid.SampledFrom([]string{"taken", "taken", "taken", "taken twice", "taken, unanswered", "unanswered", "busy", "limit", "credential", "batch"}).Draw(t, "how"))
				}
			},
			"typing": func(t *rapid.T) { w.typing(t) },
			"time":   func(t *rapid.T) { w.tick(rapid.Int64Range(1, 20_000).Draw(t, "ms")) },
			"owner":  func(t *rapid.T) { w.resume() },
		})
		for i := 1; i <= 3; i++ {
			w.step(record("sf", i, 9))
			w.step(record("hs", i, 9))
		}
		for range 60 {
			for _, f := range w.open() {
				w.answer(f, "taken")
			}
			w.tick(20_000)
		}
		w.settled(newest)
		w.met(meetings)
		w.kept()
		w.again()
	})
}

func email(i int) string { return "p" + strconv.Itoa(i) + "@example.com" }

func record(provider string, i int, at int64) *schemas.CRMChange {
	c := &schemas.CRMChange{Provider: provider, Object: "Lead", ID: "L" + strconv.Itoa(i), Record: &schemas.RecordRead{ModifiedAt: at,
		Fields: []schemas.Field{schemas.Text("Email", email(i)), schemas.Text("Phone", number(i))}}}
	if provider == "hs" {
		c.Object, c.ID = "contacts", strconv.Itoa(i)
		c.Record.Fields = []schemas.Field{schemas.Text("email", email(i)), schemas.Text("phone", number(i))}
	}
	return c
}

// tick lets time go on; an attempt that is over without an answer costs a try.
func (w *world) tick(ms int64) {
	for _, f := range w.open() {
		if f.at.OverBy <= w.m.Now+ms {
			w.bad++
		}
	}
	w.advance(ms)
}

func (w *world) settled(newest map[string]*schemas.CallEvent) {
	tenant := state.TenantIn(0, "acme")
	for _, k := range []state.Kind{'o', 'q', 'a'} {
		err := w.m.Store().Scan(tenant.Prefix(k, ""), state.Key{}, func(k state.Key, _ []byte) (bool, error) {
			w.t.Errorf("left in the outbox: %q", k.ID())
			return true, nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	err := w.m.Store().Scan(state.System(0, 't', ""), state.Key{}, func(k state.Key, _ []byte) (bool, error) {
		id := k.ID()[9+len("acme"):] // after the due time and the tenant
		if id[0] == 'G' && w.status[id[1:]] == schemas.StatusSynced {
			w.t.Errorf("call %s is synced and will be given up", id[1:])
		}
		return true, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for id, ev := range newest {
		// The second CRM has no such outcome: there it stands in the text.
		for _, p := range []struct{ provider, object, field, block string }{{"sf", "Task", "CallDisposition", "%[2]s"},
			{"hs", "calls", "hs_call_body", "Disposition: %[2]s<br>--- End of Call Log ---"}} {
			ids := w.crm.byCall[p.provider+"/"+id]
			if len(ids) > 1 {
				w.t.Errorf("call %s is in %s %d times", id, p.provider, len(ids))
			}
			if len(ids) == 0 && len(w.logged[id]) == 1 && w.logged[id][0].Provider != p.provider {
				continue // the person came to this CRM after the call
			}
			if w.bad > 5 && w.status[id] != schemas.StatusSynced {
				continue // given up, and said so
			}
			if len(ids) != 1 || w.status[id] != schemas.StatusSynced {
				w.t.Errorf("call %s is %s, in %s %d times, after %d failures", id, w.status[id], p.provider, len(ids), w.bad)
				continue
			}
			if got := w.crm.records[p.provider+"/"+p.object+"/"+ids[0]][p.field]; !strings.Contains(got, fmt.Sprintf(p.block, id, *ev.Disposition)) || p.field != "CallDisposition" && strings.Count(got, "Call Log (") != 1 {
				w.t.Errorf("call %s in %s is %q, edited last to %q", id, p.provider, got, *ev.Disposition)
			}
			lead := w.crm.records["sf/Lead/L"+id[1:]]
			if p.provider == "sf" && w.bad <= 5 && lead["Calls"] != "1" {
				w.t.Errorf("the person of call %s has %q calls", id, lead["Calls"])
			}
		}
	}
}

// kept checks that what reps typed is still there, but for what no read has shown.
func (w *world) kept() {
	for k, texts := range w.typed {
		r := w.crm.records[k]
		for _, text := range texts {
			if !w.blind[k] && w.bad == 0 && !strings.Contains(r["Description"]+r["hs_call_body"], text) {
				w.t.Errorf("%s has lost %q: %v", k, text, r)
			}
		}
	}
}

// met checks that each meeting is one record in each CRM, as it was last told of.
func (w *world) met(meetings map[string]int64) {
	for id, n := range meetings {
		for _, p := range []struct{ provider, object, field string }{{"sf", "Event", "Start"}, {"hs", "meetings", "start"}} {
			ids := w.crm.byCall[p.provider+"/meeting_booked:"+id]
			if len(ids) == 0 && (w.bad > 5 || len(w.crm.byCall["sf/meeting_booked:"+id])+len(w.crm.byCall["hs/meeting_booked:"+id]) > 0) {
				continue // given up; or the person came to this CRM after the meeting
			}
			want := time.UnixMilli(start + n*3_600_000).UTC().Format("15:04")
			if len(ids) != 1 || w.bad <= 5 && w.crm.records[p.provider+"/"+p.object+"/"+ids[0]][p.field] != want {
				w.t.Errorf("meeting %s is in %s %d times, %v, want it at %s", id, p.provider, len(ids), w.crm.records, want)
			}
		}
	}
}

// again does everything once more, on empty state.
func (w *world) again() {
	m := pipetest.NewMachine(profiles(), start)
	var seen []pipetest.Happened
	for _, what := range w.log {
		hs, err := what(m)
		if err != nil {
			w.t.Fatal(err)
		}
		seen = append(seen, hs...)
	}
	if !reflect.DeepEqual(seen, w.seen) {
		w.t.Error("the same inputs gave something else the second time")
	}
}
