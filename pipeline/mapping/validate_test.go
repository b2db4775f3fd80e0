package mapping

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/schemas"
)

func TestValidations(t *testing.T) {
	f := func(x float64) *float64 { return &x }
	for _, tt := range []struct {
		name string
		v    schemas.Validation
		good []string
		bad  []string
	}{
		{"phone", schemas.Validation{Type: "format", Pattern: PhonePattern}, []string{"+14155551234", "+12"}, []string{"14155551234", "+04155551234", "+1 415", "+1234567890123456", "+"}},
		{"email", schemas.Validation{Type: "format", Pattern: EmailPattern}, []string{"ann@example.com", "a@b.c", "a@b..c"}, []string{"ann@example", "ann example.com", "a b@example.com", "@example.com", "a@.c", "a@b.", "a@@b.c"}},
		{"status", schemas.Validation{Type: "enum", Values: []string{"New", "Working", "Qualified", "Unqualified"}}, []string{"New", "Unqualified"}, []string{"new", "Closed", ""}},
		{"required", schemas.Validation{Type: "required"}, []string{"x"}, []string{"", "  "}},
		{"length", schemas.Validation{Type: "length", Min: f(2), Max: f(3)}, []string{"ab", "äöü"}, []string{"a", "abcd"}},
		{"range", schemas.Validation{Type: "range", Min: f(0), Max: f(100)}, []string{"0", "87", "99.9", "100"}, []string{"-1", "100.01", "many", ""}},
		{"open range", schemas.Validation{Type: "range", Min: f(1)}, []string{"1", "1e20"}, []string{"0.5"}},
		{"a form of one's own", schemas.Validation{Type: "format", Pattern: "^[A-Z]{2}$"}, []string{"CA"}, []string{"ca", "CAL"}},
	} {
		c, what, _ := newCheck(&tt.v, new(patterns))
		if what != "" {
			t.Errorf("%s: %s", tt.name, what)
			continue
		}
		for _, v := range tt.good {
			if !c.ok(v) {
				t.Errorf("%s refuses %q", tt.name, v)
			}
		}
		for _, v := range tt.bad {
			if c.ok(v) {
				t.Errorf("%s takes %q", tt.name, v)
			}
		}
	}
}

func TestValidationsThatCantBe(t *testing.T) {
	f := func(x float64) *float64 { return &x }
	for name, v := range map[string]schemas.Validation{
		"unknown": {Type: "formt"}, "no pattern": {Type: "format"}, "look-ahead": {Type: "format", Pattern: "(?=a)"}, "a long one": {Type: "format", Pattern: strings.Repeat("a", 1001)},
		"no values": {Type: "enum"}, "no bound": {Type: "range"}, "exchanged": {Type: "range", Min: f(2), Max: f(1)}, "infinite": {Type: "range", Max: f(math.Inf(1))},
		"no number": {Type: "length", Min: f(math.NaN())}, "less than nothing": {Type: "length", Min: f(-1)}, "too much": {Type: "format", Pattern: "(a{1000}){1000}"},
	} {
		if _, what, mend := newCheck(&v, new(patterns)); what == "" || mend == "" {
			t.Errorf("%s: %q → %q", name, what, mend)
		}
	}
}

// The two patterns that are told without a regular expression are told as one would.
func TestOwnMatchersAgree(t *testing.T) {
	phone, email := regexp.MustCompile(PhonePattern), regexp.MustCompile(EmailPattern)
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.StringOfN(rapid.RuneFrom([]rune("+0159@.a ä\t\n")), 0, 20, -1).Draw(t, "v")
		if isE164(v) != phone.MatchString(v) {
			t.Fatalf("phone %q: %v", v, isE164(v))
		}
		if isEmail(v) != email.MatchString(v) {
			t.Fatalf("email %q: %v", v, isEmail(v))
		}
	})
}
