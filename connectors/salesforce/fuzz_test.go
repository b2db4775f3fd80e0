package salesforce

import (
	"encoding/json"
	"testing"
)

// Whatever is pushed, its place is known or the session begins anew, and no record id
// is one that a query could not name.
func FuzzEvent(f *testing.F) {
	for _, s := range []string{`{}`, `{"event":{"replayId":7},"payload":{"ChangeEventHeader":{"entityName":"Lead","recordIds":["00Q000000000001","00Q*","'"],"changeType":"UPDATE"},"Title":{"x":1},"Name":7}}`,
		`{"event":{"replayId":"AAA="},"payload":[]}`, `{"event":{"replayId":null},"payload":{}}`} {
		f.Add(s)
	}
	c := script(f).Conn.(*conn)
	f.Fuzz(func(t *testing.T, data string) {
		replay, ch, err := c.event(json.RawMessage(data))
		if replay == "" && (err == nil || ch != nil) {
			t.Errorf("no place and no error: %+v", ch)
		}
		if ch == nil {
			return
		}
		for _, id := range ch.Stream.RecordIDs {
			if !recordID.MatchString(id) {
				t.Errorf("record id %q", id)
			}
		}
		if ch.Object != lead && ch.Object != contact {
			t.Errorf("an event of %q", ch.Object)
		}
	})
}

// A cursor that is not ours is refused, and one that is comes back as it was.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "1 1700000000000 00Q000000000001AAA 0", "1 -1 - 5", "2 x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor(s)
		if err != nil || s == "" {
			return
		}
		again, err := parseCursor(c.String())
		if err != nil || again != c {
			t.Errorf("%q: %+v, then %+v, %v", s, c, again, err)
		}
	})
}
