package mapping

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/pipeline/near"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Compiled is one tenant's mapping in force. It is never changed: all partitions may
// read it at once.
type Compiled struct {
	Env     Env // without Scripts
	objects []*Object
	tables  []*Object
	calls   []*Object
	roles   []FieldRole
	// ConflictDefault and the fields' own strategies; see Strategy.
	conflictDefault string
	conflicts       []schemas.Field
}

// Object returns the lines of one kind of record that stands for a person; nil if the
// CRM has no such kind.
func (c *Compiled) Object(provider, name string) *Object {
	for _, o := range c.objects {
		if o.Name == name && o.Provider == provider {
			return o
		}
	}
	return nil
}

// Objects are all of them, in the order of the profiles and by rank.
func (c *Compiled) Objects() []*Object { return c.objects }

// Calls returns the lines of a CRM's activities beside what a profile renders; nil if
// there are none.
func (c *Compiled) Calls(provider string) *Object {
	for _, o := range c.calls {
		if o.Provider == provider {
			return o
		}
	}
	return nil
}

// Role is what a field of the dialer means to identity.
func (c *Compiled) Role(field string) profile.Role {
	for i := range c.roles {
		if c.roles[i].Field == field {
			return c.roles[i].Role
		}
	}
	return profile.Plain
}

// Identity are the fields of the dialer that have a role, in a fixed order. They are to
// be read only.
func (c *Compiled) Identity() []FieldRole { return c.roles }

// Scripts says that a line has one.
func (c *Compiled) Scripts() bool {
	return slices.ContainsFunc(c.all(), func(o *Object) bool { return o.Scripts })
}

// ScriptOf names the line that has a script, "" if none has.
func (c *Compiled) ScriptOf(src string) string {
	for _, o := range c.all() {
		for _, l := range o.Lines {
			if l.Transform == schemas.TransformCustom && (l.script == src || l.back == src) {
				return l.Key()
			}
		}
	}
	return ""
}

// Strategy is the tenant's strategy for a field that both sides changed; "" = the
// default of the rules.
func (c *Compiled) Strategy(field string) string {
	for i := range c.conflicts {
		if c.conflicts[i].Name == field && c.conflicts[i].Value != nil {
			return *c.conflicts[i].Value
		}
	}
	return c.conflictDefault
}

// Compile makes a tenant's configuration into what is in force. What has a problem is
// left out; a configuration with one that is no warning should not be taken over.
func (b *Base) Compile(cfg *schemas.TenantConfig) (*Compiled, []Problem) {
	k := b.compile(cfg, nil)
	return k.c, k.ps
}

// CompileWith is Compile under what the CRMs say of the fields.
func (b *Base) CompileWith(cfg *schemas.TenantConfig, facts []Fact) *Compiled {
	return b.compile(cfg, facts).c
}

func (b *Base) compile(cfg *schemas.TenantConfig, facts []Fact) *compiler {
	c := &Compiled{Env: Env{Country: cfg.Country, Currency: cfg.Currency, Locale: cfg.Locale, Zone: b.zone(cfg.TimeZone)},
		objects: b.objects, tables: b.tables, roles: b.roles, conflictDefault: cfg.ConflictDefault, conflicts: cfg.ConflictFields}
	k := &compiler{Base: b, c: c, cfg: cfg, facts: facts}
	for i := range cfg.Mappings {
		k.i = i
		k.mapping(&cfg.Mappings[i])
	}
	k.heed(facts)
	for i, o := range c.objects {
		if slices.Contains(k.own, o) {
			k.together(o)
			c.objects[i].seal()
			c.objects[i].Follows = b.follows(o)
		}
	}
	for _, o := range c.tables {
		if slices.Contains(k.own, o) {
			o.seal()
		}
	}
	for _, o := range c.calls {
		k.together(o)
		o.seal()
	}
	k.rules()
	return k
}

type compiler struct {
	*Base
	c     *Compiled
	cfg   *schemas.TenantConfig
	i     int // the mapping under work
	facts []Fact
	own   []*Object // that the tenant changed
	made  []madeLine
	ps    []Problem
}

// madeLine says which mapping a line came from.
type madeLine struct {
	line *Line
	i    int
}

func (k *compiler) bad(part, mend, what string) {
	k.ps = append(k.ps, Problem{List: "mappings", Index: k.i, Part: part, What: what, Mend: mend})
}

func (k *compiler) warn(part, mend, what string) {
	k.ps = append(k.ps, Problem{List: "mappings", Index: k.i, Part: part, What: what, Mend: mend, Warning: true})
}

// Entities that a mapping may be about.
var Entities = []string{schemas.EntityAccount, schemas.EntityCall, schemas.EntityContact, schemas.EntityOpportunity}

func (k *compiler) mapping(m *schemas.FieldMapping) {
	if m.Provider != "" && k.profile(m.Provider) == nil {
		var names []string
		for _, p := range k.profiles {
			names = append(names, p.Provider)
		}
		k.bad("provider", near.DidYouMean(m.Provider, names), "unknown CRM "+quote(m.Provider))
		return
	}
	switch m.Entity {
	case schemas.EntityContact:
		k.contact(m)
	case schemas.EntityCall:
		k.call(m)
	case schemas.EntityAccount, schemas.EntityOpportunity:
		k.tableLine(m)
	default:
		k.bad("entity", near.DidYouMean(m.Entity, Entities), "unknown entity "+quote(m.Entity))
	}
}

func (k *compiler) contact(m *schemas.FieldMapping) {
	if m.Field == "" {
		k.bad("field", "the dialer's name of it", "a mapping without a field")
		return
	}
	found := false
	for _, p := range k.profiles {
		if m.Provider != "" && p.Provider != m.Provider {
			continue
		}
		var known []string
		objectFound := false
		for i := range p.Objects {
			name := p.Objects[i].Name
			known = append(known, name)
			if m.Object != "" && m.Object != name {
				continue
			}
			objectFound = true
			def := k.line(p.Provider, name, m.Field)
			if def == nil && (m.Object == "" || m.Provider == "" && m.CRMField == "") {
				continue // it is for those that have the field
			}
			found = true
			k.put(p, name, def, m)
		}
		if m.Provider != "" && m.Object != "" && !objectFound {
			k.bad("object", near.DidYouMean(m.Object, known), p.Provider+" has no kind of person "+quote(m.Object))
			return
		}
	}
	if !found {
		mend := "to: OBJECT.FIELD"
		if n := near.Name(m.Field, k.Fields()); n != "" {
			mend = "did you mean " + n + "? else say where it goes: " + mend
		}
		k.bad("field", mend, "no default mapping has the field "+quote(m.Field))
	}
}

// put makes one line and puts it into its object, in the place of the default.
func (k *compiler) put(p *profile.Profile, object string, def *Line, m *schemas.FieldMapping) {
	o := k.object(p.Provider, object)
	place := slices.IndexFunc(o.Lines, func(l *Line) bool { return l.Dialer == m.Field })
	for _, x := range k.made {
		if x.line.Provider == p.Provider && x.line.Object == object && x.line.Dialer == m.Field {
			k.bad("field", "one line for each field and object", m.Field+" is mapped twice for "+p.Provider+"."+object)
			return
		}
	}
	l := k.build(p.Provider, object, def, m)
	if l == nil {
		return
	}
	k.made = append(k.made, madeLine{l, k.i})
	if m.Off {
		if place >= 0 {
			o.Lines = slices.Delete(o.Lines, place, place+1)
		} else if def == nil {
			k.warn("off", "leave it out", m.Field+" is switched off and was never on")
		}
		return
	}
	if place >= 0 {
		o.Lines[place] = l
	} else {
		o.Lines = append(o.Lines, l)
	}
	if l.Role == profile.Phone || l.Role == profile.Email {
		k.c.roles = withRole(k.c.roles, l)
	}
}

// object returns the tenant's own copy of an object.
func (k *compiler) object(provider, name string) *Object {
	if len(k.own) == 0 {
		k.c.objects, k.c.tables = slices.Clone(k.c.objects), slices.Clone(k.c.tables)
	}
	for _, os := range [][]*Object{k.c.objects, k.c.tables} {
		for i, o := range os {
			if o.Provider != provider || o.Name != name {
				continue
			}
			if slices.Contains(k.own, o) {
				return o
			}
			mine := *o
			mine.Lines = slices.Clone(o.Lines)
			k.own = append(k.own, &mine)
			os[i] = &mine
			return &mine
		}
	}
	panic("mapping: an object that is in no profile")
}

// fieldName is the form of a field's name. It goes into queries: nothing of another
// form ever does.
var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,127}(\.[A-Za-z][A-Za-z0-9_-]{0,127}){0,5}$`)

// Directions of a mapping.
var Directions = []string{string(profile.Bidirectional), string(profile.Inbound), string(profile.Outbound)}

// build makes the line that a mapping says, above its default; nil where it can't be.
func (k *compiler) build(provider, object string, def *Line, m *schemas.FieldMapping) *Line {
	l := &Line{Provider: provider, Object: object, Kind: KindText, Transform: schemas.TransformNone}
	l.Direction = profile.Bidirectional
	if def != nil {
		*l = *def
	}
	l.Dialer, l.Optional = m.Field, false
	was := l.Direction
	before := len(Errors(k.ps))
	if m.CRMField != "" && !fieldName.MatchString(m.CRMField) {
		k.bad("crm_field", "its API name: letters, digits and _, with points between the names of a relation", quote(m.CRMField)+" can't be the name of a field")
		return nil
	}
	if m.CRMField != "" && m.CRMField != l.CRM {
		if def != nil {
			l.MaxLength = 0
		}
		l.CRM = m.CRMField
		if other := k.column(provider, object, m.CRMField); other != nil {
			l.MaxLength, l.profiles, was = other.MaxLength, !other.Optional, other.Direction
		} else {
			l.profiles = false
			k.warn("crm_field", "look whether the CRM has it", provider+"."+object+"."+m.CRMField+NotChecked)
		}
	}
	if l.CRM == "" {
		k.bad("crm_field", "to: "+object+".FIELD", m.Field+" has no field of the CRM")
		return nil
	}
	if m.Direction != "" {
		if !slices.Contains(Directions, m.Direction) {
			k.bad("direction", near.DidYouMean(m.Direction, Directions), "unknown direction "+quote(m.Direction)+" for "+m.Field)
		}
		l.Direction = profile.Direction(m.Direction)
	}
	k.readOnly(l, m)
	k.transform(l, def, m)
	k.kind(l, m)
	if m.MaxLength < 0 {
		k.bad("max_length", "a number of characters", "max_length of "+m.Field+" is negative")
	} else if m.MaxLength > 0 {
		l.MaxLength = int(m.MaxLength)
	}
	if len(m.Validations) > 0 {
		l.checks = nil
		for i := range m.Validations {
			c, what, mend := newCheck(&m.Validations[i], &k.patterns)
			if what != "" {
				k.bad("validations["+strconv.Itoa(i)+"]", mend, m.Field+": "+what)
				continue
			}
			if ok := c.ok; l.Kind == KindMulti && m.Validations[i].Type == schemas.ValidEnum {
				c.ok = func(v string) bool { return each(v, ok) }
			}
			l.checks = append(l.checks, c)
		}
	}
	l.profiles = l.profiles && (was == l.Direction || was == profile.Bidirectional)
	l.Required, l.ClearsCRM, l.Default, l.Conflict = m.Required, m.ClearsCRM, m.Default, m.Conflict
	if m.Conflict != "" && !slices.Contains(Strategies, m.Conflict) {
		k.bad("conflict", near.DidYouMean(m.Conflict, Strategies), "unknown conflict strategy "+quote(m.Conflict)+" for "+m.Field)
	}
	if !l.Outbound() && (m.Required || m.ClearsCRM) {
		k.warn("direction", "direction: bidirectional or outbound", m.Field+" is inbound: required and clears_crm have no effect")
	}
	if m.Required && m.ClearsCRM {
		k.bad("clears_crm", "one of both", m.Field+" is required and may be cleared")
	}
	if len(Errors(k.ps)) > before {
		return nil
	}
	return l
}

// NotChecked ends the warning of a field that only the CRM could say anything of.
const NotChecked = " is none of the defaults' fields, and is not checked here"

// readOnly refuses a way to the CRM that it does not have (B29).
func (k *compiler) readOnly(l *Line, m *schemas.FieldMapping) {
	if l.Direction == profile.Inbound {
		return
	}
	other := k.column(l.Provider, l.Object, l.CRM)
	if other != nil && other.Direction == profile.Inbound || strings.Contains(l.CRM, ".") {
		k.bad("direction", "direction: inbound", l.Provider+"."+l.Object+"."+l.CRM+" can't be written, but "+m.Field+" is "+string(l.Direction))
	}
}

func (k *compiler) kind(l *Line, m *schemas.FieldMapping) {
	switch l.Transform {
	case schemas.TransformCheckbox:
		l.Kind = KindBoolean
	case schemas.TransformCents:
		l.Kind = KindNumber
	}
	if m.Kind == "" {
		return
	}
	if !slices.Contains(Kinds, m.Kind) {
		k.bad("kind", near.DidYouMean(m.Kind, Kinds), "unknown type "+quote(m.Kind)+" for "+m.Field)
		return
	}
	l.Kind = m.Kind
	if t, ok := l.rule.(picklist); ok {
		t.multi = m.Kind == KindMulti
		l.rule = t
	}
}

// together looks at the lines of an object at once: two may not write one field.
func (k *compiler) together(o *Object) {
	for i, l := range o.Lines {
		for _, x := range o.Lines[:i] {
			if x.CRM == l.CRM && x.Outbound() && l.Outbound() {
				k.i = k.mappingOf(l, x)
				k.bad("crm_field", "direction: inbound for one of them", x.Dialer+" and "+l.Dialer+" both write "+o.Provider+"."+o.Name+"."+l.CRM)
			}
		}
	}
}

func (k *compiler) mappingOf(ls ...*Line) int {
	for _, m := range k.made {
		if slices.Contains(ls, m.line) {
			return m.i
		}
	}
	return -1
}

// call makes a line of a CRM's activities: a value of the call, or a constant (B30).
func (k *compiler) call(m *schemas.FieldMapping) {
	found := false
	for _, p := range k.profiles {
		object := p.Activity.Object
		if m.Provider != "" && m.Provider != p.Provider || object == "" {
			continue
		}
		if m.Object != "" && m.Object != object {
			if m.Provider != "" {
				k.bad("object", "to: "+object+".FIELD", p.Provider+" logs calls as "+object+", not as "+quote(m.Object))
				return
			}
			continue
		}
		if m.Provider == "" && m.Object == "" {
			continue
		}
		found = true
		mine := *m
		if mine.Direction == "" {
			mine.Direction = string(profile.Outbound)
		}
		if mine.Direction != string(profile.Outbound) {
			k.bad("direction", "direction: outbound", "calls go to the CRM only")
			return
		}
		if m.Field == "" && m.Default == nil {
			k.bad("field", "the call's name of it, or default:", "a mapping of calls with neither a field nor a default")
			return
		}
		if what, mend := ownOfCalls(&p.Activity, m.CRMField); what != "" {
			k.bad("crm_field", mend, p.Provider+"."+object+"."+m.CRMField+" "+what)
			return
		}
		if m.Required {
			k.warn("required", "leave it out", "required has no effect on calls: a call is logged with what it has")
		}
		if m.ClearsCRM {
			k.warn("clears_crm", "leave it out", "clears_crm has no effect on calls: what a call does not say any more is cleared anyway")
		}
		if l := k.build(p.Provider, object, nil, &mine); l != nil && !m.Off {
			o := k.c.Calls(p.Provider)
			if o == nil {
				o = &Object{Provider: p.Provider, Name: object}
				k.c.calls = append(k.c.calls, o)
			}
			k.made = append(k.made, madeLine{l, k.i})
			o.Lines = append(o.Lines, l)
		}
	}
	if !found {
		k.bad("object", "to: OBJECT.FIELD", "a mapping of calls names no CRM that logs them")
	}
}

// ownOfCalls says why a field of a CRM's activity takes no line of a tenant: it is what
// every call is known by, linked by or told in. "" for any other field.
func ownOfCalls(a *profile.Activity, field string) (what, mend string) {
	switch field {
	case "":
	case a.Body.Field:
		return "is the text of the call, in which all of it stands", "leave it out; calls: {notes: plain} takes the headings away"
	case a.IdentityField:
		return "is what a call is known by", "leave it out, or name another field"
	case a.PersonField:
		return "is whom the call is logged on", "leave it out, or name another field"
	case a.Disposition.Field:
		if a.Disposition.Listed {
			return "takes the ids of the CRM's own list", "dispositions: says what each becomes"
		}
	}
	return "", ""
}
