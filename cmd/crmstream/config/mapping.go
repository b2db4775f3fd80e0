package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/pipeline/near"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// lineDoc is one line of a mapping as people write it.
type lineDoc struct {
	To        strictyaml.Node `yaml:"to"`
	Direction string          `yaml:"direction"`
	Transform strictyaml.Node `yaml:"transform"`
	Inverse   string          `yaml:"inverse"`
	Type      string          `yaml:"type"`
	Required  bool            `yaml:"required"`
	Default   *string         `yaml:"default"`
	ClearsCRM bool            `yaml:"clears_crm"`
	Conflict  string          `yaml:"conflict"`
	MaxLength int32           `yaml:"max_length"`
	Validate  strictyaml.Node `yaml:"validate"`
	Tests     []testDoc       `yaml:"tests"`
}

// testDoc is one example beside a mapping: what the CRM has and what the dialer gets;
// of an outbound line the other way.
type testDoc struct {
	In    *string `yaml:"in"`
	Out   *string `yaml:"out"`
	Error bool    `yaml:"error"`
}

// placed is a part of a configuration and where it stands in the document.
type placed[T any] struct {
	v    T
	path string
}

// entities are what the document calls the parts of a mapping.
var entities = map[string]string{
	"contact": schemas.EntityContact, "call": schemas.EntityCall, schemas.EntityCall: schemas.EntityCall,
	"account": schemas.EntityAccount, "opportunity": schemas.EntityOpportunity,
}

// reader turns a tenant's document into its configuration.
type reader struct {
	p        *strictyaml.Places
	profiles []*profile.Profile
	crms     []string // of the tenant, sorted
	lines    []placed[schemas.FieldMapping]
	tests    []Test
	mistakes []strictyaml.Mistake
	warnings []strictyaml.Mistake
	entries  entries
}

func (r *reader) bad(path, mend, what string) {
	r.mistakes = append(r.mistakes, r.p.Mistake(path, what, mend))
}

// mapping reads mapping:, by entity and field.
func (r *reader) mapping(doc map[string]map[string]strictyaml.Node) []schemas.FieldMapping {
	for _, name := range sortedKeys(doc) {
		entity, ok := entities[name]
		if !ok {
			r.bad("mapping."+name, near.DidYouMean(name, []string{"account", "call", "contact", "opportunity"}), "unknown entity "+quote(name))
			continue
		}
		for _, field := range sortedKeys(doc[name]) {
			r.line(entity, field, doc[name][field])
		}
	}
	slices.SortStableFunc(r.lines, func(a, b placed[schemas.FieldMapping]) int {
		return cmp.Or(strings.Compare(a.v.Entity, b.v.Entity), strings.Compare(a.v.Field, b.v.Field), strings.Compare(a.v.Provider, b.v.Provider), strings.Compare(a.v.Object, b.v.Object))
	})
	var ms []schemas.FieldMapping
	for i := range r.lines {
		ms = append(ms, r.lines[i].v)
	}
	return ms
}

// line reads one field: "off", or what it is, or a list where its objects differ.
func (r *reader) line(entity, field string, n strictyaml.Node) {
	if items, ok := n.List(); ok {
		for _, item := range items {
			r.line(entity, field, item)
		}
		return
	}
	m := schemas.FieldMapping{Entity: entity, Field: strings.TrimPrefix(field, "+")}
	if strings.HasPrefix(field, "+") && entity == schemas.EntityCall {
		m.Field = "" // a constant, which only needs a name of its own here
	}
	if text, ok := n.Text(); ok {
		switch text {
		case "off", "false":
			m.Off = true
		case "on", "true":
		default:
			n.Wrong("off, on, or a mapping with to:, direction:, transform: …", "%s is %q", n.Path(), text)
			return
		}
		r.lines = append(r.lines, placed[schemas.FieldMapping]{m, n.Path()})
		return
	}
	var d lineDoc
	if n.There() {
		n.Decode(&d)
	}
	m.Direction, m.Kind, m.Required, m.Default, m.ClearsCRM, m.Conflict, m.MaxLength, m.Inverse = d.Direction, d.Type, d.Required, d.Default, d.ClearsCRM, d.Conflict, d.MaxLength, d.Inverse
	r.transform(&m, d.Transform)
	m.Validations = validations(d.Validate)
	places := r.targets(entity, d.To)
	for _, t := range places {
		one := m
		one.Provider, one.Object, one.CRMField = t.provider, t.object, t.field
		r.lines = append(r.lines, placed[schemas.FieldMapping]{one, n.Path()})
	}
	for i, t := range d.Tests {
		r.tests = append(r.tests, Test{Entity: entity, Field: m.Field, In: t.In, Out: t.Out, Error: t.Error, places: places, path: n.Path() + ".tests[" + itoa(i) + "]"})
	}
}

// transform reads a name, or a name with its arguments.
func (r *reader) transform(m *schemas.FieldMapping, n strictyaml.Node) {
	if !n.There() {
		return
	}
	if name, ok := n.Text(); ok {
		m.Transform = name
		return
	}
	pairs, ok := n.Pairs()
	if !ok || len(pairs) != 1 {
		n.Wrong(`phone_e164, or {picklist_map: {New: OPEN}}, or {custom: "value.trim()"}`, "a transform is a name, or one name with its arguments")
		return
	}
	m.Transform = pairs[0].Key
	args := pairs[0].Node
	switch m.Transform {
	case schemas.TransformCustom:
		if m.Script, ok = args.Text(); !ok {
			args.Wrong(`custom: "value.split(' ')[0]"`, "the script of custom is a text")
		}
	case schemas.TransformPicklist:
		values, ok := args.Pairs()
		if !ok {
			args.Wrong("{DIALER: CRM, …}", "a picklist is a mapping of the dialer's values to the CRM's")
		}
		for _, v := range values {
			r.pair(m, v)
		}
	default:
		values, ok := args.Pairs()
		if !ok && args.There() {
			args.Wrong("{NAME: VALUE}", "the arguments of %s are a mapping of names", m.Transform)
		}
		for _, v := range values {
			text, ok := v.Text()
			if !ok {
				v.Wrong("", "%s must be a single value", v.Path())
			}
			m.Args = append(m.Args, schemas.Text(v.Key, text))
		}
		slices.SortFunc(m.Args, func(a, b schemas.Field) int { return strings.Compare(a.Name, b.Name) })
	}
}

// pair reads one value of the dialer and what it is in the CRM: the first of a list is
// the way there, all of them are ways back.
func (r *reader) pair(m *schemas.FieldMapping, v strictyaml.Pair) {
	texts := []strictyaml.Node{v.Node}
	if items, ok := v.List(); ok {
		texts = items
	}
	for _, t := range texts {
		crm, ok := t.Text()
		if !ok {
			t.Wrong("a value, or a list of values", "%s must be a single value", t.Path())
			continue
		}
		m.Picklist = append(m.Picklist, schemas.PicklistPair{Dialer: v.Key, CRM: crm})
	}
}

// validations reads a list of rules: "required", or one name with its bound.
func validations(n strictyaml.Node) (vs []schemas.Validation) {
	if !n.There() {
		return nil
	}
	items, ok := n.List()
	if !ok {
		n.Wrong("[required, {enum: [New, Working]}]", "%s must be a list of rules", n.Path())
		return nil
	}
	for _, item := range items {
		if name, ok := item.Text(); ok {
			vs = append(vs, schemas.Validation{Type: name})
			continue
		}
		vs = append(vs, validation(item))
	}
	return vs
}

func validation(n strictyaml.Node) (v schemas.Validation) {
	pairs, ok := n.Pairs()
	if !ok {
		n.Wrong("{format: PATTERN, message: TEXT}", "a rule is a name, or a name with its bound")
		return v
	}
	for _, p := range pairs {
		if p.Key == "message" {
			v.Message, _ = p.Text()
			continue
		}
		if v.Type != "" {
			p.Wrong("one rule for each item of the list", "%s and %s in one rule", v.Type, p.Key)
			continue
		}
		v.Type = p.Key
		switch p.Key {
		case schemas.ValidFormat:
			v.Pattern, _ = p.Text()
		case schemas.ValidEnum:
			p.Decode(&v.Values)
		case schemas.ValidLength, schemas.ValidRange:
			var b struct {
				Min *float64 `yaml:"min"`
				Max *float64 `yaml:"max"`
			}
			p.Decode(&b)
			v.Min, v.Max = b.Min, b.Max
		}
	}
	return v
}

// target is where a line goes; what is "" is as the defaults have it.
type target struct{ provider, object, field string }

// targets reads to: one place or several.
func (r *reader) targets(entity string, n strictyaml.Node) []target {
	if !n.There() {
		return []target{{}}
	}
	texts := []strictyaml.Node{n}
	if items, ok := n.List(); ok {
		texts = items
	}
	var ts []target
	for _, t := range texts {
		text, ok := t.Text()
		if !ok {
			t.Wrong("Lead.Score__c", "to: is OBJECT.FIELD, or a list of them")
			continue
		}
		if found, ok := r.target(entity, text, t); ok {
			ts = append(ts, found)
		}
	}
	return ts
}

// objects are the kinds of record that an entity may be in a CRM.
func objects(p *profile.Profile, entity string) []string {
	var names []string
	switch entity {
	case schemas.EntityContact:
		for i := range p.Objects {
			names = append(names, p.Objects[i].Name)
		}
	case schemas.EntityCall:
		names = append(names, p.Activity.Object)
	default:
		for i := range p.Tables {
			if p.Tables[i].Entity == entity {
				names = append(names, p.Tables[i].Name)
			}
		}
	}
	return names
}

func (r *reader) target(entity, text string, n strictyaml.Node) (t target, ok bool) {
	first, rest, _ := strings.Cut(text, ".")
	for _, p := range r.profiles {
		if p.Provider == first {
			if !slices.Contains(r.crms, first) {
				n.Wrong("one of those under crm: "+strings.Join(r.crms, ", "), "the tenant has no CRM %q", first)
				return t, false
			}
			t.provider = first
			t.object, t.field, _ = strings.Cut(rest, ".")
			return t, true
		}
	}
	var in, known []string
	for _, p := range r.profiles {
		if !slices.Contains(r.crms, p.Provider) {
			continue
		}
		names := objects(p, entity)
		known = append(known, names...)
		if slices.Contains(names, first) {
			in = append(in, p.Provider)
		}
	}
	switch {
	case len(in) == 1:
		return target{in[0], first, rest}, true
	case len(in) > 1:
		n.Wrong("name the CRM: "+in[0]+"."+text, "%s is in %s", first, strings.Join(in, " and in "))
	default:
		n.Wrong(near.DidYouMean(first, known), "no CRM of the tenant has the kind of record %q", first)
	}
	return t, false
}

// partOf is what a part of a mapping's record is called in the document.
func partOf(part string) string {
	if rule, ok := strings.CutPrefix(part, "validations"); ok {
		return ".validate" + rule
	}
	switch part {
	case "":
		return ""
	case "provider", "object", "crm_field":
		return ".to"
	case "args", "script", "picklist":
		return ".transform"
	case "kind":
		return ".type"
	case "field", "entity", "off":
		return ""
	}
	return "." + part
}

// check compiles the configuration and says what is wrong with it where it stands.
func (r *reader) check(base *mapping.Base, tc *schemas.TenantConfig) (warnings []strictyaml.Mistake) {
	_, problems := base.Compile(tc)
	for _, pr := range problems {
		m := r.p.Mistake(r.entries.at(&pr), pr.What, pr.Mend)
		if pr.Warning {
			warnings = append(warnings, m)
		} else if !slices.Contains(r.mistakes, m) {
			r.mistakes = append(r.mistakes, m)
		}
	}
	return warnings
}
