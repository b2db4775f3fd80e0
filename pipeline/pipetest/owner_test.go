package pipetest

import "testing"

// A CRM has queues that own records, which it never says who they are: a record waits for
// the one that it is in, and for no other that it was in, so that state stays small (B38).
func TestRecordsWaitForOneOwner(t *testing.T) {
	_, m, err := run(Profiles(), `tenant acme sf
09:00:00 crm sf Lead L1 LastName=Lee OwnerId=Q1 at=08:00:00
09:00:00 crm sf Account A1 Name=Initech OwnerId=Q2 at=08:00:00
09:00:01 crm sf Lead L1 LastName=Lee OwnerId=Q3 at=09:00:01
09:00:01 crm sf Account A1 Name=Initech OwnerId=Q4 at=09:00:01
09:00:02 crm sf Lead L2 LastName=Lee OwnerId=Q5 at=09:00:01
09:00:02 crm sf Lead L3 LastName=Roe OwnerId=Q6 at=09:00:01
09:00:02 crm sf Account A2 Name=Initrode OwnerId=Q7 at=09:00:01
09:00:03 crm sf Lead L2 deleted moved=L1
09:00:03 crm sf Lead L3 IsConverted=true ConvertedContactId=C3 OwnerId=Q6 at=09:00:03
09:00:03 crm sf Account A2 deleted at=09:00:03
----
`)
	if err != nil {
		t.Fatal(err)
	}
	for owner, waits := range map[string]int{"q1": 0, "q2": 0, "q3": 1, "q4": 1, "q5": 0, "q6": 0, "q7": 0} {
		if at := kept(t, m, "\x00@"+owner); len(at) != waits {
			t.Errorf("%d records wait for %s, not %d: %q", len(at), owner, waits, at)
		}
	}
}
