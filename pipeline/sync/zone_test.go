package sync

import (
	"testing"
	"time"
)

// A call at 23:30 in Los Angeles on the 15th is of the 15th, on every host (B15).
func TestZonesAreOfTheRelease(t *testing.T) {
	var z zones
	at := time.Date(2026, 3, 16, 6, 30, 0, 0, time.UTC)
	for range 2 { // the second time from the cache
		if got := at.In(z.get("America/Los_Angeles")).Format("2006-01-02 15:04"); got != "2026-03-15 23:30" {
			t.Errorf("Los Angeles: %s", got)
		}
	}
	for _, name := range []string{"", "Local", "Nowhere/Atall", "../etc/passwd"} {
		if z.get(name) != time.UTC {
			t.Errorf("%q is not UTC", name)
		}
	}
	if a, b := z.get("Europe/Berlin"), z.get("Europe/Berlin"); a != b {
		t.Error("a zone was read twice")
	}
}
