package mapping

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline/near"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Table returns the lines of a kind of record that is a company or a deal; nil if the CRM
// has no such kind, or the tenant has switched it off.
func (c *Compiled) Table(provider, name string) *Object { return objectIn(c.tables, provider, name) }

// Tables are all of them, in the order of the profiles.
func (c *Compiled) Tables() []*Object { return c.tables }

func objectIn(os []*Object, provider, name string) *Object {
	for _, o := range os {
		if o.Name == name && o.Provider == provider {
			return o
		}
	}
	return nil
}

func (b *Base) table(provider, name string) *Object { return objectIn(b.tables, provider, name) }

// object is the default of a kind of record, of a person or not.
func (b *Base) object(provider, name string) *Object {
	if o := objectIn(b.objects, provider, name); o != nil {
		return o
	}
	return b.table(provider, name)
}

// tablesOf makes the default lines of a CRM's companies and deals.
func (b *Base) tablesOf(p *profile.Profile) (os []*Object) {
	for i := range p.Tables {
		t := &p.Tables[i]
		o := &Object{Provider: p.Provider, Name: t.Name, Entity: t.Entity}
		for _, m := range t.Mappings {
			l := defaultLine(p.Provider, t.Name, m)
			if m.Optional {
				b.optional = append(b.optional, l)
			} else {
				o.Lines = append(o.Lines, l)
			}
		}
		o.seal()
		os = append(os, o)
	}
	return os
}

// follows is how the lines of a person's record name fields of its company.
func (b *Base) follows(o *Object) string {
	p := b.profile(o.Provider)
	if o.AccountField == "" {
		return ""
	}
	for i := range p.Tables {
		r := p.Tables[i].Relation
		if p.Tables[i].Entity == schemas.EntityAccount && r != "" && slices.ContainsFunc(o.Lines, func(l *Line) bool { return l.Inbound() && strings.HasPrefix(l.CRM, r) }) {
			return r
		}
	}
	return ""
}

// tableLine makes a line of companies or of deals. They are read alone.
func (k *compiler) tableLine(m *schemas.FieldMapping) {
	if m.Field == "" {
		k.bad("field", "the dialer's name of it", "a mapping without a field")
		return
	}
	if m.Direction != "" && m.Direction != string(profile.Inbound) {
		k.bad("direction", "direction: inbound, or none", m.Entity+"."+m.Field+" is "+m.Direction+", but companies and deals are read only, never written")
		return
	}
	if m.Conflict != "" {
		k.warn("conflict", "leave it out", m.Entity+"."+m.Field+" has one side only: conflict has no effect")
	}
	mine := *m
	mine.Direction = string(profile.Inbound)
	found := false
	for _, p := range k.profiles {
		if m.Provider != "" && p.Provider != m.Provider {
			continue
		}
		var known []string
		for i := range p.Tables {
			t := &p.Tables[i]
			if t.Entity != m.Entity {
				continue
			}
			known = append(known, t.Name)
			if m.Object != "" && m.Object != t.Name {
				continue
			}
			def := k.line(p.Provider, t.Name, m.Field)
			if def == nil && (m.Object == "" || m.Provider == "" && m.CRMField == "") {
				continue // it is for those that have the field
			}
			found = true
			k.put(p, t.Name, def, &mine)
		}
		if m.Provider != "" && m.Object != "" && !slices.Contains(known, m.Object) {
			k.bad("object", near.DidYouMean(m.Object, known), p.Provider+" has no "+m.Entity+" "+quote(m.Object))
			return
		}
	}
	if !found {
		k.bad("field", "say where it comes from: to: OBJECT.FIELD", "no default mapping of an "+m.Entity+" has the field "+quote(m.Field))
	}
}
