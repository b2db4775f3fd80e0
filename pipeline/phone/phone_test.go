package phone

import (
	"strings"
	"testing"
)

func TestE164(t *testing.T) {
	for raw, want := range map[string]string{
		"(415) 555-1234": "+14155551234", "+1 415 555 1234": "+14155551234", "+44 20 7946 0018": "+442079460018",
		"": "", "n/a": "", "12": "", strings.Repeat("5", 10_000): "",
	} {
		for range 2 { // the second time from the cache
			if got := E164(raw, "US"); got != want {
				t.Errorf("%.20q: %q, want %q", raw, got, want)
			}
		}
	}
}
