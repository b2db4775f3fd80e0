package mapping

import (
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/pipeline/near"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Described is what a CRM says of the fields of one kind of record.
type Described struct {
	Provider, Object string
	Fields           []schemas.DescribedField // by name
	// Partial: it has fields beside those, Left of them if that is known.
	Partial bool
	Left    int32
}

// Field returns what is said of a field; nil if nothing is.
func (d *Described) Field(name string) *schemas.DescribedField {
	i, ok := slices.BinarySearchFunc(d.Fields, name, func(f schemas.DescribedField, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return nil
	}
	return &d.Fields[i]
}

// Lacks reports whether the CRM does not have a field, as far as it says.
func (d *Described) Lacks(field string) bool {
	return d.Field(field) == nil && !d.Partial && !related(field)
}

// Fact is what a line has to heed of what the CRM says of its field.
type Fact struct {
	Provider string `avro:"provider"`
	Object   string `avro:"object"`
	Field    string `avro:"field"` // the CRM's name
	// Gone: the CRM has no such field, or does not show it to us. It is neither read nor
	// written (B27).
	Gone bool `avro:"gone"`
	// Returning: it is there again, and is as if it were gone until what was known of the
	// former one is forgotten.
	Returning bool `avro:"returning"`
	// ReadOnly: it takes no value from us; it is only read.
	ReadOnly bool `avro:"read_only"`
	// Formula: the CRM computes it (B29).
	Formula bool `avro:"formula"`
	// Length is how many characters it takes; 0 = what the line says.
	Length int32 `avro:"length"`
}

// same reports whether two facts are about one field.
func (f *Fact) same(x *Fact) bool {
	return f.Field == x.Field && f.Object == x.Object && f.Provider == x.Provider
}

// FactOf returns the fact among some that is about the same field as f; nil if none is.
func FactOf(facts []Fact, f *Fact) *Fact {
	for i := range facts {
		if facts[i].same(f) {
			return &facts[i]
		}
	}
	return nil
}

// related says that a field is one of another record, of which d says nothing.
func related(field string) bool { return strings.Contains(field, ".") }

// Fact returns what a line has to heed, and whether it is anything. A line of calls is
// written when a record is made, too.
func (d *Described) Fact(l *Line, own int) (f Fact, any bool) {
	f = Fact{Provider: d.Provider, Object: d.Object, Field: l.CRM}
	if related(l.CRM) {
		return f, false
	}
	df := d.Field(l.CRM)
	if df == nil {
		f.Gone = !d.Partial
		return f, f.Gone
	}
	f.ReadOnly = l.Outbound() && !df.Updatable
	f.Formula = df.Formula
	if most := int(df.Length); most > 0 && l.Outbound() && most != l.MaxLength && (own == 0 || most < own) {
		f.Length = df.Length
	}
	return f, f.ReadOnly || f.Formula || f.Length > 0
}

// Facts are what the lines of a configuration have to heed, by what CRMs describe: those
// of a kind of record that none describes heed nothing.
func (b *Base) Facts(cfg *schemas.TenantConfig, ds []Described) []Fact {
	k := b.compile(cfg, nil)
	var facts []Fact
	for i := range ds {
		d := &ds[i]
		add := func(f Fact, any bool) {
			if old := FactOf(facts, &f); old != nil {
				old.ReadOnly = old.ReadOnly || f.ReadOnly // two lines, one field
			} else if any {
				facts = append(facts, f)
			}
		}
		for _, o := range k.c.all() {
			if o.Provider == d.Provider && o.Name == d.Object {
				for _, l := range o.Lines {
					add(d.Fact(l, k.ownLength(l)))
				}
			}
		}
		for _, o := range k.c.Mapped(d.Provider, d.Object) { // what the scope asks for is read, too
			for _, f := range o.Scope {
				if d.Lacks(f.Field) {
					add(Fact{Provider: d.Provider, Object: d.Object, Field: f.Field, Gone: true}, true)
				}
			}
		}
		if o := b.object(d.Provider, d.Object); o != nil { // what is read whatever the tenant maps
			for _, l := range o.Lines {
				if f, any := d.Fact(l, 0); any && f.Gone && l.Inbound() {
					add(f, true)
				}
			}
		}
	}
	return facts
}

// all are the objects of persons, companies, deals and calls.
func (c *Compiled) all() []*Object { return slices.Concat(c.objects, c.tables, c.calls) }

// Mapped are the objects of a CRM by a name.
func (c *Compiled) Mapped(provider, name string) []*Object {
	var os []*Object
	for _, o := range c.all() {
		if o.Provider == provider && o.Name == name {
			os = append(os, o)
		}
	}
	return os
}

// ownLength is the length that the tenant gave a line; 0 = none.
func (k *compiler) ownLength(l *Line) int {
	for _, m := range k.made {
		if m.line == l {
			return int(k.cfg.Mappings[m.i].MaxLength)
		}
	}
	return 0
}

// heed makes the lines as the CRMs describe their fields.
func (k *compiler) heed(facts []Fact) {
	for i := range facts {
		f := &facts[i]
		for _, o := range k.c.calls { // they are the tenant's own
			if o.Provider == f.Provider && o.Name == f.Object {
				o.heed(f)
			}
		}
		if objectIn(k.c.objects, f.Provider, f.Object) == nil && objectIn(k.c.tables, f.Provider, f.Object) == nil {
			continue
		}
		def := k.column(f.Provider, f.Object, f.Field)
		o := k.object(f.Provider, f.Object)
		o.heed(f)
		if f.Gone && def != nil && def.profiles && def.Inbound() {
			o.lacks = append(o.lacks, f.Field)
		}
	}
}

func (o *Object) heed(f *Fact) {
	var kept []*Line
	for _, l := range o.Lines {
		if l.CRM != f.Field {
			kept = append(kept, l)
			continue
		}
		if h := l.heed(f); h != nil {
			kept = append(kept, h)
		}
	}
	o.Lines = kept
}

// heed is the line under a fact; nil where nothing of it is left.
func (l *Line) heed(f *Fact) *Line {
	h := *l
	h.Formula = f.Formula
	if f.Length > 0 {
		h.MaxLength = int(f.Length)
	}
	if f.Gone || f.ReadOnly && !l.Inbound() {
		return nil
	}
	if f.ReadOnly {
		h.Direction = profile.Inbound
	}
	return &h
}

// Against says where a configuration maps fields otherwise than the CRMs describe them:
// what its own lines say is a mistake, what stands in the defaults a warning.
func (b *Base) Against(cfg *schemas.TenantConfig, ds []Described) []Problem {
	k := b.compile(cfg, nil)
	k.ps = nil
	for i := range ds {
		d := &ds[i]
		for _, o := range k.c.Mapped(d.Provider, d.Object) {
			for _, l := range o.Lines {
				k.i = k.mappingOf(l)
				k.against(d, l)
			}
		}
		k.stages(d)
		k.scopeAgainst(d)
	}
	return k.ps
}

// scopeAgainst looks at the conditions of a scope: one on a field that is not there keeps
// nobody out, one on a value that is not there lets nobody in.
func (k *compiler) scopeAgainst(d *Described) {
	for i, s := range k.cfg.Scopes {
		if s.Provider != d.Provider || s.Object != d.Object || s.Off {
			continue
		}
		for _, f := range s.Filters {
			where := d.Provider + "." + d.Object + "." + f.Field
			if d.Lacks(f.Field) {
				k.rule("scopes", i, "filters", d.NotThere(f.Field, "take the condition out"),
					"the scope asks for "+where+", which is not in the CRM, or the integration's user does not see it: the condition would keep nobody out")
				continue
			}
			df := d.Field(f.Field)
			if df == nil || df.MoreValues || len(df.Values) == 0 {
				continue
			}
			for _, v := range f.Values {
				if !slices.ContainsFunc(df.Values, func(x string) bool { return strings.EqualFold(x, v) }) {
					k.ps = append(k.ps, Problem{List: "scopes", Index: i, Part: "filters", Warning: true, Mend: near.DidYouMean(v, df.Values), What: "the scope asks for the value " + quote(v) + " of " + where + ", which the CRM does not list"})
				}
			}
		}
	}
}

func (k *compiler) against(d *Described, l *Line) {
	say, where := k.bad, d.Provider+"."+d.Object+"."+l.CRM
	if k.i < 0 {
		say = k.warn
	}
	f, _ := d.Fact(l, 0)
	df := d.Field(l.CRM)
	switch {
	case f.Gone:
		say("crm_field", d.NotThere(l.CRM, "leave the line out"), where+" is not in the CRM, or the integration's user does not see it")
	case f.ReadOnly && f.Formula:
		say("direction", "direction: inbound", where+" is computed by the CRM and can't be written, but "+l.Dialer+" is "+string(l.Direction))
	case f.ReadOnly:
		say("direction", "direction: inbound, or the right to edit it for the integration's user", where+" can't be written, but "+l.Dialer+" is "+string(l.Direction))
	}
	if df == nil {
		return
	}
	if kind := lineKind(df.Kind); kind != "" && l.Kind != kind && k.i >= 0 && l.Outbound() && l.rule == nil {
		k.warn("kind", "type: "+kind, where+" is a "+df.Type+" in the CRM, and "+l.Dialer+" is mapped as "+l.Kind)
	}
	if _, ok := l.rule.(picklist); ok && k.i >= 0 && !df.MoreValues && len(df.Values) > 0 {
		for _, p := range k.cfg.Mappings[k.i].Picklist {
			if p.CRM != "" && !slices.Contains(df.Values, p.CRM) {
				k.warn("picklist", near.DidYouMean(p.CRM, df.Values), where+" has no value "+quote(p.CRM))
			}
		}
	}
}

// NotThere is the advice for a field that the CRM does not have; otherwise is what to do if it
// can't be had.
func (d *Described) NotThere(field, otherwise string) string {
	names := make([]string, len(d.Fields))
	for i := range d.Fields {
		names[i] = d.Fields[i].Name
	}
	mend := "show it to the integration's user, or " + otherwise
	if n := near.Name(field, names); n != "" {
		return "did you mean " + n + "? else " + mend
	}
	return mend + "; crmstream tenants fields lists the " + strconv.Itoa(len(names)) + " that there are"
}

// lineKind is what a mapping's type should be for a described kind; "" = text will do.
func lineKind(kind string) string {
	switch kind {
	case schemas.FieldNumber:
		return KindNumber
	case schemas.FieldBoolean:
		return KindBoolean
	case schemas.FieldChoices:
		return KindMulti
	}
	return ""
}
