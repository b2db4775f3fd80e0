package pipetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// oneCustomer is a CRM in which a lead was converted to a contact, and that was merged
// into another one: three records, and one person. What is told of them, by the CRM and by
// the dialer, comes in any order, twice, late.
type oneCustomer struct {
	t       *rapid.T
	m       *Machine
	tasks   map[string]string // call → id of its one activity
	asked   []*schemas.Attempt
	persons map[string]*schemas.SyncContact
	calls   map[string]*schemas.SyncCall
	forbade bool // somebody said do-not-call, and it was heard
	log     []string
	merged  bool // the contact was merged, too
	bin     bool // its row is that of the recycle bin: deleted, with what it last held
}

func (w *oneCustomer) fatalf(format string, a ...any) {
	w.t.Helper()
	for _, l := range w.log {
		w.t.Log(l)
	}
	w.t.Fatalf(format, a...)
}

func (w *oneCustomer) note(h Happened) {
	if h.Rejected != nil {
		w.fatalf("rejected: %v", h.Rejected)
	}
	for _, o := range h.Outputs {
		w.log = append(w.log, "   "+o.Topic+" "+o.Key+" "+shown(o.Value))
		switch v := o.Value.(type) {
		case *schemas.SyncContact:
			if was := w.persons[v.PersonID]; was != nil && was.DoNotCall && !v.DoNotCall {
				w.fatalf("do-not-call of %s is lost", v.PersonID)
			}
			w.persons[v.PersonID] = v
		case *schemas.SyncCall:
			w.calls[v.CallID] = v
		case *schemas.Attempt:
			w.asked = append(w.asked, v)
		}
	}
}

func (w *oneCustomer) step(rec *pipeline.Record) {
	w.log = append(w.log, clock(w.m.Now)+" "+shown(rec.Decoded))
	again := *rec
	h, err := w.m.Step(&again)
	if err != nil {
		w.fatalf("%v", err)
	}
	w.note(h)
	w.pass(0)
}

func (w *oneCustomer) pass(ms int64) {
	if err := w.m.Advance(w.m.Now+ms, w.note); err != nil {
		w.fatalf("%v", err)
	}
}

// survivor is the record that is left.
func (w *oneCustomer) survivor() string {
	if w.merged {
		return "K2"
	}
	return "K1"
}

// row is what the CRM says of a record when it is read now.
func (w *oneCustomer) row(object, id string, at int64) *pipeline.Record {
	r := &schemas.RecordRead{ModifiedAt: at, Cause: "read", Fields: []schemas.Field{schemas.Text("LastName", "Lee"), schemas.Text("Phone", "+1415555010"+id[1:])}}
	switch {
	case id == "L1":
		r.Fields = append(r.Fields, schemas.Text("ConvertedContactId", "K1"))
	case id == "K1" && w.merged:
		to := "K2"
		r.MovedTo, r.Deleted = &to, w.bin
		if !w.bin {
			r.Fields[1] = schemas.Text("Phone", "+14155550102")
		}
	case strings.HasPrefix(id, "T-"):
		r.Fields = []schemas.Field{schemas.Text("WhoId", w.survivor())}
	}
	return record(schemas.TopicCRMChanges, &schemas.CRMChange{Provider: "sf", Account: "org", Object: object, ID: id, Record: r})
}

// answer is the CRM: a converted lead takes nothing, a merged contact is gone, a task has
// one identity.
func (w *oneCustomer) answer(a *schemas.Attempt) {
	res := &schemas.AttemptResult{AttemptID: a.ID, Provider: a.Provider, Account: a.Account, Kind: a.Kind, Object: a.Object, FinishedAt: w.m.Now}
	var tell []*pipeline.Record
	for _, it := range a.Items {
		r := schemas.ItemResult{Key: it.Key, ID: it.ID, Outcome: schemas.Sent}
		switch {
		case a.Kind == schemas.KindRead:
			tell = append(tell, w.row(a.Object, it.ID, day+9*3600*1000))
		case it.ID == "L1":
			r.Error, r.Code, r.Message = schemas.ErrPermanent, "CONVERTED", "the lead is converted"
		case it.ID == "K1" && w.merged:
			r.Error, r.Message = schemas.ErrNotFound, "entity is deleted"
		case a.Object == "Task":
			call := it.Identity
			if call == "" {
				call = strings.TrimPrefix(it.ID, "T-")
			}
			r.ID = "T-" + call
			w.tasks[call] = r.ID
		}
		res.Items = append(res.Items, r)
	}
	for _, rec := range tell {
		w.step(rec)
	}
	w.step(record(schemas.TopicCRMResults, res))
}

// settle answers and waits until nothing is asked any more.
func (w *oneCustomer) settle() {
	for round := 0; ; round++ {
		if round > 200 {
			w.fatalf("it never ends")
		}
		for len(w.asked) > 0 {
			a := w.asked[0]
			w.asked = w.asked[1:]
			w.answer(a)
		}
		if w.pass(10_000); len(w.asked) == 0 {
			return
		}
	}
}

// B5 to B7: a conversion and a merge, told in any order, twice and late, with calls and
// do-not-call in between, give one person and one activity for each call.
func TestConversionsAndMergesGiveOnePerson(t *testing.T) {
	seeded(t, "1500", func(t *rapid.T) {
		w := &oneCustomer{t: t, m: NewMachine(Profiles(), day+9*3600*1000), tasks: map[string]string{}, persons: map[string]*schemas.SyncContact{}, calls: map[string]*schemas.SyncCall{},
			merged: rapid.Bool().Draw(t, "merged"), bin: rapid.Bool().Draw(t, "bin")}
		w.step(record(schemas.TopicControlTenants, &schemas.TenantConfig{Tenant: "acme", Version: 1, Country: "US", TimeZone: "UTC", Accounts: []schemas.Account{{Provider: "sf", ID: "org"}}}))
		before := day + 8*3600*1000
		lead := func(id string) *schemas.Link { return &schemas.Link{Provider: "sf", Object: "Lead", ID: id} }
		plainRow := func(object, id string, at int64, more ...schemas.Field) *pipeline.Record {
			return record(schemas.TopicCRMChanges, &schemas.CRMChange{Provider: "sf", Account: "org", Object: object, ID: id, Record: &schemas.RecordRead{ModifiedAt: at, Cause: "read",
				Fields: append([]schemas.Field{schemas.Text("LastName", "Lee"), schemas.Text("Phone", "+1415555010"+id[1:])}, more...)}})
		}
		words := []*pipeline.Record{
			plainRow("Lead", "L1", before),
			w.row("Lead", "L1", before+1000),
			plainRow("Contact", "K1", before+1000),
			record(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: before + 500, CRMLink: lead("L1"), Fields: []schemas.Field{schemas.Text("title", "Buyer")}}),
		}
		if w.merged {
			words = append(words, plainRow("Contact", "K2", before), w.row("Contact", "K1", before+2000))
		}
		switch rapid.SampledFrom([]string{"", "dialer", "lead", "contact"}).Draw(t, "do-not-call") {
		case "dialer":
			words, w.forbade = append(words, record(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: before + 600, CRMLink: lead("L1"), Fields: []schemas.Field{schemas.Text("do_not_call", "true")}})), true
		case "lead":
			words, w.forbade = append(words, plainRow("Lead", "L1", before+100, schemas.Text("DoNotCall", "true"))), true
		case "contact":
			words, w.forbade = append(words, plainRow("Contact", "K1", before+1100, schemas.Text("DoNotCall", "true"))), true
		}
		seconds := int32(30)
		calls := rapid.IntRange(1, 4).Draw(t, "calls")
		for n := range calls {
			c := &schemas.CallEvent{CallID: fmt.Sprintf("c%d", n), Revision: 1, Direction: schemas.Outbound, StartedAt: before + int64(n), DurationSeconds: &seconds}
			switch rapid.SampledFrom([]string{"lead's number", "contact's number", "lead", "contact", "dialer's contact"}).Draw(t, "to") {
			case "lead's number":
				c.ToNumber, c.CRMLink = "+14155550101", lead("L1")
			case "contact's number":
				c.ToNumber = "+1415555010" + w.survivor()[1:]
			case "lead":
				c.CRMLink = lead("L1")
			case "contact":
				c.CRMLink = &schemas.Link{Provider: "sf", Object: "Contact", ID: "K1"}
			case "dialer's contact":
				id := "d1"
				c.ContactID = &id
			}
			words = append(words, record(schemas.TopicDialerCalls, c))
		}
		for range rapid.IntRange(0, 3).Draw(t, "repeats") {
			words = append(words, words[rapid.IntRange(0, len(words)-1).Draw(t, "again")])
		}
		for _, i := range rapid.Permutation(indexes(len(words))).Draw(t, "order") {
			w.step(words[i])
			if rapid.IntRange(0, 2).Draw(t, "answers") == 0 {
				w.settle()
			}
		}
		w.settle()
		w.judge(calls)
	})
}

func (w *oneCustomer) judge(calls int) {
	var alive []*schemas.SyncContact
	for _, p := range w.persons {
		if p.MergedInto == nil {
			alive = append(alive, p)
		}
	}
	if len(alive) != 1 {
		w.fatalf("%d persons: %+v", len(alive), alive)
	}
	p := alive[0]
	var links []string
	for _, l := range p.Links {
		links = append(links, l.ID)
	}
	if !slices.Equal(links, []string{w.survivor()}) || p.ContactID == nil || *p.ContactID != "d1" {
		w.fatalf("the person has the records %v and the contact %v", links, p.ContactID)
	}
	if w.forbade && !p.DoNotCall {
		w.fatalf("do-not-call is lost")
	}
	if len(w.tasks) != calls {
		w.fatalf("%d activities of %d calls: %v", len(w.tasks), calls, w.tasks)
	}
	for n := range calls {
		id := fmt.Sprintf("c%d", n)
		c := w.calls[id]
		if c == nil || c.Status != schemas.StatusSynced || c.PersonID != p.PersonID || len(c.Logged) != 1 || c.Logged[0].ID != "T-"+id {
			w.fatalf("call %s: %+v", id, c)
		}
	}
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
