package mapping

import (
	"maps"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/crmstream/crmstream/pipeline/near"
	"github.com/crmstream/crmstream/schemas"
)

// Patterns of the default validations.
const (
	PhonePattern = `^\+[1-9]\d{1,14}$`
	EmailPattern = `^[^\s@]+@[^\s@]+\.[^\s@]+$`
)

// check is one compiled validation: true = the value is as it should be.
type check struct {
	ok       func(v string) bool
	message  string
	required bool
}

// maxPattern bounds the length of a pattern, in bytes.
const maxPattern = 1000

// newCheck compiles a validation; what is wrong with it is said with how to mend it.
func newCheck(v *schemas.Validation, known *patterns) (c check, what, mend string) {
	c.message = v.Message
	or := func(text string) {
		if c.message == "" {
			c.message = text
		}
	}
	switch v.Type {
	case schemas.ValidRequired:
		or("It is required")
		c.required = true
		c.ok = func(v string) bool { return strings.TrimSpace(v) != "" }
	case schemas.ValidFormat:
		or("Invalid format")
		match, err := known.get(v.Pattern)
		if err != "" {
			return c, err, "a pattern in RE2's syntax: no look-ahead, no back-reference"
		}
		c.ok = match
	case schemas.ValidLength:
		or("Its length is not as it should be")
		if what, mend = bounds(v, 0); what != "" {
			return c, what, mend
		}
		c.ok = func(s string) bool {
			n := float64(utf8.RuneCountInString(s))
			return (v.Min == nil || n >= *v.Min) && (v.Max == nil || n <= *v.Max)
		}
	case schemas.ValidRange:
		or("It is out of its range")
		if what, mend = bounds(v, -1); what != "" {
			return c, what, mend
		}
		c.ok = func(s string) bool {
			n, ok := numeric(s)
			return ok && (v.Min == nil || n.Cmp(rat(*v.Min)) >= 0) && (v.Max == nil || n.Cmp(rat(*v.Max)) <= 0)
		}
	case schemas.ValidEnum:
		or("It is none of the values that may be")
		if len(v.Values) == 0 {
			return c, "enum names no value", "enum: [New, Working]"
		}
		c.ok = oneOf(v.Values)
	default:
		return c, "unknown validation " + strconv.Quote(v.Type), near.DidYouMean(v.Type, Validations)
	}
	return c, "", ""
}

// oneOf tells whether a text is one of some.
func oneOf(values []string) func(string) bool {
	if len(values) <= 16 {
		return func(s string) bool { return slices.Contains(values, s) }
	}
	set := make(map[string]bool, len(values))
	for _, x := range values {
		set[x] = true
	}
	return func(s string) bool { return set[s] }
}

// Validations are the names of all validations.
var Validations = []string{schemas.ValidEnum, schemas.ValidFormat, schemas.ValidLength, schemas.ValidRange, schemas.ValidRequired}

func bounds(v *schemas.Validation, least float64) (what, mend string) {
	bad := func(f *float64) bool {
		return f != nil && (math.IsNaN(*f) || math.IsInf(*f, 0) || least >= 0 && *f < least)
	}
	switch {
	case v.Min == nil && v.Max == nil:
		return v.Type + " has no bound", "min: or max:, or both"
	case bad(v.Min), bad(v.Max):
		return v.Type + " has a bound that can't be one", "a number, of a length at least 0"
	case v.Min != nil && v.Max != nil && *v.Min > *v.Max:
		return v.Type + " has a min that is greater than its max", "exchange them"
	}
	return "", ""
}

// rat is a bound as a fraction; bounds has let finite ones through only.
func rat(f float64) *big.Rat { return new(big.Rat).SetFloat64(f) }

// numeric reads a plain number. "1e999999999" would fill the memory.
func numeric(s string) (*big.Rat, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 100 || !decimal(strings.TrimPrefix(s, "-")) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// plainNumber is a number without the blanks and noughts that people put before it: it is
// to be one in JSON, too.
func plainNumber(s string) string {
	s, minus := strings.CutPrefix(strings.TrimSpace(s), "-")
	if s = strings.TrimLeft(s, "0"); s == "" || s[0] < '0' || s[0] > '9' {
		s = "0" + s
	}
	if minus {
		return "-" + s
	}
	return s
}

// patterns keeps compiled patterns: many tenants have the same, and each takes some
// kilobytes. It is replaced whole, never changed, so that all partitions may read it at
// once; what it lacks is compiled anew, which costs time only.
type patterns struct {
	m atomic.Pointer[map[string]func(string) bool]
}

const mostPatterns = 512

func (p *patterns) get(text string) (match func(string) bool, wrong string) {
	var known map[string]func(string) bool
	if m := p.m.Load(); m != nil {
		known = *m
	}
	if match, ok := known[text]; ok {
		return match, ""
	}
	if match, wrong = pattern(text); wrong == "" && len(known) < mostPatterns {
		next := make(map[string]func(string) bool, len(known)+1)
		maps.Copy(next, known)
		next[text] = match
		p.m.Store(&next)
	}
	return match, wrong
}

// pattern returns what tells whether a value matches. The two defaults are told
// without a regular expression: they are looked at for most records.
func pattern(p string) (match func(string) bool, wrong string) {
	switch p {
	case PhonePattern:
		return isE164, ""
	case EmailPattern:
		return isEmail, ""
	case "":
		return nil, "format has no pattern"
	}
	if len(p) > maxPattern {
		return nil, "the pattern is longer than " + strconv.Itoa(maxPattern) + " bytes"
	}
	re, err := regexp.Compile(p)
	if err != nil {
		return nil, "the pattern can't be read: " + strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	}
	return re.MatchString, ""
}

func isE164(v string) bool {
	return len(v) >= 3 && len(v) <= 16 && v[0] == '+' && v[1] >= '1' && v[1] <= '9' && digits(v[2:])
}

func isEmail(v string) bool {
	local, domain, ok := strings.Cut(v, "@")
	return ok && local != "" && !strings.ContainsAny(v, " \t\n\f\r") && !strings.Contains(domain, "@") &&
		len(domain) >= 3 && strings.Contains(domain[1:len(domain)-1], ".")
}
