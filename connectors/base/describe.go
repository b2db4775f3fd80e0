package base

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// schemaPrefix begins the name of a source that says what fields a kind of record has.
const schemaPrefix = "schema:"

// Schemas are the sources of what fields kinds of record have: one record each. They
// stand behind all others, so that a first load does not wait for them.
func Schemas(every time.Duration, objects ...string) []profile.Source {
	var out []profile.Source
	for _, o := range objects {
		out = append(out, profile.Source{Name: schemaPrefix + o, Object: schemas.ReferenceSchema, Limit: 1, Every: every})
	}
	return out
}

// SchemaOf returns the kind of record whose fields a source says; ok is false for any
// other source.
func SchemaOf(source string) (object string, ok bool) { return strings.CutPrefix(source, schemaPrefix) }

// What one description may have: a record must stay far below what Kafka takes.
const (
	valuesMost    = 100
	valueMost     = 255 // bytes
	labelMost     = 100 // characters
	describedMost = schemas.RecordLimit / 4
)

// Describe is what fields a kind of record has, as a change. A description that would be
// too large loses the longest lists of values first, then fields that are not mapped; it
// says so.
func (t *Attempt) Describe(a *Account, p *profile.Profile, object string, fields []schemas.DescribedField) *schemas.CRMChange {
	for i := range fields {
		f := &fields[i]
		if utf8.RuneCountInString(f.Label) > labelMost {
			f.Label = Cut(f.Label, labelMost)
		}
		kept := slices.DeleteFunc(f.Values, func(v string) bool { return len(v) > valueMost })
		f.MoreValues = f.MoreValues || len(kept) < len(f.Values) || len(kept) > valuesMost
		f.Values = kept[:min(len(kept), valuesMost)]
	}
	slices.SortStableFunc(fields, func(a, b schemas.DescribedField) int { return strings.Compare(a.Name, b.Name) })
	fields = slices.CompactFunc(fields, func(a, b schemas.DescribedField) bool { return a.Name == b.Name })
	fields, left := fit(fields, a.mapped(p, object))
	c := t.Change(schemas.ReferenceSchema, object)
	c.Reference = &schemas.Reference{Kind: schemas.ReferenceSchema, Fields: []schemas.Field{}, Described: fields, Left: int32(left)}
	return c
}

// Undescribed says that the CRM tells nothing of a kind of record.
func (t *Attempt) Undescribed(object string) *schemas.CRMChange {
	c := t.Change(schemas.ReferenceSchema, object)
	c.Reference = &schemas.Reference{Kind: schemas.ReferenceSchema, Fields: []schemas.Field{}, Described: []schemas.DescribedField{}, Deleted: true}
	return c
}

// mapped are the fields of a kind of record that the defaults or the tenant map.
func (a *Account) mapped(p *profile.Profile, object string) map[string]bool {
	names := make(map[string]bool)
	if o, ok := p.ObjectByName(object); ok {
		for _, m := range o.Mappings {
			names[m.CRM] = true
		}
	}
	for _, e := range a.extra(object) {
		names[e.name] = true
	}
	return names
}

func sizeOf(f *schemas.DescribedField) int {
	n := 48 + len(f.Name) + len(f.Label) + len(f.Type) + len(f.Kind)
	for _, v := range f.Values {
		n += 5 + len(v)
	}
	return n
}

// fit makes a description small enough, and returns how many fields it had to leave out.
func fit(fields []schemas.DescribedField, mapped map[string]bool) (kept []schemas.DescribedField, left int) {
	total := 0
	order := make([]int, len(fields)) // those that lose their values first
	for i := range fields {
		total += sizeOf(&fields[i])
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		if mx, my := mapped[fields[x].Name], mapped[fields[y].Name]; mx != my {
			if my {
				return -1
			}
			return 1
		}
		return sizeOf(&fields[y]) - sizeOf(&fields[x])
	})
	for _, i := range order {
		if total <= describedMost {
			break
		}
		f := &fields[i]
		before := sizeOf(f)
		f.MoreValues = f.MoreValues || len(f.Values) > 0
		f.Values = nil
		total -= before - sizeOf(f)
	}
	out := make(map[string]bool)
	for k := len(order) - 1; k >= 0 && total > describedMost; k-- {
		f := &fields[order[k]]
		if !mapped[f.Name] {
			out[f.Name] = true
			total -= sizeOf(f)
		}
	}
	return slices.DeleteFunc(fields, func(f schemas.DescribedField) bool { return out[f.Name] }), len(out)
}
