package mapping

import (
	"slices"
	"time"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Base is what every tenant starts from: the CRMs' profiles as lines. It is made once
// and never changed.
type Base struct {
	profiles []*profile.Profile
	objects  []*Object // without what is optional
	tables   []*Object // likewise: companies and deals
	optional []*Line
	zone     func(name string) *time.Location
	roles    []FieldRole
	patterns patterns
}

// FieldRole is a field of the dialer that means something to identity.
type FieldRole struct {
	Field string
	Role  profile.Role
}

// dialerRoles are those that mean it whatever the CRMs map them to.
var dialerRoles = []FieldRole{{"do_not_call", profile.DoNotCall}, {"email", profile.Email}, {"mobile_phone", profile.Phone}, {"phone", profile.Phone}}

// NewBase returns the Base of these profiles. zone returns a time zone by its IANA
// name, nil where there is none of that name.
func NewBase(profiles []*profile.Profile, zone func(name string) *time.Location) *Base {
	b := &Base{profiles: profiles, zone: zone, roles: slices.Clone(dialerRoles)}
	for _, p := range profiles {
		for i := range p.Objects {
			o := &Object{Provider: p.Provider, Name: p.Objects[i].Name, AccountField: p.Objects[i].AccountField, Rank: p.Objects[i].Rank, Conversion: p.Objects[i].Conversion}
			for _, m := range p.Objects[i].Mappings {
				l := defaultLine(p.Provider, o.Name, m)
				b.role(l)
				if m.Optional {
					b.optional = append(b.optional, l)
				} else {
					o.Lines = append(o.Lines, l)
				}
			}
			o.seal()
			b.objects = append(b.objects, o)
		}
		b.tables = append(b.tables, b.tablesOf(p)...)
	}
	for _, o := range b.objects {
		o.Follows = b.follows(o)
	}
	return b
}

func (b *Base) role(l *Line) {
	if l.Role == profile.Email || l.Role == profile.Phone || l.Role == profile.DoNotCall {
		b.roles = withRole(b.roles, l)
	}
}

func withRole(rs []FieldRole, l *Line) []FieldRole {
	for _, r := range rs {
		if r.Field == l.Dialer {
			return rs
		}
	}
	return append(slices.Clip(rs), FieldRole{l.Dialer, l.Role})
}

// defaultLine is a line of a profile. What a role means is its transform.
func defaultLine(provider, object string, m profile.Mapping) *Line {
	l := &Line{Mapping: m, Provider: provider, Object: object, Transform: schemas.TransformNone, Kind: KindText, profiles: true}
	switch m.Role {
	case profile.Phone:
		l.Transform, l.rule = schemas.TransformPhone, phoneE164{}
		l.checks = phoneChecks
	case profile.Email:
		l.Transform, l.rule = schemas.TransformLowercase, lowercase{}
		l.checks = emailChecks
	case profile.DoNotCall:
		l.Transform, l.Kind = schemas.TransformCheckbox, KindBoolean
	}
	return l
}

var (
	phoneChecks = []check{{ok: isE164, message: "Invalid E.164 phone"}}
	emailChecks = []check{{ok: isEmail, message: "Invalid email"}}
)

func (b *Base) profile(provider string) *profile.Profile {
	for _, p := range b.profiles {
		if p.Provider == provider {
			return p
		}
	}
	return nil
}

// line returns a default line, optional ones too; nil if there is none.
func (b *Base) line(provider, object, field string) *Line {
	if o := b.object(provider, object); o != nil {
		for _, l := range o.Lines {
			if l.Dialer == field {
				return l
			}
		}
	}
	for _, l := range b.optional {
		if l.Provider == provider && l.Object == object && l.Dialer == field {
			return l
		}
	}
	return nil
}

// column returns a default line by the CRM's field; nil if there is none.
func (b *Base) column(provider, object, field string) *Line {
	if o := b.object(provider, object); o != nil {
		for _, l := range o.Lines {
			if l.CRM == field {
				return l
			}
		}
	}
	for _, l := range b.optional {
		if l.Provider == provider && l.Object == object && l.CRM == field {
			return l
		}
	}
	return nil
}

// Fields are the dialer's fields that a default line has, sorted.
func (b *Base) Fields() []string {
	var fs []string
	for _, o := range b.objects {
		for _, l := range o.Lines {
			fs = append(fs, l.Dialer)
		}
	}
	for _, l := range b.optional {
		if b.table(l.Provider, l.Object) == nil {
			fs = append(fs, l.Dialer)
		}
	}
	slices.Sort(fs)
	return slices.Compact(fs)
}

// Objects are the kinds of record that stand for a person in a CRM, by rank.
func (b *Base) Objects(provider string) []string {
	var names []string
	for _, o := range b.objects {
		if o.Provider == provider {
			names = append(names, o.Name)
		}
	}
	return names
}
