package pipetest

import (
	"fmt"
	"strings"
	"testing"
)

// More than one tick's worth: 450 people from before the rule are found by name, and 250
// calls go with the person who became part of another (B2, B7, B19).
func TestManyPeopleAndCalls(t *testing.T) {
	var b strings.Builder
	b.WriteString("mapping company sf/Lead/Company\ntenant acme sf counters\n")
	for i := range 450 {
		fmt.Fprintf(&b, "09:00:00 crm sf Lead L%d FirstName=Ann%c LastName=Lee%c%c Company=\"Bakery %d\" Phone=+1415555%04d at=08:00:00\n", i, 'a'+i%26, 'a'+i/26, 'a'+i%26, i, i)
	}
	b.WriteString("mapping company sf/Lead/Company\ntenant acme sf counters dedupe=fuzzy_name_company\n")
	b.WriteString("09:00:10 contact d1 first_name=Annoo last_name=Leeqo company=\"Bakery 430\" phone=+12125550100\n")
	for i := range 250 {
		fmt.Fprintf(&b, "09:00:11 call c%d to=+12125550100 seconds=10\n", i)
	}
	b.WriteString("09:00:20 action confirm_match id=a1 conflict=same:p451:p431\n09:00:40 wait\n----\n")
	out, err := Run(b.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"sync.conflicts acme/same:p451:p431 open same_person", "sync.contacts acme/p451 merged into p431"} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing says %q", want)
		}
	}
	last := ""
	for line := range strings.Lines(out) {
		if i := strings.Index(line, "sync.contacts acme/p431 "); i >= 0 {
			last = line[i:]
		}
	}
	if !strings.Contains(last, "call_count=250") || !strings.Contains(last, "contact=d1") {
		t.Errorf("the person is %s", last)
	}
}
