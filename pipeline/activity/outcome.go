package activity

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Letters is a label by its letters and digits alone, small: "No Answer", "no-answer"
// and "NO_ANSWER" are one label to people.
func Letters(label string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, label)
}

// Outcome returns the fields of an activity that a dialer's disposition sets: by the
// tenant's rule, else by the CRM's default, else its own word (B17). id finds the id of
// a label where the CRM takes those of a list alone; mapped is false where there is
// none: the field is left out then, and the word belongs into the text.
func Outcome(d *profile.Disposition, provider string, rules []schemas.DispositionRule, label string, id func(label string) (string, bool, error)) (fields []schemas.Field, mapped bool, err error) {
	if label = oneLine(label); label == "" || d.Field == "" {
		return nil, label == "", nil
	}
	i := slices.IndexFunc(rules, func(r schemas.DispositionRule) bool {
		return r.Provider == provider && strings.EqualFold(oneLine(r.Label), label)
	})
	if i >= 0 {
		fields = slices.Clone(rules[i].Fields)
	} else {
		for _, def := range d.Defaults {
			if Letters(def.Label) == Letters(label) {
				fields = slices.Clone(def.Fields)
			}
		}
	}
	at := slices.IndexFunc(fields, func(f schemas.Field) bool { return f.Name == d.Field })
	value := label
	if at >= 0 {
		if fields[at].Value == nil { // the tenant wants none there
			return fields, true, nil
		}
		value = *fields[at].Value
		fields = slices.Delete(fields, at, at+1)
	}
	if d.Listed {
		if value, mapped, err = id(value); err != nil || !mapped {
			return fields, false, err
		}
	} else {
		value = shorten(value, d.Max)
	}
	at, _ = slices.BinarySearchFunc(fields, d.Field, func(f schemas.Field, name string) int { return strings.Compare(f.Name, name) })
	return slices.Insert(fields, at, schemas.Text(d.Field, value)), true, nil
}

// shorten cuts s to n characters, marked (B28); 0 = no limit.
func shorten(s string, n int) string {
	if n <= 0 || utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
