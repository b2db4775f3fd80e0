package pipetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// modelCRM is a CRM that takes what it is told and forgets nothing: people and
// activities, each with one time for all its fields.
type modelCRM struct {
	name, person, activity string
	columns                map[string]string // field of the dialer → its own
	whole                  bool              // it tells of records whole, not of what changed alone
	people                 map[string]*modelRecord
	activities             []*modelRecord
	pages                  int
}

type modelRecord struct {
	id, identity string
	fields       map[string]string
	typed        map[string]utterance // what a person typed last, by field: the rest is ours
	links        []string
	modified     int64
}

func newModelCRM(name string) *modelCRM {
	c := &modelCRM{name: name, person: "Lead", activity: "Task", people: map[string]*modelRecord{}, columns: map[string]string{"first_name": "FirstName", "last_name": "LastName", "email": "Email",
		"phone": "Phone", "do_not_call": "DoNotCall"}}
	if name == "hs" {
		c.person, c.activity, c.whole = "contacts", "calls", true
		c.columns = map[string]string{"first_name": "firstname", "last_name": "lastname", "email": "email", "phone": "phone", "do_not_call": "hs_dnc"}
	}
	return c
}

// find returns a record by its id, of either kind.
func (c *modelCRM) find(object, id string) *modelRecord {
	if object == c.person {
		return c.people[id]
	}
	for _, r := range c.activities {
		if r.id == id {
			return r
		}
	}
	return nil
}

// known returns the activity with an identity; the first, if there are two.
func (c *modelCRM) known(identity string) *modelRecord {
	for _, r := range c.activities {
		if r.identity == identity {
			return r
		}
	}
	return nil
}

// write does what an item of a write asks for, and returns the record and the names that
// it set.
func (c *modelCRM) write(a *schemas.Attempt, it *schemas.AttemptItem, now int64) (*modelRecord, []string, string) {
	r := c.find(a.Object, it.ID)
	switch {
	case it.ID != "" && r == nil:
		return nil, nil, schemas.ErrNotFound
	case a.Operation == "upsert" && it.ID == "":
		r = c.known(it.Identity)
	case a.Operation == "create" && a.RepeatOf != nil: // a repeat is looked up first
		r = c.known(it.Identity)
	}
	if r == nil {
		r = &modelRecord{id: fmt.Sprintf("%s-%d", c.activity, len(c.activities)+1), identity: it.Identity, fields: map[string]string{}, typed: map[string]utterance{}}
		c.activities = append(c.activities, r)
	}
	var names []string
	for _, f := range it.Fields {
		r.fields[f.Name] = ""
		if f.Value != nil {
			r.fields[f.Name] = *f.Value
		}
		delete(r.typed, f.Name)
		names = append(names, f.Name)
	}
	if len(names) > 0 {
		r.modified = max(r.modified+1, now)
	}
	return r, names, ""
}

func (r *modelRecord) link(ls []schemas.Link) {
	for _, l := range ls {
		if p := path(l); !slices.Contains(r.links, p) {
			r.links = append(r.links, p)
		}
	}
}

// says is what the CRM tells of a record now: the fields named, or all of them.
func (c *modelCRM) says(object string, r *modelRecord, cause string, now int64, names ...string) *pipeline.Record {
	if names == nil || c.whole && object == c.person {
		names = nil
		for n := range r.fields {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	ch := &schemas.CRMChange{Provider: c.name, Account: "org", Object: object, ID: r.id, ObservedAt: now, Record: &schemas.RecordRead{ModifiedAt: r.modified, Cause: cause}}
	for _, n := range names {
		ch.Record.Fields = append(ch.Record.Fields, schemas.Field{Name: n, Value: text(r.fields[n])})
		if u, ok := r.typed[n]; ok { // it is shown with the record's time
			u.shown = max(u.shown, r.modified)
			r.typed[n] = u
		}
	}
	return record(schemas.TopicCRMChanges, ch)
}

// callsOf are the activities of a call that stand in the CRM.
func (c *modelCRM) callsOf(call string) (rs []*modelRecord) {
	for _, r := range c.activities {
		if r.identity == call || strings.HasSuffix(r.identity, ":"+call) {
			rs = append(rs, r)
		}
	}
	return rs
}
