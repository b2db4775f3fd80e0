package pipetest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/schemas"
)

// mapping reads one line of a mapping; it is of the next tenant line.
func (s *runner) mapping(a *args) error {
	m := schemas.FieldMapping{Entity: schemas.EntityContact, Field: a.at(0), Off: a.flag("off"), Required: a.flag("required"), ClearsCRM: a.flag("clears_crm")}
	if to := strings.SplitN(a.at(1), "/", 3); len(to) == 3 {
		m.Provider, m.Object, m.CRMField = to[0], to[1], to[2]
	}
	if a.flag("account") {
		m.Entity = schemas.EntityAccount
	}
	if a.flag("opportunity") {
		m.Entity = schemas.EntityOpportunity
	}
	if a.flag("call") {
		m.Entity = schemas.EntityCall
	}
	if m.Field == "-" {
		m.Field = "" // a constant
	}
	m.Direction, m.Transform, m.Kind, m.Script, m.Inverse, m.Conflict = a.text("direction"), a.text("transform"), a.text("type"), a.text("script"), a.text("inverse"), a.text("conflict")
	m.Default = a.optional("default")
	n, err := a.number("max_length", 0)
	if err != nil {
		return err
	}
	m.MaxLength = int32(n)
	for _, name := range []string{"country", "currency", "format", "locale", "zone"} {
		if v, ok := a.take(name); ok {
			m.Args = append(m.Args, schemas.Text(name, v))
		}
	}
	for _, pair := range strings.FieldsFunc(a.text("picklist"), func(r rune) bool { return r == ',' }) {
		ours, theirs, _ := strings.Cut(pair, ":")
		m.Picklist = append(m.Picklist, schemas.PicklistPair{Dialer: ours, CRM: theirs})
	}
	if err := rules(a, &m); err != nil {
		return err
	}
	if len(a.named) > 0 {
		return fmt.Errorf("%s= is not known", a.named[0].Name)
	}
	s.mappings = append(s.mappings, m)
	return nil
}

// scope reads which records of a kind are synced; it is of the next tenant line.
func (s *runner) scope(a *args) error {
	of := strings.SplitN(a.at(0), "/", 2)
	if len(of) != 2 {
		return fmt.Errorf("scope sf/Lead off, or Status=in:New,Working Phone=set")
	}
	sc := schemas.ObjectScope{Provider: of[0], Object: of[1], Off: a.flag("off")}
	for _, f := range a.named {
		op, values, _ := strings.Cut(*f.Value, ":")
		sc.Filters = append(sc.Filters, schemas.Filter{Field: f.Name, Op: op, Values: strings.FieldsFunc(values, func(r rune) bool { return r == ',' })})
	}
	s.scopes = append(s.scopes, sc)
	return nil
}

// rules reads the validations of a line.
func rules(a *args, m *schemas.FieldMapping) error {
	message := a.text("message")
	add := func(v schemas.Validation) {
		v.Message = message
		m.Validations = append(m.Validations, v)
	}
	if v, ok := a.take("enum"); ok {
		add(schemas.Validation{Type: schemas.ValidEnum, Values: strings.Split(v, ",")})
	}
	if v, ok := a.take("pattern"); ok {
		add(schemas.Validation{Type: schemas.ValidFormat, Pattern: v})
	}
	if a.flag("wanted") {
		add(schemas.Validation{Type: schemas.ValidRequired})
	}
	for _, typ := range []string{schemas.ValidLength, schemas.ValidRange} {
		v, ok := a.take(typ)
		if !ok {
			continue
		}
		least, most, _ := strings.Cut(v, "..")
		lo, err := strconv.ParseFloat(least, 64)
		if err != nil {
			return fmt.Errorf("%s=%s is no range: 1..5", typ, v)
		}
		hi, err := strconv.ParseFloat(most, 64)
		if err != nil {
			return fmt.Errorf("%s=%s is no range: 1..5", typ, v)
		}
		add(schemas.Validation{Type: typ, Min: &lo, Max: &hi})
	}
	return nil
}

// columns are the fields that a connector is told of beside those of its profile.
func columns(settings []schemas.Field) (line string) {
	for _, f := range settings {
		if strings.HasPrefix(f.Name, "columns.") {
			line += " " + f.Name + "=" + value(f.Value)
		}
	}
	return line
}
