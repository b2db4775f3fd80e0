package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// pushing is a scripted org that speaks Bayeux. Each list is used up, reply by reply;
// beyond its end a request goes well, and a poll rests for a minute.
type pushing struct {
	handshakes, subscribes, connects []string // a status and a body, or a body, or "" for a good answer
	replays                          []string // positions that were asked for
	log                              []string // what was asked, with the time since the start
}

func (p *pushing) serve(began time.Time) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		var in []message
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in) != 1 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m := in[0]
		next := func(list *[]string) string {
			if len(*list) == 0 {
				return ""
			}
			s := (*list)[0]
			*list = (*list)[1:]
			return s
		}
		say := ""
		good := fmt.Sprintf(`{"channel":%q,"id":%q,"clientId":"c1","successful":true}`, m.Channel, m.ID)
		switch m.Channel {
		case "/meta/handshake":
			say = next(&p.handshakes)
		case "/meta/subscribe":
			var ext struct {
				Replay map[string]json.Number `json:"replay"`
			}
			_ = json.Unmarshal(m.Ext, &ext)
			p.replays = append(p.replays, ext.Replay[channel].String())
			say = next(&p.subscribes)
		case "/meta/connect":
			if len(p.connects) == 0 {
				select {
				case <-time.After(time.Minute):
				case <-r.Context().Done():
					return
				}
			}
			say = next(&p.connects)
		}
		if m.Channel != "/meta/disconnect" {
			p.log = append(p.log, fmt.Sprint(strings.TrimPrefix(m.Channel, "/meta/"), " ", time.Since(began).Round(time.Second)))
		}
		if status, body, ok := strings.Cut(say, " "); ok && len(status) == 3 {
			code := 0
			fmt.Sscan(status, &code)
			answerWith(code, body)(w, r)
			return
		}
		if say == "" {
			say = good
		}
		fmt.Fprint(w, "["+say+"]")
	}
}

func pushedEvent(replay int, entity, change, ids, rest string) string {
	return fmt.Sprintf(`{"channel":"/data/ChangeEvents","data":{"schema":"s","event":{"replayId":%d},"payload":{"ChangeEventHeader":{"entityName":%q,"recordIds":[%s],"changeType":%q,"commitTimestamp":1700000000000}%s}}}`,
		replay, entity, ids, change, rest)
}

func failed(channel, why, ext, advice string) string {
	s := fmt.Sprintf(`{"channel":"/meta/%s","id":"1","successful":false,"error":%q`, channel, why)
	if ext != "" {
		s += fmt.Sprintf(`,"ext":{"sfdc":{"failureReason":%q}}`, ext)
	}
	if advice != "" {
		s += `,"advice":` + advice
	}
	return s + "}"
}

const (
	none      = `{"reconnect":"none","interval":0}`
	handshake = `{"reconnect":"handshake","interval":0}`
	lead1     = `"00Q000000000001AAA"`
)

// What the server says of a session is answered as it must be: go on, a new session
// from the last event, a new token, or an end that says why.
func TestBayeuxAnswers(t *testing.T) {
	event := pushedEvent(7, "Lead", "UPDATE", lead1, "")
	for _, c := range []struct {
		name    string
		p       pushing
		cursor  string
		replays string // positions asked for, until the stream rests
		logins  int
		events  int    // before that
		class   string // the stream's end; "" = it goes on
		within  time.Duration
	}{
		{name: "a good one", p: pushing{connects: []string{event}}, cursor: "3", replays: "3", logins: 1, events: 1},
		{name: "the first time: from the tip", p: pushing{connects: []string{event}}, replays: "-1", logins: 1, events: 1},
		{name: "unknown client, with its event", p: pushing{connects: []string{event + "," + failed("connect", "403::Unknown client", "", handshake)}}, cursor: "3", replays: "3 7", logins: 1, events: 1},
		{name: "unknown client after each handshake ends in a pause", p: pushing{connects: strings.Split(strings.Repeat(failed("connect", "403::Unknown client", "", handshake)+"\n", 20), "\n")},
			cursor: "3", replays: "3 3 3 3 3 3 3 3", logins: 1, class: schemas.ErrTransient, within: 3 * time.Minute},
		{name: "token ended at connect", p: pushing{connects: []string{event, failed("connect", "401::Authentication invalid", "", none)}}, cursor: "3", replays: "3 7", logins: 2, events: 1},
		{name: "token ended at the handshake", p: pushing{handshakes: []string{failed("handshake", "403::Handshake denied", "401::Authentication invalid", none)}}, cursor: "3", replays: "3", logins: 2},
		{name: "token ended, by status", p: pushing{handshakes: []string{`401 [{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]`}}, cursor: "3", replays: "3", logins: 2},
		{name: "credential refused", p: pushing{handshakes: []string{"401 ", "401 ", "401 "}}, cursor: "3", logins: 2, class: schemas.ErrAuth, within: 10 * time.Second},
		{name: "too busy, told by the extension alone", p: pushing{connects: []string{failed("connect", "401::Authentication invalid", "503::Server is too busy.  Please try your request again later.", none)}}, cursor: "3", replays: "3 3", logins: 1},
		{name: "too busy, by status", p: pushing{connects: []string{"503 <html>"}}, cursor: "3", replays: "3 3", logins: 1},
		{name: "too many clients", p: pushing{handshakes: []string{failed("handshake", "403::Handshake denied", "403::To protect all customers from excessive use and Denial of Service attacks, we limit x", none)}}, cursor: "3", replays: "3", logins: 1},
		{name: "too many events a day", p: pushing{subscribes: []string{failed("subscribe", "403::Organization total events daily limit exceeded", "", "")}}, cursor: "3", replays: "3 3", logins: 1},
		{name: "no right to the channel", p: pushing{subscribes: []string{failed("subscribe", "403::User not allowed to subscribe CDC without required permissions", "", "")}}, cursor: "3", replays: "3", logins: 1, class: schemas.ErrForbidden, within: time.Second},
		{name: "forbidden, by status", p: pushing{handshakes: []string{`403 [{"errorCode":"API_DISABLED_FOR_ORG","message":"x"}]`}}, cursor: "3", logins: 1, class: schemas.ErrForbidden, within: time.Second},
		{name: "no such channel", p: pushing{subscribes: []string{failed("subscribe", "400::The channel you requested to subscribe to doesn't exist {/data/ChangeEvents}", "", "")}}, cursor: "3", replays: "3", logins: 1, class: schemas.ErrForbidden, within: time.Second},
		{name: "cookie lost", p: pushing{subscribes: []string{failed("subscribe", "400::Client c1 has established a session, but no BAYEUX_BROWSER cookie present", "", "")}}, cursor: "3", replays: "3 3", logins: 1},
		{name: "position too old", p: pushing{subscribes: []string{failed("subscribe", "400::The replayId {3} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.", "", "")}, connects: []string{event}}, cursor: "3", replays: "3 -1", logins: 1, events: 2},
		{name: "a position of another transport", p: pushing{connects: []string{event}}, cursor: "AAAAAAAAB8s=", replays: "-1", logins: 1, events: 2},
		{name: "advice: handshake", p: pushing{connects: []string{`{"channel":"/meta/connect","id":"1","successful":true,"advice":` + handshake + `}`}}, cursor: "3", replays: "3 3", logins: 1},
		{name: "advice: none", p: pushing{connects: []string{`{"channel":"/meta/connect","id":"1","successful":true,"advice":` + none + `}`}}, cursor: "3", replays: "3 3", logins: 1},
		{name: "advice: retry after a while", p: pushing{connects: []string{`{"channel":"/meta/connect","id":"1","successful":true,"advice":{"reconnect":"retry","interval":5000,"timeout":110000}}`, event}}, cursor: "3", replays: "3", logins: 1, events: 1},
		{name: "no Bayeux at all", p: pushing{connects: []string{`200 {}`}}, cursor: "3", replays: "3 3", logins: 1},
		{name: "an empty answer", p: pushing{connects: []string{`200 []`}}, cursor: "3", replays: "3 3", logins: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := script(t)
				p := c.p
				s.data = p.serve(began)
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
				defer cancel()
				var got []schemas.StreamEvent
				err := s.Conn.(connectors.Streamer).Stream(ctx, 5, c.cursor, func(_ context.Context, ch *schemas.CRMChange) error {
					got = append(got, *ch.Stream)
					return nil
				})
				if gone := time.Since(began); c.class == "" {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("ended with %v", err)
					}
				} else if rest.ClassOf(err) != c.class || errors.Is(err, context.DeadlineExceeded) || gone > c.within {
					t.Errorf("ended with %v after %v", err, gone)
				}
				if r := strings.Join(p.replays, " "); r != c.replays || len(got) != c.events || s.count["/services/oauth2/token"] != c.logins {
					t.Errorf("asked for %q, want %q; %d events, %d logins; %v", r, c.replays, len(got), s.count["/services/oauth2/token"], p.log)
				}
				if c.events == 2 && (!got[0].Reset || got[0].Epoch != 6 || got[1].Epoch != 6 || got[1].From != "" || got[1].To != "7") {
					t.Errorf("a new epoch: %+v", got)
				}
				if c.events == 1 && (got[0].Reset || got[0].Epoch != 5 || got[0].From != c.cursor || got[0].To != "7") {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}

// Gaps name records and no values; what can't be taken at its word gives no field and
// no record id, and still moves the cursor.
func TestEventsWithoutValues(t *testing.T) {
	s := script(t)
	c := s.Conn.(*conn)
	const a, b = "00Q000000000001AAA", "00Q000000000002AAA"
	for _, e := range []struct {
		change, ids, rest string
		want              []string
		fields            string
	}{
		{"GAP_UPDATE", `"` + a + `","` + b + `"`, `,"Title":"x"`, []string{a, b}, ""},
		{"GAP_CREATE", `"` + a + `"`, "", []string{a}, ""},
		{"GAP_DELETE", `"` + a + `"`, "", []string{a}, ""},
		{"GAP_OVERFLOW", ``, "", nil, ""},
		{"GAP_OVERFLOW", `"00Q*"`, "", nil, ""},
		{"UPDATE", `"00Q*"`, `,"Title":"x"`, nil, "Title=x"},
		{"DELETE", `"` + a + `"`, `,"Title":"x"`, []string{a}, ""},
		{"UPDATE", `"00Q000000000003"`, `,"Title":"x","Name":{"FirstName":"F"},"LastModifiedDate":"2024-04-09T20:26:27.000Z"`, []string{"00Q000000000003EAA"}, "FirstName=F Title=x"},
		{"UPDATE", `"` + a + `"`, `,"Title":null,"DoNotCall":true,"Name":{"LastName":""}`, []string{a}, "DoNotCall=true LastName Title"},
	} {
		m := struct{ Data json.RawMessage }{}
		if err := json.Unmarshal([]byte(pushedEvent(9007199254740993, "Lead", e.change, e.ids, e.rest)), &m); err != nil {
			t.Fatal(err)
		}
		replay, ch, err := c.event(m.Data)
		if err != nil || replay != "9007199254740993" || ch == nil {
			t.Fatalf("%s: %s, %v, %v", e.change, replay, ch, err)
		}
		var fields []string
		for _, f := range ch.Stream.Fields {
			if f.Value == nil {
				fields = append(fields, f.Name)
			} else {
				fields = append(fields, f.Name+"="+*f.Value)
			}
		}
		if !reflect.DeepEqual(ch.Stream.RecordIDs, e.want) || strings.Join(fields, " ") != e.fields || ch.Stream.ChangeType != e.change {
			t.Errorf("%s of %s: %+v", e.change, e.ids, ch.Stream)
		}
	}
}

// A cleared field is named as changed and left out, or named among the cleared; a
// difference of a long text is no value.
func TestChangedFields(t *testing.T) {
	for _, c := range []struct{ header, body, want string }{
		{`"changeType":"UPDATE","changedFields":["Title","LastModifiedDate"]`, ``, "Title"},
		{`"changeType":"UPDATE","changedFields":["Name.FirstName"]`, `,"Name":{}`, "FirstName"},
		{`"changeType":"UPDATE","changedFields":["Name"]`, `,"Name":{"LastName":"L"}`, "FirstName LastName=L"},
		{`"changeType":"UPDATE","nulledFields":["Email"]`, ``, "Email"},
		{`"changeType":"UPDATE","changedFields":["Title"],"diffFields":["Title"]`, `,"Title":"--- a\n+++ b"`, ""},
		{`"changeType":"CREATE","changedFields":[]`, `,"Title":"x","Email":null`, "Title=x"},
	} {
		var h header
		if err := json.Unmarshal([]byte(`{"entityName":"Lead",`+c.header+`}`), &h); err != nil {
			t.Fatal(err)
		}
		var body row
		if err := json.Unmarshal([]byte(`{"x":1`+c.body+`}`), &body); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range (&conn{Account: new(base.Account)}).changed(h, body) {
			if f.Value == nil {
				got = append(got, f.Name)
			} else {
				got = append(got, f.Name+"="+*f.Value)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s with %s: %q, want %q", c.header, c.body, got, c.want)
		}
	}
}
