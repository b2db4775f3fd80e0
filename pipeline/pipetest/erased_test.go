package pipetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/crmstream/crmstream/state"
)

// erasedLife is all that a tenant may know of somebody, and that he is erased while some of it
// is under way: a request at the CRM, a change that waits behind it, an open conflict, a
// question who he is, a held call, a meeting.
const erasedLife = `mapping company sf/Lead/Company
tenant acme sf conflict:last_name=manual dedupe=email,phone,fuzzy_name_company
09:00:00 crm sf Lead LB1 FirstName=Bo LastName=Kim Phone=+14155550111 Email=bo@example.com at=08:00:00
09:00:00 crm sf Lead LQ1 FirstName=Xaver LastName=Quillfeather Company=Zymurgia Phone=+14155550133 Email=Quill@example.com at=08:00:00
09:00:01 crm sf Lead LB2 FirstName=Xaver LastName=Quilfeather Company=Zymurgia at=08:00:00
09:00:01 contact dq1 link=sf/Lead/LQ1 mobile_phone=+14155550144
09:00:02 call cq1 to=+14155550133 seconds=60 notes="wants a grimoire"
09:00:03 result 1
09:00:03 result 2 id=TQ1
09:00:04 contact dq1 last_name=Sorcerer
09:00:05 crm sf Lead LQ1 FirstName=Xaver LastName=Wizard at=09:00:05
09:00:07 event meeting_booked id=mq1 call=cq1 meeting_id=mq1 starts_at=12:00:00 title=Seance
09:00:08 contact dq1 first_name=Xavier
09:00:09 contact dq1 first_name=Xaverius
09:00:11 call cq1 rev=2 to=+14155550133 seconds=61 notes="bought a grimoire"
----
`

// erasure is that and what follows, until nothing is on its way any more.
const erasure = `09:00:12 action erase_person id=aq1 record=sf/Lead/LQ1 salt=7d1e
10:30:00 wait
----
`

// B8: of whom was erased nothing is left in state that tells who it was, whatever was under
// way; the other side of it is that others stay.
func TestNothingOfWhoWasErasedIsInState(t *testing.T) {
	said := []string{"quillfeather", "quill@", "4155550133", "4155550144", "sorcerer", "wizard", "xavier", "xaverius", "seance", "grimoire", "lq1", "dq1", "tq1"}
	out, m, err := run(Profiles(), erasedLife)
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"same:p3:p2 open", "value:p2:last_name open", "attempt 4: upsert sf Event", "cq1 rev=2 pending"} {
		if !strings.Contains(out, way) {
			t.Errorf("%q is not under way: the test shows nothing of it\n%s", way, out)
		}
	}
	for _, word := range said {
		if len(kept(t, m, word)) == 0 {
			t.Errorf("%q is not known before the erasure: the test shows nothing of it", word)
		}
	}
	out, m, err = run(Profiles(), strings.TrimSuffix(erasedLife, "----\n")+erasure)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(out, "sync.contacts acme/p2 tombstone\n")
	for _, word := range said {
		for _, at := range kept(t, m, word) {
			t.Errorf("%q is in state: %s", word, at)
		}
		if word != "tq1" && strings.Contains(strings.ToLower(after), word) { // his activity's tombstone names it
			t.Errorf("%q is said after the erasure:\n%s", word, after)
		}
	}
	if len(kept(t, m, "bo@example.com")) == 0 {
		t.Error("somebody else is gone, too")
	}
	if t.Failed() {
		t.Log(out)
	}
}

// kept are the entries of the state that a text, in small letters, stands in.
func kept(t *testing.T, m *Machine, text string) (at []string) {
	t.Helper()
	err := m.Store().Scan(state.Key{}, state.Key{}, func(k state.Key, value []byte) (bool, error) {
		if bytes.Contains(bytes.ToLower(k.Bytes()), []byte(text)) || bytes.Contains(bytes.ToLower(value), []byte(text)) {
			at = append(at, fmt.Sprintf("%q = %q", k.Bytes(), value))
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}
