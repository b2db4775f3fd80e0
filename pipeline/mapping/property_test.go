package mapping

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/schemas"
)

// inputs draws what a CRM may hold for each transform.
func inputs(name string) *rapid.Generator[string] {
	day := rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMilli(rapid.Int64Range(-2_000_000_000_000, 4_000_000_000_000).Draw(t, "ms")).UTC()
	})
	switch name {
	case schemas.TransformPhone:
		return rapid.Custom(func(t *rapid.T) string {
			n := rapid.IntRange(2_000_000, 9_999_999).Draw(t, "n")
			return fmt.Sprintf(rapid.SampledFrom([]string{"(415) %03d-%04d", "+1 212 %03d %04d", "415.%03d.%04d"}).Draw(t, "form"), n/10_000, n%10_000)
		})
	case schemas.TransformDateISO, schemas.TransformDateSFDC:
		return rapid.Custom(func(t *rapid.T) string {
			return day.Draw(t, "at").Format(rapid.SampledFrom([]string{"01/02/2006", time.DateOnly, time.RFC3339, "2006-01-02T15:04:05.000-0700", "2 January 2006", "1/2/2006 3:04 PM"}).Draw(t, "form"))
		})
	case schemas.TransformYesNo:
		return rapid.SampledFrom([]string{"Y", "N", "yes", "No", "y"})
	case schemas.TransformCheckbox:
		return rapid.SampledFrom([]string{"true", "False", "1", "0"})
	case schemas.TransformPicklist:
		return rapid.SampledFrom([]string{"A", "b", "C"})
	case schemas.TransformCents:
		return rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf(rapid.SampledFrom([]string{"%d.%02d", "$%d.%02d", "USD %d.%02d", "-%d.%02d"}).Draw(t, "form"), rapid.IntRange(0, 1<<40).Draw(t, "whole"), rapid.IntRange(0, 99).Draw(t, "part"))
		})
	}
	return rapid.StringOfN(rapid.Rune(), 1, 30, -1)
}

// There and back means the same, for every transform with an inverse (B26): what the
// dialer had is what it has again, and the CRM's values are alike.
func TestThereAndBack(t *testing.T) {
	e := &Env{Country: "US", Currency: "USD", Locale: "en-US", Zone: losAngeles(t)}
	pairs := []schemas.PicklistPair{{Dialer: "x", CRM: "a"}, {Dialer: "y", CRM: "B"}, {Dialer: "x", CRM: "c"}}
	for name, rule := range map[string]transform{
		schemas.TransformPhone: phoneE164{}, schemas.TransformDateISO: dateISO{}, schemas.TransformDateSFDC: dateSFDC{}, schemas.TransformYesNo: yesNo{},
		schemas.TransformCheckbox: checkbox{}, schemas.TransformLowercase: lowercase{}, schemas.TransformPicklist: picklist{pairs: pairs}, schemas.TransformCents: cents{},
	} {
		t.Run(name, func(t *testing.T) {
			l := &Line{Transform: name, rule: rule}
			rapid.Check(t, func(t *rapid.T) {
				in := inputs(name).Draw(t, "in")
				there, err := rule.forward(e, in)
				if err != nil {
					if name == schemas.TransformLowercase || name == schemas.TransformPhone {
						return // a blank; a number that can't be
					}
					t.Fatalf("%q: %v", in, err)
				}
				back, err := rule.inverse(e, there)
				if err != nil {
					t.Fatalf("%q → %q: no way back: %v", in, there, err)
				}
				again, err := rule.forward(e, back)
				if err != nil || again != there {
					t.Fatalf("%q → %q → %q → %q, %v", in, there, back, again, err)
				}
				if !l.Alike(e, &in, &back) {
					t.Fatalf("%q came back as %q: that would be written", in, back)
				}
			})
		})
	}
}

// Whatever a stranger writes into a field: no panic, no value that is no text, and
// the same answer twice.
func FuzzTransforms(f *testing.F) {
	for _, s := range []string{"(415) 555-1234", "01/15/2024", "1.234,50", "Y", "\xff\xfe", "1e99", "2024-01-15T10:30:00+02:00", ";;a;"} {
		f.Add(s)
	}
	e := &Env{Country: "US", Locale: "de-DE", Zone: time.UTC}
	rules := []transform{phoneE164{}, dateISO{}, dateSFDC{}, yesNo{}, checkbox{}, lowercase{}, cents{}, picklist{pairs: []schemas.PicklistPair{{Dialer: "a", CRM: "b"}}, multi: true}}
	f.Fuzz(func(t *testing.T, v string) {
		for _, r := range rules {
			there, err := r.forward(e, v)
			if again, err2 := r.forward(e, v); again != there || (err == nil) != (err2 == nil) {
				t.Errorf("%T %q: %q and %q", r, v, there, again)
			}
			if err != nil || there == "" {
				continue
			}
			back, err := r.inverse(e, there)
			if err != nil {
				t.Errorf("%T %q → %q has no way back: %v", r, v, there, err)
			} else if again, err := r.forward(e, back); err != nil || again != there {
				t.Errorf("%T %q → %q → %q → %q, %v", r, v, there, back, again, err)
			}
		}
	})
}
