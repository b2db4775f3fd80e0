package explain_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmstream/crmstream/cmd/crmstream/explain"
	"github.com/crmstream/crmstream/pipeline/pipetest"
	"github.com/crmstream/crmstream/pipeline/task"
)

// Somebody who left the tenant's scope: why his CRM record has not what the dialer says, and why his call waits.
func TestWhyNothingIsWrittenToWhoIsOutOfScope(t *testing.T) {
	m, err := pipetest.After(`# A lead is closed, and leaves the scope.
scope sf/Lead Status=in:New
tenant acme sf
09:00:00 crm sf Lead L1 FirstName=Ann Status=New Phone=+14155550101 at=08:00:00
09:00:01 contact d1 link=sf/Lead/L1
09:00:02 crm sf Lead L1 FirstName=Ann Status=Closed Phone=+14155550101 at=09:00:02
09:00:03 contact d1 first_name=Anna at=09:00:03
09:00:04 call c1 to=+14155550101 seconds=30
----
`)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, what := range []string{"d1", "c1"} {
		e, err := m.Task().(task.Explainer).Explain(m.Store(), 0, m.Now, "acme", what)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (&explain.Answer{Explanation: e}).Print(&out, ""); err != nil {
			t.Fatal(err)
		}
	}
	want := `person p1, out_of_scope, the dialer's contact d1
first_name  Anna
  from   dialer, 2026-03-15 09:00:03 UTC  (dialer.contacts-0@4)
  to     sf Lead L1 FirstName: not written (out of scope), it holds Ann
phone       +14155550101
  from   sf, 2026-03-15 08:00:00 UTC  (crm.changes-0@1)
  in     sf Lead L1 Phone
record sf Lead L1, out of the scope: nothing is written to it until it is in it again
by configuration version 1 of acme
call c1 of 2026-03-15 08:59:04 UTC: held, the person's record is out of the tenant's scope
  from   dialer.calls-0@5, revision 1
  waits for a person with the number +14155550101
  given up 2026-04-14 09:00:04 UTC
by configuration version 1 of acme
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("(- want, + got):\n%s", d)
	}
}
