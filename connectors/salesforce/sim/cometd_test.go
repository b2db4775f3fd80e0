package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"
)

// stream is a CometD client as a stranger would write it.
type stream struct {
	e    *env
	http *http.Client
	id   string
	auth string
	path string
}

func (e *env) stream() *stream {
	jar, err := cookiejar.New(nil)
	if err != nil {
		e.t.Fatal(err)
	}
	return &stream{e: e, http: &http.Client{Jar: jar}, auth: "Bearer " + e.token, path: "/cometd/59.0"}
}

func (s *stream) post(body string) (int, string) {
	s.e.t.Helper()
	req, err := http.NewRequest("POST", s.e.srv.URL+s.path, strings.NewReader(body))
	if err != nil {
		s.e.t.Fatal(err)
	}
	if s.auth != "" {
		req.Header.Set("Authorization", s.auth)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.e.t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		s.e.t.Fatal(err)
	}
	return resp.StatusCode, string(out)
}

// say sends one message and returns the replies as they came.
func (s *stream) say(msg string) string {
	s.e.t.Helper()
	status, out := s.post("[" + strings.ReplaceAll(msg, "CLIENT", s.id) + "]")
	if status != 200 {
		s.e.t.Fatalf("status %d: %s", status, out)
	}
	return out
}

func (s *stream) handshake() {
	s.e.t.Helper()
	var r []struct{ ClientID string }
	decode(s.e.t, s.say(`{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"],"ext":{"replay":true}}`), &r)
	if s.id = r[0].ClientID; s.id == "" {
		s.e.t.Fatal("handshake without client id")
	}
}

const (
	sayConnect = `{"id":7,"channel":"/meta/connect","clientId":"CLIENT","connectionType":"long-polling"}`
	sayPoll    = `{"channel":"/meta/connect","clientId":"CLIENT","connectionType":"long-polling","advice":{"timeout":0}}`
)

func (s *stream) subscribe(channel string, from int64) string {
	s.e.t.Helper()
	return s.say(fmt.Sprintf(`{"id":"3","channel":"/meta/subscribe","clientId":"CLIENT","subscription":%q,"ext":{"replay":{%q:%d}}}`, channel, channel, from))
}

// join is handshake, first connect and subscribe.
func (e *env) join(channel string, from int64) *stream {
	e.t.Helper()
	s := e.stream()
	s.handshake()
	s.say(sayConnect)
	contains(e.t, s.subscribe(channel, from), `"successful":true`)
	return s
}

type changeEvent struct {
	Channel string
	Data    struct {
		Schema  string
		Payload json.RawMessage
		Event   struct{ ReplayID int64 }
	}
}

type eventHeader struct {
	EntityName, ChangeType, ChangeOrigin, TransactionKey, CommitUser string
	RecordIds, ChangedFields                                         []string
	SequenceNumber, CommitTimestamp, CommitNumber                    int64
}

func (c changeEvent) header(t testing.TB) eventHeader {
	t.Helper()
	var p struct{ ChangeEventHeader eventHeader }
	decode(t, string(c.Data.Payload), &p)
	return p.ChangeEventHeader
}

// events picks the events of a poll.
func events(t testing.TB, body string) []changeEvent {
	t.Helper()
	var all, out []changeEvent
	decode(t, body, &all)
	for _, e := range all {
		if strings.HasPrefix(e.Channel, "/data/") {
			out = append(out, e)
		}
	}
	return out
}

func TestCometFrames(t *testing.T) {
	e := start(t, nil)
	s := e.stream()
	s.auth = "OAuth " + e.token
	out := s.say(`{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"],"ext":{"replay":true}}`)
	var hs []map[string]any
	decode(t, out, &hs)
	s.id, _ = hs[0]["clientId"].(string)
	if _, has := hs[0]["advice"]; has || len(s.id) != 28 {
		t.Errorf("handshake %s", out)
	}
	contains(t, out, `"ext":{"payload.format":true,"replay":true}`)
	s.auth = e.token // bare
	equal(t, s.say(sayConnect), `[{"advice":{"interval":0,"reconnect":"retry","timeout":110000},"channel":"/meta/connect","clientId":"`+s.id+`","id":7,"successful":true}]`)
	equal(t, s.subscribe("/data/LeadChangeEvent", -1), `[{"channel":"/meta/subscribe","clientId":"`+s.id+`","id":"3","subscription":"/data/LeadChangeEvent","successful":true}]`)
	contains(t, s.subscribe("/data/EventChangeEvent", -1), `"error":"400::The channel you requested to subscribe to doesn't exist {/data/EventChangeEvent}"`)
	contains(t, s.subscribe("/data/LeadChangeEvent", 4711), `"error":"400::The replayId {4711} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."`)
	s.path += "/connect"
	equal(t, s.say(sayPoll), `[{"channel":"/meta/connect","clientId":"`+s.id+`","successful":true}]`)
	s.path = "/cometd/59.0"
	contains(t, s.say(`{"channel":"/meta/connect","clientId":"CLIENT","connectionType":"websocket"}`), "400::Invalid connection type {websocket}")
	contains(t, s.say(`{"channel":"/meta/unsubscribe","clientId":"CLIENT","subscription":"/data/LeadChangeEvent"}`), `"successful":true`)
	contains(t, s.say(`{"channel":"/data/LeadChangeEvent","clientId":"CLIENT","data":{}}`), `"successful":false`)
	contains(t, s.say(`{"channel":"/meta/disconnect","clientId":"CLIENT"}`), `"successful":true`)
	equal(t, s.say(sayConnect), `[{"advice":{"interval":0,"reconnect":"handshake"},"channel":"/meta/connect","error":"403::Unknown client","id":7,"successful":false}]`)
	for _, bad := range []string{``, `[]`, `nonsense`, `[1]`, `[{"channel":1}]`} {
		if status, _ := s.post(bad); status != 400 {
			t.Errorf("%q: status %d", bad, status)
		}
	}
	s.path = "/cometd/36.0"
	contains(t, s.say(sayConnect), `"successful":false`)
}

func TestCometAuthentication(t *testing.T) {
	e := start(t, nil)
	s := e.join("/data/ChangeEvents", -1)
	s.auth = ""
	contains(t, s.say(sayConnect), `"advice":{"reconnect":"none"},"channel":"/meta/connect","error":"401::Request requires authentication"`)
	s.auth = "Bearer " + e.token
	e.want(200, "POST", "/_sim/faults", map[string]any{"kind": "expire_sessions"})
	equal(t, s.say(sayConnect), `[{"advice":{"interval":0,"reconnect":"none"},"channel":"/meta/connect","clientId":"`+s.id+`","error":"401::Authentication invalid","id":7,"successful":false}]`)
	equal(t, s.say(`{"channel":"/meta/handshake"}`), `[{"advice":{"reconnect":"none"},"channel":"/meta/handshake","error":"403::Handshake denied","ext":{"sfdc":{"failureReason":"401::Authentication invalid"}},"successful":false}]`)
}

func TestCometCookiesAndExpiry(t *testing.T) {
	e := start(t, nil)
	s := e.join("/data/ChangeEvents", -1)
	with := s.http
	s.http = &http.Client{}
	contains(t, s.say(sayPoll), "has established a session, but no BAYEUX_BROWSER cookie present")
	s.http = with
	e.clock.add(39 * time.Second)
	contains(t, s.say(sayPoll), `"successful":true`)
	e.clock.add(41 * time.Second)
	contains(t, s.say(sayPoll), "403::Unknown client")
}

func TestEventShapes(t *testing.T) {
	e := start(t, nil)
	e.head.Set("Sforce-Call-Options", "client=dialer, defaultNamespace=x")
	s := e.join("/data/ChangeEvents", -1)
	id := e.create("Contact", map[string]any{"FirstName": "Ada", "LastName": "Byron", "MailingCity": "London", "MailingCountry": "UK", "Email": "a@b.c"})
	got := events(t, s.say(sayConnect))
	if len(got) != 1 || got[0].Channel != "/data/ChangeEvents" || len(got[0].Data.Schema) != 22 {
		t.Fatalf("%+v", got)
	}
	h := got[0].header(t)
	if h.EntityName != "Contact" || h.ChangeType != "CREATE" || h.RecordIds[0] != id || len(h.ChangedFields) != 0 || h.SequenceNumber != 1 ||
		h.CommitUser != fixID(testUser) || h.CommitTimestamp != 1773144000000 || h.CommitNumber < 1e18 || len(h.TransactionKey) != 36 {
		t.Errorf("%+v", h)
	}
	equal(t, h.ChangeOrigin, "com/salesforce/api/rest/59.0;client=dialer")
	contains(t, string(got[0].Data.Payload), `"CreatedDate":"2026-03-10T12:00:00.000Z"`)
	contains(t, string(got[0].Data.Payload), `"Name":{"FirstName":"Ada","LastName":"Byron"}`)
	contains(t, string(got[0].Data.Payload), `"MailingAddress":{"City":"London","Country":"UK"}`)
	contains(t, string(got[0].Data.Payload), `"DoNotCall":false`)

	e.clock.add(time.Second)
	e.want(204, "PATCH", v59+"/sobjects/Contact/"+id, map[string]any{"LastName": "King", "MailingCity": nil, "Email": "a@b.c"})
	got = events(t, s.say(sayConnect))
	payload := string(got[0].Data.Payload)
	_, body, _ := strings.Cut(payload, `"ChangeEventHeader":`)
	equal(t, body[strings.Index(body, `"changedFields"`):], `"changedFields":["LastModifiedDate","Name.LastName","MailingAddress.City"]},"LastModifiedDate":"2026-03-10T12:00:01.000Z","Name":{"LastName":"King"}}`)

	// The same change to several records is one event; different ones are two, in sequence.
	recs := []any{}
	for range 3 {
		recs = append(recs, map[string]any{"attributes": map[string]string{"type": "Task"}, "Subject": "same"})
	}
	recs = append(recs, map[string]any{"attributes": map[string]string{"type": "Task"}, "Subject": "other"})
	e.want(200, "POST", v59+"/composite/sobjects", map[string]any{"records": recs})
	got = events(t, s.say(sayConnect))
	if len(got) != 2 || len(got[0].header(t).RecordIds) != 3 || got[1].header(t).SequenceNumber != 2 || got[0].header(t).TransactionKey != got[1].header(t).TransactionKey {
		t.Fatalf("%+v", got)
	}
	e.want(204, "DELETE", v59+"/sobjects/Contact/"+id, nil)
	e.want(200, "POST", "/_sim/write", map[string]any{"object": "Contact", "id": id, "undelete": true})
	got = events(t, s.say(sayConnect))
	if h := got[0].header(t); h.ChangeType != "DELETE" || strings.Contains(string(got[0].Data.Payload), "LastName") {
		t.Errorf("%+v", h)
	}
	if len(got) == 1 { // the second write may have come after the first poll
		got = append(got, events(t, s.say(sayConnect))...)
	}
	equal(t, got[1].header(t).ChangeType+" "+got[1].header(t).ChangeOrigin, "UNDELETE "+uiOrigin)
	contains(t, string(got[1].Data.Payload), `"LastName":"King"`)
}

func TestLongPoll(t *testing.T) {
	e := start(t, nil)
	s := e.join("/data/LeadChangeEvent", -1)
	got := make(chan string, 1)
	go func() {
		_, out := s.post("[" + strings.ReplaceAll(sayConnect, "CLIENT", s.id) + "]")
		got <- out
	}()
	o := e.sim.orgs[fixID(testOrg)]
	waitFor(t, func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.clients[s.id].polls == 1 })
	e.create("Account", map[string]any{"Name": "not on this channel"}) // the held poll holds nobody up
	e.create("Lead", map[string]any{"LastName": "a", "Company": "b"})
	if ev := events(t, <-got); len(ev) != 1 || ev[0].header(t).EntityName != "Lead" {
		t.Errorf("%+v", ev)
	}
	go func() {
		_, out := s.post("[" + strings.ReplaceAll(sayConnect, "CLIENT", s.id) + "]")
		got <- out
	}()
	waitFor(t, func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.clients[s.id].polls == 1 })
	if err := e.sim.Close(); err != nil {
		t.Fatal(err)
	}
	contains(t, <-got, `"successful":true`)
}

func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("condition not met in 5 s")
		}
		<-tick.C
	}
}

func TestReplayOverReconnectAndRestart(t *testing.T) {
	dir := t.TempDir()
	e := start(t, func(c *Config) { c.Dir = dir })
	s := e.join("/data/LeadChangeEvent", -2)
	for range 4 {
		e.create("Lead", map[string]any{"LastName": "a", "Company": "b"})
		e.create("Account", map[string]any{"Name": "between"})
	}
	first := events(t, s.say(sayConnect))
	if len(first) != 4 {
		t.Fatalf("%d events", len(first))
	}
	again := func(e *env) {
		t.Helper()
		for i, from := range first {
			got := events(t, e.join("/data/LeadChangeEvent", from.Data.Event.ReplayID).say(sayPoll))
			if len(got) != len(first)-i-1 {
				t.Fatalf("after event %d: %d events", i, len(got))
			}
			for j, g := range got {
				if want := first[i+1+j]; g.Data.Event != want.Data.Event || !bytes.Equal(g.Data.Payload, want.Data.Payload) {
					t.Errorf("replayed %s\nwas      %s", g.Data.Payload, want.Data.Payload)
				}
			}
		}
		if got := events(t, e.join("/data/ChangeEvents", -2).say(sayPoll)); len(got) != 8 {
			t.Errorf("%d events in all", len(got))
		}
	}
	again(e)
	clock := e.clock
	e.stop()
	e = start(t, func(c *Config) { c.Dir, c.Now = dir, clock.now })
	e.clock = clock
	again(e)
	contains(t, s2(e, s).say(sayConnect), "403::Unknown client") // clients do not survive

	clock.add(73 * time.Hour)
	e.token = e.login()
	fresh := e.join("/data/ChangeEvents", -2)
	if got := events(t, fresh.say(sayPoll)); len(got) != 0 {
		t.Errorf("%d events after the retention", len(got))
	}
	contains(t, fresh.subscribe("/data/ChangeEvents", first[3].Data.Event.ReplayID), "400::The replayId {")
	e.create("Lead", map[string]any{"LastName": "a", "Company": "b"})
	if got := events(t, fresh.say(sayPoll)); len(got) != 1 || got[0].Data.Event.ReplayID <= first[3].Data.Event.ReplayID {
		t.Errorf("%+v", got)
	}
}

// s2 is a client that goes on with the id of another one's session.
func s2(e *env, old *stream) *stream {
	s := e.stream()
	s.http, s.id = old.http, old.id
	return s
}

func FuzzBayeux(f *testing.F) {
	f.Add([]byte(`[{"id":"1","channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"],"ext":{"replay":true}}]`))
	f.Add([]byte(`{"channel":"/meta/subscribe","clientId":"x","subscription":["/data/LeadChangeEvent"],"ext":{"replay":{"/data/LeadChangeEvent":-2}}}`))
	f.Add([]byte(`[{"channel":"/meta/connect","advice":{"timeout":0},"id":{"a":1}},{"channel":"/meta/disconnect"}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		msgs, err := parseBayeux(body)
		if err != nil {
			return
		}
		for i := range msgs {
			m := &msgs[i]
			for _, ch := range m.channels() {
				m.replayFrom(ch)
			}
			if _, err := json.Marshal(m.unauthenticated()); err != nil {
				t.Errorf("reply does not encode: %v", err)
			}
		}
	})
}
