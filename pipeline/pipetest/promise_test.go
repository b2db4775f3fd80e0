package pipetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// P7: what the dialer says again, in its own spelling, is no news to anybody.
func TestWhatTheDialerRepeatsIsNoNews(t *testing.T) {
	comesOut(t, `tenant acme sf
09:00:00 crm sf Lead L1 FirstName=Ann Phone=+14155550100 at=08:00:00
09:00:01 contact d1 link=sf/Lead/L1 first_name=Anna phone="(415) 555-0100"
09:00:02 result 1
----
watch acme/sf version=1 epoch=0 cursor=
sync.contacts acme/p1 first_name=Ann phone=+14155550100 sf/Lead/L1
sync.changes acme/p1 first_name: Ann → Anna (last_write_wins)
sync.contacts acme/p1 first_name=Anna phone=+14155550100 contact=d1 sf/Lead/L1
attempt 1: update sf Lead L1 FirstName=Anna
sync.health acme/sf well synced=1 errors=0% of 24h

09:00:03 contact d1 first_name=Anna phone="415.555.0100"
09:00:04 contact d1 first_name=Anna phone=+14155550100
----
`)
}

// P7: what the CRM has taken is known to be there, also before it comes back: another
// change does not write it again.
func TestWhatWasWrittenIsNotWrittenAgain(t *testing.T) {
	comesOut(t, `tenant acme sf
09:00:00 crm sf Lead L1 FirstName=Ann LastName=Lee at=08:00:00
09:00:01 contact d1 link=sf/Lead/L1 first_name=Anna
09:00:02 result 1
----
watch acme/sf version=1 epoch=0 cursor=
sync.contacts acme/p1 first_name=Ann last_name=Lee sf/Lead/L1
sync.changes acme/p1 first_name: Ann → Anna (last_write_wins)
sync.contacts acme/p1 first_name=Anna last_name=Lee contact=d1 sf/Lead/L1
attempt 1: update sf Lead L1 FirstName=Anna
sync.health acme/sf well synced=1 errors=0% of 24h

09:00:03 contact d1 last_name=Roe
----
sync.changes acme/p1 last_name: Lee → Roe (last_write_wins)
sync.contacts acme/p1 first_name=Anna last_name=Roe contact=d1 sf/Lead/L1
attempt 2: update sf Lead L1 LastName=Roe
`)
}

func comesOut(t *testing.T, want string) {
	t.Helper()
	got, err := Run(want)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(- in the script, + came out):\n%s", d)
	}
}
