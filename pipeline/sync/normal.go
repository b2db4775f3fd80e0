package sync

import (
	"sort"
	"strings"

	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

func normalEmail(s string) string { return mapping.Lower(strings.TrimSpace(s)) }

// inward turns a CRM value into the dialer's form. One that is not as it should be stays
// as it is written, and why is said (B25). Whether it is news is asked of the line
// before, which compares by what values mean (P7).
func (w *world) inward(m *mapping.Line, v *string) (out *string, why string, err error) {
	if m.Role == profile.Owner {
		if blank(v) {
			return nil, "", nil
		}
		email, ok, err := w.text(kindOwnerID, w.scope(m.Provider)+"\x00"+*v)
		if err != nil || !ok {
			return nil, "", err // not known yet: the owner's record will be read
		}
		return &email, "", nil
	}
	out, err = m.In(w.env, v)
	if err == nil {
		return out, "", nil
	}
	if why, ok := mapping.IsInvalid(err); ok {
		return out, why, nil
	}
	return out, err.Error(), nil // a script that was cut off: ended says so
}

func equal(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// blank says that there is no value: blanks are none, and CRMs make nothing of them.
func blank(s *string) bool { return s == nil || strings.TrimSpace(*s) == "" }

func truth(s *string) bool {
	if s == nil {
		return false
	}
	yes, _ := mapping.Truth(*s)
	return yes
}

func find(fs []schemas.Field, name string) (*string, bool) {
	for i := range fs {
		if fs[i].Name == name {
			return fs[i].Value, true
		}
	}
	return nil, false
}

// set puts a field into a list that is sorted by name.
func set(fs []schemas.Field, name string, v *string) []schemas.Field {
	i := sort.Search(len(fs), func(i int) bool { return fs[i].Name >= name })
	if i < len(fs) && fs[i].Name == name {
		fs[i].Value = v
		return fs
	}
	fs = append(fs, schemas.Field{})
	copy(fs[i+1:], fs[i:])
	fs[i] = schemas.Field{Name: name, Value: v}
	return fs
}

func unset(fs []schemas.Field, name string) []schemas.Field {
	for i := range fs {
		if fs[i].Name == name {
			return append(fs[:i], fs[i+1:]...)
		}
	}
	return fs
}

func (p *person) field(name string) (*fieldValue, bool) {
	i := sort.Search(len(p.Fields), func(i int) bool { return p.Fields[i].Name >= name })
	if i < len(p.Fields) && p.Fields[i].Name == name {
		return &p.Fields[i], true
	}
	return nil, false
}

func (p *person) set(f fieldValue) {
	i := sort.Search(len(p.Fields), func(i int) bool { return p.Fields[i].Name >= f.Name })
	if i < len(p.Fields) && p.Fields[i].Name == f.Name {
		p.Fields[i] = f
		return
	}
	p.Fields = append(p.Fields, fieldValue{})
	copy(p.Fields[i+1:], p.Fields[i:])
	p.Fields[i] = f
}

func (p *person) value(name string) *string {
	if f, ok := p.field(name); ok {
		return f.Value
	}
	return nil
}

func (p *person) link(provider, object, id string) *link {
	for i := range p.Links {
		l := &p.Links[i]
		if l.Provider == provider && l.Object == object && l.ID == id {
			return l
		}
	}
	return nil
}
