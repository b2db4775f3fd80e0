package base

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Subject is the title of a call, of at most n characters.
func Subject(c profile.Call, n int) string {
	title := "Call"
	if c.Kind == "missed" {
		title = "Missed call"
	}
	if c.Disposition == "" {
		return title
	}
	return Cut(title+" - "+c.Disposition, n)
}

// Fields gathers the fields of a record.
type Fields []schemas.Field

// Set adds a field; "" clears it in the CRM.
func (f *Fields) Set(name, value string) { *f = append(*f, schemas.Text(name, value)) }

// Any adds a field that has a value.
func (f *Fields) Any(name, value string) {
	if value != "" {
		f.Set(name, value)
	}
}

// Sorted returns them by name.
func (f Fields) Sorted() []schemas.Field {
	slices.SortFunc(f, func(a, b schemas.Field) int { return strings.Compare(a.Name, b.Name) })
	return f
}

// Cut shortens s to n characters, marked (B28).
func Cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
