package pipetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/schemas"
)

// describe reads what fields a kind of record has: those of its default mapping, each a
// text, but for those of without=, and those that are named.
func describe(provider string, a *args) (*schemas.Reference, error) {
	r := &schemas.Reference{Kind: schemas.ReferenceSchema, Deleted: a.flag("deleted")}
	if r.Deleted {
		return r, nil
	}
	if a.flag("partial") {
		r.Left = 1
	}
	fields := make(map[string]schemas.DescribedField)
	for _, p := range Profiles() {
		if o, ok := p.ObjectByName(a.at(1)); ok && p.Provider == provider {
			for _, m := range o.Mappings {
				if !m.Optional {
					fields[m.CRM] = schemas.DescribedField{Name: m.CRM, Label: m.CRM, Type: "string", Kind: schemas.FieldText, Length: int32(m.MaxLength), Creatable: true, Updatable: true}
				}
			}
		}
	}
	for _, name := range strings.FieldsFunc(a.text("without"), func(r rune) bool { return r == ',' }) {
		delete(fields, name)
	}
	for _, n := range a.named {
		if n.Value == nil {
			return nil, fmt.Errorf("%s= says no type", n.Name)
		}
		f, err := describedField(n.Name, *n.Value)
		if err != nil {
			return nil, err
		}
		fields[n.Name] = f
	}
	for _, f := range fields {
		r.Described = append(r.Described, f)
	}
	slices.SortFunc(r.Described, func(a, b schemas.DescribedField) int { return strings.Compare(a.Name, b.Name) })
	return r, nil
}

// describedKinds are the types of fields in scripts, by our words.
var describedKinds = map[string]string{"string": schemas.FieldText, "double": schemas.FieldNumber, "boolean": schemas.FieldBoolean, "datetime": schemas.FieldDatetime,
	"picklist": schemas.FieldChoice, "multipicklist": schemas.FieldChoices, "reference": schemas.FieldReference}

func describedField(name, text string) (f schemas.DescribedField, err error) {
	parts := strings.Split(text, ",")
	typ, values, _ := strings.Cut(parts[0], ":")
	f = schemas.DescribedField{Name: name, Label: name, Type: typ, Kind: describedKinds[typ], Creatable: true, Updatable: true, Custom: strings.HasSuffix(name, "__c")}
	if f.Kind == "" {
		return f, fmt.Errorf("%s=%s: no such type", name, typ)
	}
	if values != "" {
		f.Values = strings.Split(values, "|")
	}
	for _, p := range parts[1:] {
		label, named := strings.CutPrefix(p, "label:")
		n, bad := strconv.Atoi(p)
		switch {
		case named:
			f.Label = label
		case p == "ro":
			f.Creatable, f.Updatable = false, false
		case p == "formula":
			f.Creatable, f.Updatable, f.Formula = false, false, true
		case bad == nil:
			f.Length = int32(n)
		default:
			return f, fmt.Errorf("%s: %q is not understood", name, p)
		}
	}
	return f, nil
}
