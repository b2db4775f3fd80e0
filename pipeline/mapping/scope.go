package mapping

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/schemas"
)

// Verdict is what a scope says of a record.
type Verdict byte

// Verdicts.
const (
	Unjudged Verdict = iota // a value that it asks for is not known
	Inside                  // it satisfies all of it
	Outside
)

// Judge says whether a record with these values satisfies a scope. One condition that
// fails decides, whatever else is not known. Texts are compared without regard to case,
// numbers and truth values as texts; of several values with semicolons between them
// one that fits is enough.
func Judge(scope []schemas.Filter, value func(field string) (v *string, known bool)) Verdict {
	verdict := Inside
	for i := range scope {
		f := &scope[i]
		v, known := value(f.Field)
		switch {
		case !known:
			verdict = Unjudged
		case !fits(f, v):
			return Outside
		}
	}
	return verdict
}

func fits(f *schemas.Filter, v *string) bool {
	switch f.Op {
	case "set":
		return !empty(v)
	case "unset":
		return empty(v)
	}
	among := false
	if !empty(v) {
		parts := append(strings.Split(*v, ";"), *v)
		among = slices.ContainsFunc(f.Values, func(want string) bool {
			return slices.ContainsFunc(parts, func(is string) bool { return strings.EqualFold(strings.TrimSpace(is), strings.TrimSpace(want)) })
		})
	}
	if f.Op == "ne" || f.Op == "not_in" {
		return !among
	}
	return among
}
