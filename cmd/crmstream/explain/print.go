package explain

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// Answer is an explanation with the history of its one person.
type Answer struct {
	*pipeline.Explanation
	History []*schemas.FieldChange `json:"history,omitempty"`
}

// printer remembers the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// Print shows an answer to people; field limits it to one field of the person, "" = all.
// ok is false where the person has no such field.
func (a *Answer) Print(w io.Writer, field string) (ok bool, err error) {
	p := &printer{w: w}
	for i := range a.Persons {
		ok = p.person(a.Tenant, &a.Persons[i], field, a.History) || ok
	}
	for i := range a.Calls {
		if field == "" {
			p.call(&a.Calls[i])
			ok = true
		}
	}
	if field == "" {
		p.line("by configuration version %d of %s", a.ConfigVersion, a.Tenant)
	}
	return ok, p.err
}

func (p *printer) person(tenant string, x *pipeline.ExplainedPerson, field string, history []*schemas.FieldChange) (found bool) {
	if field == "" {
		head := "person " + x.ID + ", " + x.Status
		if x.ContactID != "" {
			head += ", the dialer's contact " + x.ContactID
		}
		p.line("%s", head)
		if x.DoNotCall {
			p.line("  do not call: said by %s (%s), last %s", x.DoNotCallFrom, x.DoNotCallRef, at(x.DoNotCallAt))
		} else if x.DoNotCallRef != "" {
			p.line("  may be called again: said by %s, %s (%s)", x.DoNotCallFrom, at(x.DoNotCallAt), x.DoNotCallRef)
		}
		for _, n := range x.Numbers {
			what := "nobody may dial " + n.Number
			if !n.DoNotCall {
				what = n.Number + " may be dialled again"
			}
			if n.Why != "" {
				what += ", " + n.Why
			}
			p.line("  %s: said by %s, %s (%s)", what, n.From, at(n.At), n.Ref)
		}
	}
	width := 0
	for _, f := range x.Fields {
		if field == "" || f.Name == field {
			width = max(width, len(f.Name))
		}
	}
	for _, f := range x.Fields {
		if field != "" && f.Name != field {
			continue
		}
		found = true
		p.line("%-*s  %s", width, f.Name, text(f.Value))
		p.line("  from   %s, %s  (%s)", f.From, at(f.At), f.Ref)
		for _, l := range f.Went {
			s := fmt.Sprintf("  %-6s %s %s", verb(l.State), link(l.Record), l.Field)
			if l.State != pipeline.FieldInStep && l.State != pipeline.FieldInbound {
				s += ": " + l.State + ", it holds " + text(l.Holds)
			} else if text(l.Holds) != text(f.Value) {
				s += " as " + text(l.Holds)
			}
			if l.Why != "" {
				s += "; " + l.Why
			}
			p.line("%s", s)
		}
		if o := f.Open; o != nil {
			p.line("  open   %s wants %s since %s: crmstream conflicts show %s %s", link(o.Of), text(o.Value), at(o.Since), tenant, o.ID)
		}
		if len(f.Went) == 0 {
			p.line("  to     no CRM record: none of the person's has a field mapped to it")
		}
		for i := len(history) - 1; i >= 0; i-- {
			if c := history[i]; c.Field == f.Name && c.Provenance != nil {
				p.line("  before %s until %s, by %s (%s)", text(c.Old), at(c.Provenance.EventTime), c.Provenance.Origin, c.Cause)
			}
		}
	}
	if field != "" {
		return found
	}
	for _, r := range x.Records {
		s := "record " + link(r.Record)
		if r.Account != "" {
			s += ", company " + r.Account
		}
		if r.Deleted {
			s += ", deleted there"
		}
		if r.OutOfScope {
			s += ", out of the scope: nothing is written to it until it is in it again"
		}
		p.line("%s", s)
		p.waiting(r.Waiting)
	}
	return true
}

// verb says in a word how a field of a CRM record stands to the person's value.
func verb(state string) string {
	switch state {
	case pipeline.FieldInbound:
		return "read"
	case pipeline.FieldInStep:
		return "in"
	}
	return "to"
}

func (p *printer) call(c *pipeline.ExplainedCall) {
	s := "call " + c.ID + " of " + at(c.StartedAt) + ": " + c.Status
	if c.Reason != "" {
		s += ", " + c.Reason
	}
	p.line("%s", s)
	p.line("  from   %s, revision %d", c.Ref, c.Revision)
	if c.Person != "" {
		p.line("  person %s", c.Person)
	}
	if c.Ambiguous {
		var all []string
		for _, l := range c.Candidates {
			all = append(all, link(l))
		}
		p.line("  several have the number: %s", strings.Join(all, ", "))
	}
	for _, w := range c.WaitsFor {
		p.line("  waits for %s", w)
	}
	if c.GiveUpAt > 0 {
		p.line("  given up %s", at(c.GiveUpAt))
	}
	for _, a := range c.Activities {
		s := "  " + link(a.Record) + " on " + link(a.On) + ": " + a.Status
		if a.Reason != "" {
			s += ", " + a.Reason
		}
		if a.At > 0 {
			s += ", " + at(a.At)
		}
		p.line("%s", s)
		if a.URL != "" {
			p.line("    %s", a.URL)
		}
		p.waiting(a.Waiting)
	}
}

func (p *printer) waiting(w *pipeline.Waiting) {
	if w == nil {
		return
	}
	s := "    waiting: " + strings.Join(w.Fields, ", ")
	if w.Attempt != "" {
		s += "; attempt " + w.Attempt + " is on its way"
	}
	if w.Tries > 0 {
		s += fmt.Sprintf("; %d tries failed", w.Tries)
	}
	if w.FreeAt > 0 {
		s += "; nothing else leaves before " + at(w.FreeAt)
	}
	if w.Account != "" {
		s += "; the account " + w.Account
	}
	p.line("%s", s)
}

func link(l schemas.Link) string {
	id := l.ID
	if id == "" {
		id = "(no id yet)"
	}
	return l.Provider + " " + l.Object + " " + id
}

func text(s *string) string {
	if s == nil || *s == "" {
		return "(empty)"
	}
	return *s
}

func at(ms int64) string {
	if ms == 0 {
		return "at no time"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05") + " UTC"
}
