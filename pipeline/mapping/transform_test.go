package mapping

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

func losAngeles(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// Each transform on the examples that its table gives, and on what is nearest to them.
// refused stands for an *Invalid.
func TestTransforms(t *testing.T) {
	const refused = "\x00"
	us := &Env{Country: "US", Currency: "USD", Zone: losAngeles(t)}
	british := &Env{Country: "GB", Currency: "GBP", Locale: "en-GB", Zone: time.UTC}
	american := &Env{Country: "US", Currency: "USD", Locale: "en-US", Zone: losAngeles(t)}
	german := &Env{Country: "DE", Currency: "EUR", Locale: "de-DE", Zone: time.UTC}
	japanese := &Env{Country: "JP", Currency: "JPY", Locale: "ja-JP", Zone: time.UTC}
	status := picklist{pairs: []schemas.PicklistPair{{Dialer: "New", CRM: "OPEN"}, {Dialer: "Working", CRM: "IN_PROGRESS"}, {Dialer: "New", CRM: "NEW"}}}
	for _, tt := range []struct {
		rule     transform
		e        *Env
		in, want string
		back     string // "" = as in; refused = the way back is refused
	}{
		{phoneE164{}, us, "(415) 555-1234", "+14155551234", "+14155551234"},
		{phoneE164{}, us, "+44 20 7946 0958", "+442079460958", "+442079460958"},
		{phoneE164{country: "GB"}, us, "020 7946 0958", "+442079460958", "+442079460958"},
		{phoneE164{}, us, "555", refused, ""},
		{phoneE164{}, us, "call me", refused, ""},
		{phoneE164{}, us, strings.Repeat("4", 10_000), refused, ""},

		{dateISO{}, us, "01/15/2024", "2024-01-15T00:00:00Z", "2024-01-15T00:00:00Z"},
		{dateISO{}, us, "15/01/2024", "2024-01-15T00:00:00Z", "2024-01-15T00:00:00Z"}, // one way only
		{dateISO{}, us, "01/02/2024", refused, ""},                                    // two ways (B26)
		{dateISO{}, us, "02/02/2024", "2024-02-02T00:00:00Z", "2024-02-02T00:00:00Z"}, // both ways are one
		{dateISO{}, american, "01/02/2024", "2024-01-02T00:00:00Z", "2024-01-02T00:00:00Z"},
		{dateISO{}, british, "01/02/2024", "2024-02-01T00:00:00Z", "2024-02-01T00:00:00Z"},
		{dateISO{}, british, "01/15/2024", refused, ""}, // no date of that locale
		{dateISO{dateReader{locale: "en-US"}}, british, "01/15/2024", "2024-01-15T00:00:00Z", "2024-01-15T00:00:00Z"},
		{dateISO{}, german, "15.01.2024", "2024-01-15T00:00:00Z", "2024-01-15T00:00:00Z"},
		{dateISO{dateReader{format: "DD.MM.YYYY"}}, us, "01.02.2024", "2024-02-01T00:00:00Z", "01.02.2024"},
		{dateISO{dateReader{format: "epoch_ms"}}, us, "1705276800000", "2024-01-15T00:00:00Z", "1705276800000"},
		{dateISO{}, us, "2024-01-15", "2024-01-15T00:00:00Z", "2024-01-15T00:00:00Z"},
		{dateISO{}, us, "2024-01-15T10:30:00.000+0000", "2024-01-15T10:30:00Z", "2024-01-15T10:30:00Z"},
		{dateISO{}, us, "2024-01-15T10:30:00+02:00", "2024-01-15T08:30:00Z", "2024-01-15T08:30:00Z"},
		{dateISO{}, us, "2024-01-15T10:30:00", "2024-01-15T18:30:00Z", "2024-01-15T18:30:00Z"}, // of the tenant's zone
		{dateISO{}, us, "1/15/2024 3:04 PM", "2024-01-15T23:04:00Z", "2024-01-15T23:04:00Z"},
		{dateISO{}, us, "Jan 15, 2024", "2024-01-15T00:00:00Z", "2024-01-15T00:00:00Z"},
		{dateISO{}, us, "1705276800", refused, ""}, // seconds, or milliseconds
		{dateISO{}, us, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
		{dateISO{}, us, "2100-12-31", "2100-12-31T00:00:00Z", "2100-12-31T00:00:00Z"},
		{dateISO{}, us, "0001-01-01", refused, ""},
		{dateISO{}, us, "02/30/2024", refused, ""},
		{dateISO{}, us, "01/15/24", refused, ""},
		{dateISO{}, us, "tomorrow", refused, ""},

		{dateSFDC{}, us, "2024-01-15", "2024-01-15", "2024-01-15"},
		{dateSFDC{}, us, "01/15/2024", "2024-01-15", "2024-01-15"},
		{dateSFDC{}, us, "2024-01-16T07:30:00Z", "2024-01-15", "2024-01-15"}, // 23:30 there (B15)
		{dateSFDC{}, us, "2024-01-15T00:00:00Z", "2024-01-15", "2024-01-15"}, // a day, as date_iso writes one
		{dateSFDC{dateReader{format: "DD/MM/YYYY"}}, us, "15/01/2024", "2024-01-15", "15/01/2024"},
		{dateSFDC{}, us, "2024-13-01", refused, ""},

		{yesNo{}, us, "Y", "true", "Y"},
		{yesNo{}, us, "no", "false", "N"},
		{yesNo{}, us, "maybe", refused, ""},
		{yesNo{}, us, "true", "true", "Y"}, // any of the words for it, in the one that is written back
		{yesNo{}, us, "0", "false", "N"},

		{checkbox{}, us, "true", "true", "true"},
		{checkbox{}, us, "FALSE", "false", "false"},
		{checkbox{}, us, "0", "false", "false"},
		{checkbox{}, us, "Yes", "true", "true"},
		{checkbox{}, us, "yesterday", refused, ""},

		{lowercase{}, us, "John@EXAMPLE.com", "john@example.com", "john@example.com"},
		{lowercase{}, us, " Ann@Example.COM ", "ann@example.com", "ann@example.com"},
		{lowercase{}, us, "MAR\u212a@example.com", "mar\u212a@example.com", "mar\u212a@example.com"}, // the kelvin sign is no k
		{lowercase{}, us, "\u0410nn@example.com", "\u0430nn@example.com", "\u0430nn@example.com"},    // a Cyrillic а is no a
		{lowercase{}, us, "ÉMILE@example.com", "émile@example.com", "émile@example.com"},
		{lowercase{}, us, "   ", refused, ""},

		{status, us, "OPEN", "New", "OPEN"},
		{status, us, "open", "New", "OPEN"},
		{status, us, "NEW", "New", "OPEN"}, // the first pair is the way back
		{status, us, "CLOSED", refused, ""},
		{picklist{status.pairs, true}, us, "IN_PROGRESS;OPEN", "New;Working", "IN_PROGRESS;OPEN"},
		{picklist{status.pairs, true}, us, "OPEN;CLOSED", refused, ""},

		{cents{}, us, "49.99", "4999", "49.99"},
		{cents{}, us, "$1,234.50", "123450", "1234.50"},
		{cents{}, us, "49.9", "4990", "49.90"},
		{cents{}, us, "-0.01", "-1", "-0.01"},
		{cents{}, us, "1.0E7", "1000000000", "10000000.00"},
		{cents{}, us, "USD 5", "500", "5.00"},
		{cents{}, us, "49.999", refused, ""},
		{cents{}, us, "EUR 5", refused, ""}, // another currency (B31)
		{cents{}, us, "€5", refused, ""},
		{cents{}, us, "1,234", refused, ""}, // 1234, or 1.234
		{cents{}, american, "1,234", "123400", "1234.00"},
		{cents{}, german, "1.234,50", "123450", "1234.50"},
		{cents{}, german, "12,5", "1250", "12.50"},
		{cents{}, japanese, "4999", "4999", "4999"}, // the yen has no cents (B26)
		{cents{}, japanese, "49.99", refused, ""},
		{cents{currency: "KWD"}, us, "1.234", "1234", "1.234"},
		{cents{}, us, "1e999", refused, ""},
		{cents{}, us, "1e99", refused, ""},
		{cents{}, us, "12.3.4", refused, ""},
		{cents{}, us, strings.Repeat("9", 10_000), refused, ""},
	} {
		name := fmt.Sprintf("%T %.40q", tt.rule, tt.in)
		got, err := tt.rule.forward(tt.e, tt.in)
		var inv *Invalid
		if tt.want == refused {
			if !errors.As(err, &inv) {
				t.Errorf("%s: %q, %v, want it refused", name, got, err)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
			continue
		}
		if back, err := tt.rule.inverse(tt.e, got); err != nil || back != tt.back {
			t.Errorf("%s and back: %q, %v, want %q", name, back, err, tt.back)
		} else if again, err := tt.rule.forward(tt.e, back); err != nil || again != got {
			t.Errorf("%s: there and back and there is %q, %v, want %q", name, again, err, got)
		}
	}
}

// What the dialer may say that no CRM can have said.
func TestInverseRefuses(t *testing.T) {
	e := &Env{Country: "US", Zone: time.UTC}
	for _, tt := range []struct {
		rule transform
		v    string
	}{
		{yesNo{}, "perhaps"}, {checkbox{}, "perhaps"}, {cents{}, "49.99"}, {cents{}, "1e3"}, {dateISO{}, "01/02/2024"},
		{picklist{pairs: []schemas.PicklistPair{{Dialer: "a", CRM: "b"}}}, "b"}, {custom{script: "value"}, "x"},
	} {
		if got, err := tt.rule.inverse(e, tt.v); err == nil {
			t.Errorf("%T %q: %q, want it refused", tt.rule, tt.v, got)
		}
	}
}

// A line knows what its transform is, and what it compares by.
func TestAlike(t *testing.T) {
	text := func(s string) *string { return &s }
	e := &Env{Country: "US", Zone: time.UTC}
	line := func(l Line) *Line {
		if l.Direction == "" {
			l.Direction = profile.Bidirectional
		}
		return &l
	}
	for _, tt := range []struct {
		name string
		l    *Line
		a, b string
		want bool
	}{
		{"a number spelled otherwise", line(Line{Transform: schemas.TransformPhone, rule: phoneE164{}}), "(415) 555-1234", "415.555.1234", true},
		{"another number", line(Line{Transform: schemas.TransformPhone, rule: phoneE164{}}), "(415) 555-1234", "(415) 555-1235", false},
		{"two that are no numbers", line(Line{Transform: schemas.TransformPhone, rule: phoneE164{}}), "none", "None", false},
		{"a date spelled otherwise", line(Line{Transform: schemas.TransformDateISO, rule: dateISO{}}), "01/15/2024", "2024-01-15", true},
		{"another date", line(Line{Transform: schemas.TransformDateISO, rule: dateISO{}}), "01/15/2024", "2024-01-16", false},
		{"a set in another order", line(Line{Kind: KindMulti}), "a;b", "b; a", true},
		{"another set", line(Line{Kind: KindMulti}), "a;b", "a;b;c", false},
		{"plain text in another order", line(Line{Kind: KindText}), "a;b", "b;a", false},
		{"a number with a point", line(Line{Kind: KindNumber}), "5", "5.0", true},
		{"another number of things", line(Line{Kind: KindNumber}), "5", "5.1", false},
		{"a text that looks like a number", line(Line{Kind: KindText}), "5", "5.0", false},
		{"two of one choice", line(Line{Transform: schemas.TransformPicklist, rule: picklist{pairs: []schemas.PicklistPair{{Dialer: "x", CRM: "a"}, {Dialer: "x", CRM: "b"}}}}), "a", "b", true},
		{"an amount spelled otherwise", line(Line{Transform: schemas.TransformCents, rule: cents{}}), "$49.90", "49.9", true},
		{"empty and missing", line(Line{}), "", "", true},
		{"empty and not", line(Line{}), "", "a", false},
	} {
		if got := tt.l.Alike(e, text(tt.a), text(tt.b)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		if tt.l.Alike(e, text(tt.b), text(tt.a)) != tt.want {
			t.Errorf("%s: the other way round it is not so", tt.name)
		}
	}
}

// B28: what was cut for the CRM comes back as what it was.
func TestCutValuesCompareCut(t *testing.T) {
	text := func(s string) *string { return &s }
	e := &Env{Country: "US", Zone: time.UTC}
	l := &Line{Mapping: profile.Mapping{Direction: profile.Bidirectional, MaxLength: 5}}
	out, err := l.Out(e, text("abcdefgh"))
	if err != nil || *out != "abcd…" {
		t.Fatalf("%v, %v", out, err)
	}
	if !l.Echo(e, text("abcdefgh"), out) {
		t.Error("the cut value is news")
	}
	if l.Echo(e, text("abcdefgh"), text("abcde")) {
		t.Error("another value of the same beginning is no news")
	}
	if out, err := l.Out(e, text("ábcdé")); err != nil || *out != "ábcdé" {
		t.Errorf("characters count, not bytes: %v, %v", *out, err)
	}
}

// Control characters are not written, and words that they part stay apart; a value of which
// nothing is left is none, which a field that the CRM needs does not take.
func TestControlCharacters(t *testing.T) {
	e := &Env{}
	for v, want := range map[string]string{"a\x00b": "ab", "a\vb\u0085c": "a b c", "\fa\x1b": "a", "a\nb": "a\nb", "\x00\v": ""} {
		plain, needed := &Line{}, &Line{Required: true}
		if out, err := plain.Out(e, &v); err != nil || empty(out) != (want == "") || out != nil && *out != want {
			t.Errorf("%q: %v, %v", v, out, err)
		}
		if _, err := needed.Out(e, &v); (err == nil) != (want != "") {
			t.Errorf("%q, which the CRM needs: %v", v, err)
		}
	}
}
