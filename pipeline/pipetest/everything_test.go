package pipetest

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// everything is a dialer, two CRMs and the whole task between them. What is on its way
// comes in any order, twice, late; answers of the CRMs get lost.
type everything struct {
	t      *rapid.T
	m      *Machine
	crms   []*modelCRM
	plain  map[string]*plain // of each field
	dialer map[string]string
	links  []string // records of the one person, as sync.contacts has them
	dnc    bool     // on sync.contacts
	// heard says when somebody said do-not-call, and cleared when that was taken back, of
	// what the task has heard: the latest.
	heard, cleared int64
	ticks          map[*pipeline.Record]int64 // records that tell of a person who ticked it in a CRM
	forbade, freed int64                      // of what was said at all
	mail           []*pipeline.Record
	past           []*pipeline.Record
	asked          []*schemas.Attempt
	failures       int
	open           map[string]*schemas.SyncConflict
	calls          map[string]int64 // newest revision that was sent
	status         map[string]*schemas.SyncCall
	dead           []string
	actions        int
	quiet          bool // nothing came out but pages and health
	log            []string
}

var typedFields = []string{"first_name", "last_name"}

func newEverything(t *rapid.T, strategy string) *everything {
	w := &everything{t: t, m: NewMachine(Profiles(), day+9*3600*1000), crms: []*modelCRM{newModelCRM("sf"), newModelCRM("hs")}, plain: map[string]*plain{}, dialer: map[string]string{},
		open: map[string]*schemas.SyncConflict{}, calls: map[string]int64{}, status: map[string]*schemas.SyncCall{}, ticks: map[*pipeline.Record]int64{}}
	for _, f := range typedFields {
		w.plain[f] = &plain{strategy: strategy}
	}
	cfg := &schemas.TenantConfig{Tenant: "acme", Version: 1, Country: "US", TimeZone: "UTC", ConflictDefault: strategy}
	for _, c := range w.crms {
		cfg.Accounts = append(cfg.Accounts, schemas.Account{Provider: c.name, ID: "org"})
		c.people["1"] = &modelRecord{id: "1", modified: day, typed: map[string]utterance{}, fields: map[string]string{c.columns["first_name"]: "Ann", c.columns["last_name"]: "Lee",
			c.columns["email"]: "ann@example.com", c.columns["phone"]: "+14155550100", c.columns["do_not_call"]: "false"}}
	}
	w.step(record(schemas.TopicControlTenants, cfg))
	for _, c := range w.crms {
		w.step(c.says(c.person, c.people["1"], "read", w.m.Now))
	}
	w.step(record(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: day, CRMLink: &schemas.Link{Provider: "sf", Object: "Lead", ID: "1"}}))
	w.settle()
	return w
}

func (w *everything) fatalf(format string, a ...any) {
	w.t.Helper()
	for _, l := range w.log {
		w.t.Log(l)
	}
	w.t.Fatalf(format, a...)
}

func (w *everything) note(h Happened) {
	if h.Rejected != nil {
		w.fatalf("rejected: %v", h.Rejected)
	}
	for _, o := range h.Outputs {
		w.log = append(w.log, "   "+o.Topic+" "+o.Key+" "+shown(o.Value))
		switch v := o.Value.(type) {
		case *schemas.SyncContact:
			w.contact(v)
		case *schemas.SyncConflict:
			if v.Status == "open" {
				w.open[o.Key] = v
			} else {
				delete(w.open, o.Key)
			}
		case *schemas.SyncCall:
			w.status[v.CallID] = v
		case *schemas.DeadLetter:
			w.dead = append(w.dead, v.RecordKey+": "+v.Message)
		case *schemas.Attempt:
			w.asked = append(w.asked, v)
			w.quiet = w.quiet && v.Kind == "page"
			continue
		case *schemas.SyncHealth:
			continue
		}
		w.quiet = false
	}
}

// contact is the dialer being told.
func (w *everything) contact(v *schemas.SyncContact) {
	if !v.DoNotCall && w.heard > w.cleared {
		w.fatalf("do-not-call is lost: it was said at %d, and not taken back", w.heard-day)
	}
	w.dnc, w.links = v.DoNotCall, nil
	for _, l := range v.Links {
		w.links = append(w.links, path(l))
	}
	for _, f := range v.Fields {
		w.dialer[f.Name] = ""
		if f.Value != nil {
			w.dialer[f.Name] = *f.Value
		}
	}
}

func (w *everything) step(rec *pipeline.Record) {
	w.log = append(w.log, clock(w.m.Now)+" "+shown(rec.Decoded))
	w.heard = max(w.heard, w.ticks[rec])
	switch v := rec.Decoded.(type) {
	case *schemas.DialerEvent:
		w.cleared = max(w.cleared, v.At)
	case *schemas.ContactChange:
		for _, f := range v.Fields {
			if f.Name == "do_not_call" {
				w.heard = max(w.heard, v.ModifiedAt)
			}
		}
	}
	again := *rec
	h, err := w.m.Step(&again)
	if err != nil {
		w.fatalf("%v", err)
	}
	w.note(h)
	w.pass(0)
}

func (w *everything) pass(ms int64) {
	if err := w.m.Advance(w.m.Now+ms, w.note); err != nil {
		w.fatalf("%v", err)
	}
}

// types is a person who types a value, in a CRM or in the dialer.
func (w *everything) types(side, field, value string) {
	w.pass(apart + 100)
	u := utterance{side, value, w.m.Now, w.m.Now}
	if side == "dialer" {
		w.plain[field].words = append(w.plain[field].words, u)
		w.dialer[field] = value
		w.post(record(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: w.m.Now, Fields: []schemas.Field{schemas.Text(field, value)}}))
		return
	}
	c := w.crm(side)
	w.keepShown(c)
	r, name := c.people["1"], c.columns[field]
	r.fields[name], r.modified, r.typed[name] = value, w.m.Now, u
	w.plain[field].words = append(w.plain[field].words, u)
	w.post(c.says(c.person, r, "read", w.m.Now, name))
}

// keepShown notes under which times a CRM has shown what was typed in it.
func (w *everything) keepShown(c *modelCRM) {
	for _, field := range typedFields {
		if u, ok := c.people["1"].typed[c.columns[field]]; ok {
			for i := range w.plain[field].words {
				if x := &w.plain[field].words[i]; x.side == u.side && x.value == u.value {
					x.shown = max(x.shown, u.shown)
				}
			}
		}
	}
}

func (w *everything) crm(name string) *modelCRM {
	if name == "sf" {
		return w.crms[0]
	}
	return w.crms[1]
}

// forbids is somebody who says do-not-call, or ticks it off in a CRM, which is no act
// that clears it.
func (w *everything) forbids(side string, yes bool) {
	w.pass(apart + 100)
	if side == "dialer" {
		w.forbade = w.m.Now
		w.post(record(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: w.m.Now, Fields: []schemas.Field{schemas.Text("do_not_call", "true")}}))
		return
	}
	c := w.crm(side)
	w.keepShown(c)
	r, name := c.people["1"], c.columns["do_not_call"]
	if yes && r.fields[name] != "true" {
		w.forbade = w.m.Now
	}
	was := r.fields[name]
	r.fields[name], r.modified = fmt.Sprint(yes), w.m.Now
	rec := c.says(c.person, r, "read", w.m.Now, name)
	if yes && was != "true" && w.freed == 0 { // else it may be what is to be taken back yet: that it is none shows when it is read again
		w.ticks[rec] = w.m.Now
	}
	w.post(rec)
}

func (w *everything) frees() {
	w.pass(apart + 100)
	w.freed = w.m.Now
	w.post(record(schemas.TopicDialerEvents, &schemas.DialerEvent{EventID: fmt.Sprint("e", w.m.Now), Type: "dnc_changed", At: w.m.Now, ContactID: text("d1"), Fields: []schemas.Field{schemas.Text("do_not_call", "false")}}))
}

func (w *everything) phones(call string) {
	w.calls[call]++
	rev := w.calls[call]
	notes, d, at := fmt.Sprintf("%s in revision %d.", call, rev), int32(60+rev), w.m.Now-60_000
	w.post(record(schemas.TopicDialerCalls, &schemas.CallEvent{CallID: call, Revision: rev, Direction: schemas.Outbound, StartedAt: at, EndedAt: &w.m.Now, ToNumber: "+14155550100", Notes: &notes, DurationSeconds: &d}))
}

func (w *everything) post(rec *pipeline.Record) { w.mail = append(w.mail, rec) }

func (w *everything) deliver(i int) {
	x := w.mail[i]
	// What is read whole comes in the order in which it was read, at first: what was written
	// over before it was ever read nobody can know.
	if c, ok := x.Decoded.(*schemas.CRMChange); ok && w.crm(c.Provider).whole {
		i = slices.IndexFunc(w.mail, func(y *pipeline.Record) bool {
			d, ok := y.Decoded.(*schemas.CRMChange)
			return ok && d.Provider == c.Provider
		})
		x = w.mail[i]
	}
	w.mail = slices.Delete(w.mail, i, i+1)
	if x.Topic != schemas.TopicCRMResults { // results come once: the shell sees to it
		w.past = append(w.past, x)
	}
	w.step(x)
}

// fates of a request: the CRM does it and says so; does it and nobody hears of it; does
// nothing, and nobody knows; turns it away.
const (
	answered = iota
	lost
	dropped
	refused
	fates
)

// take is a CRM that gets a request.
func (w *everything) take(i, fate int, twice bool) {
	a := w.asked[i]
	w.asked = slices.Delete(w.asked, i, i+1)
	c := w.crm(a.Provider)
	r := &schemas.AttemptResult{AttemptID: a.ID, Provider: a.Provider, Account: a.Account, Kind: a.Kind, Object: a.Object, FinishedAt: w.m.Now}
	if w.m.Now > a.LeaveBy {
		return // it never leaves; the task finds out when it is over
	}
	if fate != answered {
		if w.failures++; w.failures > 2 { // more in a row would be a dead letter
			fate, w.failures = answered, 0
		}
	} else {
		w.failures = 0
	}
	w.log = append(w.log, fmt.Sprintf("%s attempt %s: %d", clock(w.m.Now), a.ID, fate))
	for j := range a.Items {
		it := &a.Items[j]
		ir := schemas.ItemResult{Key: it.Key, ID: it.ID, Outcome: schemas.Sent}
		switch fate {
		case dropped, refused:
			ir.Outcome, ir.Error = schemas.Unknown, schemas.ErrTransient
			if fate == refused {
				ir.Outcome = schemas.NotSent
			}
			r.Items = append(r.Items, ir)
			continue
		}
		switch a.Kind {
		case "read":
			if rec := c.find(a.Object, it.ID); rec != nil {
				w.post(c.says(a.Object, rec, "read", w.m.Now))
				w.keepShown(c)
			} else {
				ir.Error = schemas.ErrNotFound
			}
		case "write":
			w.keepShown(c)
			rec, names, wrong := c.write(a, it, w.m.Now)
			if wrong != "" {
				ir.Error = wrong
				break
			}
			ir.ID = rec.id
			if a.Operation != "create" || !twice {
				rec.link(it.Associations)
				ir.Linked = true
			}
			if a.Object == c.person && len(names) > 0 {
				echo := c.says(a.Object, rec, "read", w.m.Now, names...)
				w.keepShown(c)
				w.post(echo)
				if twice {
					w.post(echo)
				}
			}
		}
		if fate == lost {
			ir = schemas.ItemResult{Key: it.Key, Outcome: schemas.Unknown, Error: schemas.ErrTransient}
		}
		r.Items = append(r.Items, ir)
	}
	if a.Page != nil && fate == answered {
		c.pages++
		w.post(c.says(c.person, c.people["1"], "page", w.m.Now))
		w.keepShown(c)
		w.post(record(schemas.TopicCRMChanges, &schemas.CRMChange{Provider: c.name, Account: "org", Object: a.Object, ObservedAt: w.m.Now,
			PageEnd: &schemas.PageMarker{Source: a.Page.Source, From: a.Page.Cursor, To: fmt.Sprint("c", c.pages), Last: true, AttemptID: a.ID}}))
	}
	w.post(record(schemas.TopicCRMResults, r))
}

// settle delivers and takes all there is until nothing moves any more.
func (w *everything) settle() {
	calm := 0
	for range 2000 {
		w.quiet = true
		for len(w.mail) > 0 {
			w.deliver(0)
		}
		for len(w.asked) > 0 {
			w.take(0, answered, false)
		}
		for len(w.mail) > 0 {
			w.deliver(0)
		}
		w.pass(3_000) // a request leaves within ten seconds, or never
		if calm++; !w.quiet {
			calm = 0
		}
		if calm == 50 && len(w.mail) == 0 {
			return
		}
	}
	w.fatalf("it never ends")
}

// agreed is everybody at rest: all sides hold the same, and the plain model's answer.
func (w *everything) agreed(strict bool) (questions, conflicts int) {
	w.settle()
	for _, c := range w.crms { // as reconciliation does, now and then
		w.step(c.says(c.person, c.people["1"], "read", w.m.Now))
	}
	w.settle()
	for _, key := range slices.Sorted(maps.Keys(w.open)) {
		q := w.open[key]
		p := w.plain[q.Field]
		if p == nil {
			w.fatalf("a question of %s", q.Field)
		}
		if _, may := p.mayBe(); !may && !(q.Kind == "undone" && p.undone()) {
			w.fatalf("%q: nobody was to be asked of %s", p.strategy, q.Field)
		}
		questions++
		w.actions++
		p.decided = true
		take := []string{"crm", "dialer"}[w.actions%2]
		w.step(record(schemas.TopicControlActions, &schemas.ControlAction{ActionID: fmt.Sprint("a", w.actions), Kind: "resolve_conflict", At: w.m.Now, By: "ann",
			Fields: []schemas.Field{schemas.Text("conflict", strings.TrimPrefix(key, "acme/")), schemas.Text("take", take)}}))
		want := q.DialerValue
		if take == "crm" {
			want = q.CRMValue
		}
		w.settle()
		if w.dialer[q.Field] != *want {
			w.fatalf("%s was decided: %s, and is %s", q.Field, *want, w.dialer[q.Field])
		}
	}
	if len(w.open) > 0 || len(w.dead) > 0 {
		w.fatalf("open %v, dead %v", w.open, w.dead)
	}
	for field, p := range w.plain {
		for _, c := range w.crms {
			if have := c.people["1"].fields[c.columns[field]]; have != w.dialer[field] {
				w.fatalf("%q: of %s %s holds %q, the dialer %q", p.strategy, field, c.name, have, w.dialer[field])
			}
		}
		for _, c := range w.crms {
			w.keepShown(c)
		}
		p.strict = strict
		if len(p.words) == 0 {
			continue
		}
		values, asked := p.mayBe()
		if !p.decided && !slices.Contains(values, w.dialer[field]) {
			w.fatalf("%q (strict: %v): of %s %q is in force, it may be %v: %+v", p.strategy, strict, field, w.dialer[field], values, p.words)
		}
		if len(p.words) > 1 && !asked {
			conflicts++
		}
		p.words, p.decided = nil, false // everybody agrees: what comes now has seen it
		for _, c := range w.crms {
			delete(c.people["1"].typed, c.columns[field])
		}
	}
	w.forbidden()
	w.logged()
	return questions, conflicts
}

// forbidden checks do-not-call: the OR of all sides, unless it was taken back later.
func (w *everything) forbidden() {
	if w.forbade > w.freed && !w.dnc || w.forbade == 0 && w.dnc {
		w.fatalf("do-not-call is %v, said at %d, taken back at %d", w.dnc, w.forbade, w.freed)
	}
	for _, c := range w.crms {
		if have := c.people["1"].fields[c.columns["do_not_call"]]; have != fmt.Sprint(w.dnc) {
			w.fatalf("do-not-call is %v, %s has %s", w.dnc, c.name, have)
		}
	}
}

// logged checks the calls: each stands once in each CRM, as it is now, and all know where.
func (w *everything) logged() {
	for call, rev := range w.calls {
		st := w.status[call]
		if st == nil || st.Status != schemas.StatusSynced || st.Revision != rev || len(st.Logged) != len(w.crms) {
			w.fatalf("%s in revision %d: %s", call, rev, shown(st))
		}
		for _, c := range w.crms {
			rs := c.callsOf(call)
			if len(rs) != 1 {
				w.fatalf("%s stands %d times in %s", call, len(rs), c.name)
			}
			body := rs[0].fields["Description"] + rs[0].fields["hs_call_body"]
			if strings.Count(body, call+" in revision ") != 1 || !strings.Contains(body, fmt.Sprintf("%s in revision %d.", call, rev)) {
				w.fatalf("%s says %q of %s in revision %d", c.name, body, call, rev)
			}
			if c.name == "hs" && !slices.Contains(rs[0].links, "hs/contacts/1") || c.name == "sf" && rs[0].fields["WhoId"] != "1" {
				w.fatalf("%s: %s is not with its person: %+v", c.name, call, rs[0])
			}
		}
	}
}

// act is one thing that happens, in a world where anything may.
type act struct {
	kind, side, field string
	which, fate       int
	ms                int64
	twice             bool
}

// round is what happens from one time that everybody agrees to the next.
type round struct {
	strict bool
	acts   []act
}

func drawRounds(t *rapid.T) []round {
	kinds := []string{"types", "types", "types", "phones", "forbids", "deliver", "deliver", "deliver", "again", "read", "take", "take", "take", "unticks"}
	if rapid.IntRange(0, 3).Draw(t, "it is taken back, too") == 0 {
		kinds[len(kinds)-1] = "frees" // and not ticked off: that it was ticked again nobody can know
	}
	var rs []round
	for range rapid.IntRange(1, 3).Draw(t, "rounds") {
		r := round{strict: rapid.Bool().Draw(t, "strict")}
		for range rapid.IntRange(1, 20).Draw(t, "acts") {
			r.acts = append(r.acts, act{rapid.SampledFrom(kinds).Draw(t, "act"), rapid.SampledFrom([]string{"dialer", "sf", "hs"}).Draw(t, "side"), rapid.SampledFrom(typedFields).Draw(t, "field"),
				rapid.IntRange(0, 99).Draw(t, "which"), rapid.IntRange(0, fates+2).Draw(t, "fate"), rapid.Int64Range(0, 4000).Draw(t, "ms"), rapid.Bool().Draw(t, "twice")})
		}
		rs = append(rs, r)
	}
	return rs
}

func (w *everything) happens(i int, a *act, strict bool) {
	w.pass(a.ms)
	switch a.kind {
	case "types":
		w.types(a.side, a.field, fmt.Sprint("v", i))
	case "phones":
		w.phones(fmt.Sprint("c", a.which%3))
	case "forbids":
		w.forbids(a.side, true)
	case "unticks":
		if a.side != "dialer" {
			w.forbids(a.side, false)
		}
	case "frees":
		w.frees()
	case "deliver":
		if len(w.mail) > 0 {
			w.deliver(a.which % len(w.mail))
		}
	case "again":
		if len(w.past) > 0 {
			w.step(w.past[a.which%len(w.past)])
		}
	case "read":
		if a.side != "dialer" {
			c := w.crm(a.side)
			w.step(c.says(c.person, c.people["1"], "read", w.m.Now))
			w.keepShown(c)
		}
	case "take":
		if len(w.asked) == 0 {
			break
		}
		i := a.which % len(w.asked)
		if at := w.asked[i]; strict && at.Kind == "write" && strings.HasPrefix(at.Items[0].Key, "record:") {
			break
		}
		w.take(i, a.fate%fates*min(1, a.fate/(fates+1)+min(1, a.fate)), a.twice)
	}
}

// Any interleaving, duplication, delay and re-reading of what people type in a dialer and
// two CRMs, of calls and of do-not-call, with answers that get lost, ends where all sides
// hold what a plain model says; do-not-call is lost at no moment; each call stands once in
// each CRM; and a second run has the same bytes (P4, P7, P9, B10, B23).
func TestEverySideEndsAtThePlainAnswer(t *testing.T) {
	questions, conflicts := 0, 0
	check := func(t *rapid.T) {
		strategy := rapid.SampledFrom([]string{"", schemas.CRMWins, schemas.DialerWins, schemas.FieldMerge, schemas.Manual}).Draw(t, "strategy")
		rounds := drawRounds(t)
		run := func() *everything {
			w := newEverything(t, strategy)
			n := 0
			for _, r := range rounds {
				for i := range r.acts {
					n++
					w.happens(n, &r.acts[i], r.strict)
				}
				for r.strict && len(w.mail) > 0 {
					w.deliver(0)
				}
				q, c := w.agreed(r.strict)
				questions, conflicts = questions+q, conflicts+c
			}
			return w
		}
		w := run()
		if again := run(); !slices.Equal(w.log, again.log) {
			t.Fatal("a second run differs")
		}
	}
	checks := "1000"
	if testing.Short() {
		checks = "200"
	}
	seeded(t, checks, check)
	if questions == 0 || conflicts == 0 {
		t.Errorf("%d questions, %d conflicts: both must be tried", questions, conflicts)
	}
}

// seeded runs a check so many times, the same each time, unless another seed or number is
// asked for: -rapid.seed, -rapid.checks.
func seeded(t *testing.T, checks string, check func(*rapid.T)) {
	t.Helper()
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": checks} {
		f := flag.Lookup(name)
		if was := f.Value.String(); was == f.DefValue {
			if err := f.Value.Set(value); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := f.Value.Set(was); err != nil {
					t.Error(err)
				}
			}()
		}
	}
	rapid.Check(t, check)
}
