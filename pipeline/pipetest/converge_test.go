package pipetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// sides is a dialer and its CRMs with what they really hold of one person, around the
// whole task.
type sides struct {
	t        *rapid.T
	m        *Machine
	crms     []string
	dialer   map[string]string
	holds    map[string]map[string]string // CRM → field of the dialer → value
	modified map[string]int64
	skew     map[string]int64
	mail     []*pipeline.Record // on its way to us, in any order
	heard    []*pipeline.Record
	asked    []*schemas.Attempt // on their way to a CRM
	open     map[string]bool    // fields that wait for a person
	log      []string           // all that came in and out
}

// Names of the fields in each CRM; "" is the object.
var inCRM = map[string]map[string]string{
	"sf": {"": "Lead", "first_name": "FirstName", "last_name": "LastName", "email": "Email"},
	"hs": {"": "contacts", "first_name": "firstname", "last_name": "lastname", "email": "email"},
}

func shown(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%T %s", v, b)
}

func text(v string) *string {
	if v == "" {
		return nil
	}
	return &v
}

func (s *sides) happened(h Happened) {
	if h.Rejected != nil {
		s.t.Fatalf("rejected: %v", h.Rejected)
	}
	for _, o := range h.Outputs {
		s.log = append(s.log, "   "+o.Key+" "+shown(o.Value))
		switch v := o.Value.(type) {
		case *schemas.SyncContact:
			for _, f := range v.Fields {
				s.dialer[f.Name] = value(f.Value)
				if f.Value == nil {
					s.dialer[f.Name] = ""
				}
			}
		case *schemas.SyncConflict:
			if v.Status == "open" {
				s.open[v.Field] = true
			} else {
				delete(s.open, v.Field)
			}
		case *schemas.Attempt:
			s.asked = append(s.asked, v)
		}
	}
}

func (s *sides) step(rec *pipeline.Record) {
	s.log = append(s.log, fmt.Sprint(s.m.Now-day-9*3600*1000)+" "+shown(rec.Decoded))
	again := *rec
	h, err := s.m.Step(&again)
	if err != nil {
		s.t.Fatal(err)
	}
	s.happened(h)
	s.pass(0)
}

func (s *sides) pass(ms int64) {
	if err := s.m.Advance(s.m.Now+ms, s.happened); err != nil {
		s.t.Fatal(err)
	}
}

func record(topic string, v any) *pipeline.Record {
	return &pipeline.Record{Topic: topic, Tenant: "acme", Key: []byte("acme"), Decoded: v}
}

// says is a CRM's record with some of its fields, as they are now.
func (s *sides) says(crm string, fields ...string) *pipeline.Record {
	c := &schemas.CRMChange{Provider: crm, Account: "org", Object: inCRM[crm][""], ID: "1", ObservedAt: s.m.Now, Record: &schemas.RecordRead{ModifiedAt: s.modified[crm], Cause: "read"}}
	for _, f := range fields {
		c.Record.Fields = append(c.Record.Fields, schemas.Field{Name: inCRM[crm][f], Value: text(s.holds[crm][f])})
	}
	return record(schemas.TopicCRMChanges, c)
}

// take is a CRM that takes the oldest attempt: the result and the record are on their way
// then.
func (s *sides) take() {
	a := s.asked[0]
	s.asked = s.asked[1:]
	r := &schemas.AttemptResult{AttemptID: a.ID, Provider: a.Provider, Account: a.Account, Kind: a.Kind, Object: a.Object, FinishedAt: s.m.Now}
	var changed []string
	for _, it := range a.Items {
		r.Items = append(r.Items, schemas.ItemResult{Key: it.Key, ID: it.ID, Outcome: schemas.Sent})
		for _, f := range it.Fields {
			for ours, theirs := range inCRM[a.Provider] {
				if theirs == f.Name {
					s.holds[a.Provider][ours] = ""
					if f.Value != nil {
						s.holds[a.Provider][ours] = *f.Value
					}
					changed = append(changed, ours)
				}
			}
		}
	}
	s.mail = append(s.mail, record(schemas.TopicCRMResults, r))
	if len(changed) > 0 {
		slices.Sort(changed)
		s.modified[a.Provider] = max(s.modified[a.Provider]+1, s.m.Now+s.skew[a.Provider])
		s.mail = append(s.mail, s.says(a.Provider, changed...))
	}
}

func (s *sides) deliver(i int) {
	x := s.mail[i]
	s.mail = slices.Delete(s.mail, i, i+1)
	if x.Topic != schemas.TopicCRMResults { // results come once: the shell sees to it
		s.heard = append(s.heard, x)
	}
	s.step(x)
}

// settle delivers and takes all there is, and reads the CRMs again, until nothing moves.
func (s *sides) settle() {
	for range 60 {
		for len(s.mail) > 0 {
			s.deliver(0)
		}
		for _, crm := range s.crms {
			s.step(s.says(crm, "first_name", "last_name"))
		}
		if len(s.asked) == 0 {
			s.pass(3000)
		}
		if len(s.asked) == 0 && len(s.mail) == 0 {
			return
		}
		for len(s.asked) > 0 {
			s.take()
		}
	}
	s.t.Fatal("it never ends")
}

// Any interleaving, duplication, delay and re-reading of changes of a dialer and two CRMs,
// through the whole task, ends where all sides hold the same or a person is asked, for
// every strategy; a second run has the same bytes (P7, P9).
func TestSidesConverge(t *testing.T) {
	asked, agreed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		strategy := rapid.SampledFrom([]string{"", schemas.CRMWins, schemas.DialerWins, schemas.FieldMerge, schemas.Manual}).Draw(t, "strategy")
		crms := []string{"sf", "hs"}[:rapid.IntRange(1, 2).Draw(t, "crms")]
		skew := map[string]int64{"sf": rapid.Int64Range(-60_000, 0).Draw(t, "sf's clock"), "hs": rapid.Int64Range(-60_000, 0).Draw(t, "hs's clock"),
			"dialer": rapid.Int64Range(-60_000, 0).Draw(t, "the dialer's clock")}
		type act struct {
			kind, crm, field, value string
			which                   int
			ms                      int64
		}
		var acts []act
		for i := range rapid.IntRange(1, 25).Draw(t, "acts") {
			acts = append(acts, act{rapid.SampledFrom([]string{"dialer", "crm", "deliver", "deliver", "again", "read", "take"}).Draw(t, "act"), rapid.SampledFrom(crms).Draw(t, "crm"),
				rapid.SampledFrom([]string{"first_name", "last_name"}).Draw(t, "field"), fmt.Sprintf("v%d", rapid.IntRange(0, i+1).Draw(t, "value")),
				rapid.IntRange(0, 99).Draw(t, "which"), rapid.Int64Range(1, 4000).Draw(t, "ms")})
		}
		run := func() *sides {
			s := &sides{t: t, m: NewMachine(Profiles(), day+9*3600*1000), crms: crms, skew: skew, dialer: map[string]string{}, holds: map[string]map[string]string{},
				modified: map[string]int64{}, open: map[string]bool{}}
			c := &schemas.TenantConfig{Tenant: "acme", Version: 1, Country: "US", TimeZone: "UTC", ConflictDefault: strategy}
			for _, crm := range crms {
				c.Accounts = append(c.Accounts, schemas.Account{Provider: crm, ID: "org"})
			}
			s.step(record(schemas.TopicControlTenants, c))
			for i, crm := range crms {
				s.holds[crm] = map[string]string{"first_name": "Ann", "last_name": "Lee", "email": "ann@example.com"}
				s.modified[crm] = day + int64(i)
				s.step(s.says(crm, "email", "first_name", "last_name"))
			}
			s.step(record(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: day, CRMLink: &schemas.Link{Provider: "sf", Object: "Lead", ID: "1"}}))
			for _, a := range acts {
				s.pass(a.ms)
				switch a.kind {
				case "dialer":
					s.dialer[a.field] = a.value
					s.mail = append(s.mail, record(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: s.m.Now + skew["dialer"],
						Fields: []schemas.Field{schemas.Text(a.field, a.value)}}))
				case "crm":
					s.holds[a.crm][a.field] = a.value
					s.modified[a.crm] = max(s.modified[a.crm]+1, s.m.Now+skew[a.crm])
					s.mail = append(s.mail, s.says(a.crm, a.field))
				case "deliver":
					if len(s.mail) > 0 {
						s.deliver(a.which % len(s.mail))
					}
				case "again":
					if len(s.heard) > 0 {
						s.step(s.heard[a.which%len(s.heard)])
					}
				case "read":
					s.step(s.says(a.crm, "first_name", "last_name"))
				case "take":
					if len(s.asked) > 0 {
						s.take()
					}
				}
			}
			s.settle()
			return s
		}
		s := run()
		if again := run(); !slices.Equal(s.log, again.log) {
			t.Fatal("a second run differs")
		}
		for _, field := range []string{"first_name", "last_name"} {
			if s.open[field] {
				asked++
				continue
			}
			agreed++
			for _, crm := range crms {
				if s.holds[crm][field] != s.dialer[field] {
					for _, l := range s.log {
						t.Log(l)
					}
					t.Fatalf("%q: of %s %s holds %q, the dialer %q", strategy, field, crm, s.holds[crm][field], s.dialer[field])
				}
			}
		}
	})
	if !testing.Short() && (asked == 0 || agreed == 0) { // few runs may well miss one
		t.Errorf("%d fields were asked about, %d agreed on: both must be tried", asked, agreed)
	}
}
