package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time      { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

type env struct {
	t   *testing.T
	sim *Server
	srv *httptest.Server
	clk *clock
}

func start(t *testing.T, dir string, change func(*Config)) *env {
	t.Helper()
	e := &env{t: t, clk: &clock{t: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)}}
	cfg := Config{Dir: dir, Now: e.clk.now, SearchLag: -1, Portals: []PortalConfig{{ID: 62515, Tokens: []TokenConfig{{Token: "pat-1", AppID: 9}},
		Owners: []OwnerConfig{{ID: 1, UserID: 77, Email: "ada@example.com"}}, UniqueCallProperty: true}}}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.sim, e.srv = s, httptest.NewServer(s.Handler())
	t.Cleanup(func() { s.Close(); e.srv.Close() })
	return e
}

func (e *env) do(method, path, body string) (int, string, http.Header) {
	e.t.Helper()
	req, _ := http.NewRequest(method, e.srv.URL+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer pat-1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Header
}

func (e *env) want(status int, method, path, body string, parts ...string) string {
	e.t.Helper()
	st, out, _ := e.do(method, path, body)
	if st != status {
		e.t.Errorf("%s %s: %d want %d: %s", method, path, st, status, out)
	}
	for _, p := range parts {
		if !strings.Contains(out, p) {
			e.t.Errorf("%s %s: lacks %s: %s", method, path, p, out)
		}
	}
	return out
}

func id(t *testing.T, s string) string {
	var r struct{ ID string }
	if err := json.Unmarshal([]byte(s), &r); err != nil || r.ID == "" {
		t.Fatal(s)
	}
	return r.ID
}

func TestShapes(t *testing.T) {
	e := start(t, "", nil)
	c := id(t, e.want(201, "POST", "/crm/v3/objects/contacts", `{"properties":{"email":"A@B.com","phone":"+1"}}`, `"email":"a@b.com"`, `"lifecyclestage":"lead"`))
	e.want(409, "POST", "/crm/objects/2026-03/contacts", `{"properties":{"email":"a@b.com"}}`, "Contact already exists. Existing ID: "+c, `"CONFLICT"`)
	e.want(400, "PATCH", "/crm/v3/objects/contacts/"+c, `{"properties":{"zz":"1"}}`, "PROPERTY_DOESNT_EXIST")
	e.want(404, "GET", "/crm/v3/objects/contacts/5", "", "resource not found")
	e.want(200, "GET", "/crm/v3/objects/contacts/a@b.com?idProperty=email&properties=fax,nope", "", `"fax":null`)
	e.want(400, "POST", "/crm/v3/objects/calls", `{"properties":{"hs_call_title":"x"}}`, "Error creating CALL")
	k := id(t, e.want(201, "POST", "/crm/v3/objects/calls", `{"properties":{"hs_timestamp":1700000000000},"associations":[{"to":{"id":"`+c+`"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":194}]}]}`, `"hs_timestamp":"2023-11-14T22:13:20Z"`))
	e.want(200, "GET", "/crm/v4/objects/contacts/"+c+"/associations/calls", "", `"toObjectId":`+k, "193")
	e.want(200, "PUT", "/crm/v4/objects/calls/"+k+"/associations/default/contacts/"+c, "", `"associationTypeId":194`, `"associationTypeId":193`)
	e.want(200, "PUT", "/crm/v3/objects/calls/"+k+"/associations/contacts/"+c+"/194", "")
	e.want(207, "POST", "/crm/v4/associations/contacts/companies/batch/read", `{"inputs":[{"id":"`+c+`"}]}`, "NO_ASSOCIATIONS_FOUND")
	e.want(200, "POST", "/crm/v4/associations/calls/contacts/batch/associate/default", `{"inputs":[{"from":{"id":"`+k+`"},"to":{"id":"`+c+`"}}]}`, "COMPLETE")
	e.want(200, "POST", "/crm/v3/objects/calls/batch/upsert", `{"inputs":[{"id":"d1","idProperty":"dialer_call_id","properties":{"hs_timestamp":"1"}}]}`, `"new":true`)
	e.want(200, "POST", "/crm/v3/objects/calls/batch/upsert", `{"inputs":[{"id":"d1","idProperty":"dialer_call_id","properties":{"hs_timestamp":"1"}}]}`, `"new":false`)
	e.want(400, "POST", "/crm/v3/objects/calls/batch/upsert", `{"inputs":[{"id":"d1","idProperty":"dialer_call_id"},{"id":"d1","idProperty":"dialer_call_id"}]}`, "Duplicate IDs found in batch input: [d1]. IDs must be unique")
	e.want(400, "POST", "/crm/v3/objects/calls/batch/upsert", `{"inputs":[{"id":"d1","properties":{}}]}`, "non-unique 0-48 property hs_object_id")
	e.want(400, "POST", "/crm/v3/objects/calls/batch/upsert", `{"inputs":[{"id":"d1","idProperty":"hs_call_title","properties":{}}]}`, "non-unique 0-48 property hs_call_title")
	e.want(207, "POST", "/crm/v3/objects/contacts/batch/update", `{"inputs":[{"id":"`+c+`","properties":{"city":"x"}},{"id":"9","properties":{"city":"y"}}]}`, `"ids":["9"]`)
	e.want(207, "POST", "/crm/v3/objects/contacts/batch/create", `{"inputs":[{"objectWriteTraceId":"0","properties":{"email":"a@b.com"}},{"objectWriteTraceId":"1","properties":{"email":"n@b.com"}}]}`, `"existingId":["`+c+`"]`, `"objectWriteTraceId":"1"`)
	e.want(207, "POST", "/crm/v3/objects/contacts/batch/read", `{"inputs":[{"id":"`+c+`"},{"id":"9"}]}`, "Could not get some CONTACT objects")
	e.clk.add(time.Second)
	e.want(200, "POST", "/crm/v3/objects/contacts/search", `{"filterGroups":[{"filters":[{"propertyName":"email","operator":"EQ","value":"A@B.COM"}]}],"limit":"200"}`, `"total":1`)
	e.want(400, "POST", "/crm/v3/objects/contacts/search", `{"filterGroups":[{},{},{},{},{},{}]}`, "too many filterGroups (count: 6, max allowed: 5)")
	e.want(200, "POST", "/crm/v3/objects/contacts/search", `{"filterGroups":[{"filters":[{"propertyName":"lastmodifieddate","operator":"GTE","value":"1"},{"propertyName":"phone","operator":"HAS_PROPERTY"}]}],"sorts":[{"propertyName":"hs_object_id","direction":"ASCENDING"}]}`, `"total":1`)
	e.want(201, "POST", "/crm/v3/properties/calls", `{"name":"u2","label":"U","type":"string","fieldType":"text","groupName":"g","hasUniqueValue":true}`, `"hasUniqueValue":true`)
	e.want(409, "POST", "/crm/v3/properties/calls", `{"name":"u2","label":"U","type":"string","fieldType":"text","groupName":"g"}`, "PROPERTY_WITH_NAME_EXISTS")
	e.want(200, "GET", "/crm/v3/properties/calls", "", `"dialer_call_id"`)
	e.want(200, "GET", "/crm/v3/owners/", "", `"userId":77`)
	e.want(200, "GET", "/calling/v1/dispositions", "", "Wrong number")
	e.want(200, "GET", "/account-info/v3/details", "", `"portalId":62515`)
	e.want(204, "DELETE", "/crm/v3/objects/contacts/"+c, "")
	e.want(200, "GET", "/_sim/count?portal=62515&object=calls", "", `"count":2`)
}

func TestLimiter(t *testing.T) {
	e := start(t, "", func(c *Config) { c.Portals[0].RateMax = 5; c.Portals[0].Daily = 8 })
	for i := range 5 {
		_, _, h := e.do("GET", "/crm/v3/owners", "")
		if h.Get("X-HubSpot-RateLimit-Remaining") != fmt.Sprint(4-i) {
			t.Error(i, h)
		}
		e.clk.add(time.Second)
	}
	e.want(429, "GET", "/crm/v3/owners", "", "ten_secondly_rolling", "TEN_SECONDLY_ROLLING")
	e.clk.add(5*time.Second - time.Millisecond)
	e.want(429, "GET", "/crm/v3/owners", "")
	e.clk.add(time.Millisecond)
	e.want(200, "GET", "/crm/v3/owners", "")
	e.want(429, "GET", "/crm/v3/owners", "")
	e.clk.add(10 * time.Second)
	e.want(200, "GET", "/crm/v3/owners", "")
	e.want(200, "GET", "/crm/v3/owners", "")
	e.want(429, "GET", "/crm/v3/owners", "", "DAILY")
}

func TestSearchLag(t *testing.T) {
	e := start(t, "", func(c *Config) { c.SearchLag = 3 * time.Second })
	e.want(201, "POST", "/crm/v3/objects/contacts", `{"properties":{"email":"x@y.com"}}`)
	q := `{"filterGroups":[{"filters":[{"propertyName":"email","operator":"EQ","value":"x@y.com"}]}]}`
	e.want(200, "POST", "/crm/v3/objects/contacts/search", q, `"total":0`)
	e.clk.add(3 * time.Second)
	e.want(200, "POST", "/crm/v3/objects/contacts/search", q, `"total":1`)
}

func TestVectors(t *testing.T) {
	secret := "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
	if g := signV3(secret, "POST", "https://www.example.com/webhook_uri", []byte("{'example_field':'example_value'}"), "1693657560000"); g != "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=" {
		t.Error(g)
	}
	v1 := `[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]`
	if g := signV1(secret, []byte(v1)); g != "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de" {
		t.Error(g)
	}
}

type got struct {
	body []byte
	h    http.Header
}

func target(t *testing.T, statuses ...int) (string, chan got) {
	ch := make(chan got, 100)
	var mu sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		st := 200
		if len(statuses) > 0 {
			st, statuses = statuses[0], statuses[1:]
		}
		mu.Unlock()
		w.WriteHeader(st)
		ch <- got{b, r.Header}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/hook", ch
}

func next(t *testing.T, ch chan got) got {
	t.Helper()
	select {
	case g := <-ch:
		return g
	case <-time.After(5 * time.Second):
		t.Fatal("no delivery")
	}
	return got{}
}

func TestWebhooks(t *testing.T) {
	url, ch := target(t, 500, 200)
	app := &AppConfig{ID: 9, ClientSecret: "s", TargetURL: url, Subscriptions: []string{"contact.creation", "contact.propertyChange:phone", "contact.associationChange", "call.creation"}}
	e := start(t, t.TempDir(), func(c *Config) { c.Portals[0].App = app; c.WebhookRetry = []time.Duration{time.Millisecond} })
	c := id(t, e.want(201, "POST", "/crm/v3/objects/contacts", `{"properties":{"phone":"+1"}}`))
	a, b := next(t, ch), next(t, ch)
	if !bytes.Contains(a.body, []byte(`"attemptNumber":0`)) || !bytes.Contains(b.body, []byte(`"attemptNumber":1`)) || !bytes.Contains(b.body, []byte(`"changeSource":"INTEGRATION"`)) || !bytes.Contains(b.body, []byte(`"sourceId":"9"`)) {
		t.Errorf("%s\n%s", a.body, b.body)
	}
	if a.h.Get("X-HubSpot-Signature") != signV1("s", a.body) {
		t.Error("v1")
	}
	if a.h.Get("X-HubSpot-Signature-v3") != signV3("s", "POST", url, a.body, a.h.Get("X-HubSpot-Request-Timestamp")) {
		t.Error("v3")
	}
	e.want(200, "PATCH", "/crm/v3/objects/contacts/"+c, `{"properties":{"phone":""}}`)
	if g := next(t, ch); !bytes.Contains(g.body, []byte(`"propertyValue":""`)) {
		t.Errorf("cleared value: %s", g.body)
	}
	k := id(t, e.want(201, "POST", "/crm/v3/objects/calls", `{"properties":{"hs_timestamp":"1"}}`))
	if g := next(t, ch); !bytes.Contains(g.body, []byte(`"object.creation"`)) || !bytes.Contains(g.body, []byte(`"0-48"`)) {
		t.Errorf("call: %s", g.body)
	}
	e.want(200, "POST", "/_sim/write", `{"portal":62515,"user":77,"object":"contacts","id":"`+c+`","properties":{"phone":"+2"}}`)
	if g := next(t, ch); !bytes.Contains(g.body, []byte(`"CRM_UI"`)) || !bytes.Contains(g.body, []byte(`userId:77`)) {
		t.Errorf("ui: %s", g.body)
	}
	e.want(200, "PUT", "/crm/v4/objects/calls/"+k+"/associations/default/contacts/"+c, "")
	select {
	case g := <-ch:
		if !bytes.Contains(g.body, []byte("contact.associationChange")) {
			t.Errorf("%s", g.body)
		}
	case <-time.After(500 * time.Millisecond):
		t.Error("no associationChange")
	}
}

func TestPendingSurvives(t *testing.T) {
	dir := t.TempDir()
	app := &AppConfig{ID: 9, ClientSecret: "s", TargetURL: "http://127.0.0.1:1/x", Subscriptions: []string{"contact.creation"}}
	e := start(t, dir, func(c *Config) { c.Portals[0].App = app })
	c := id(t, e.want(201, "POST", "/crm/v3/objects/contacts", `{"properties":{"email":"k@l.com"}}`))
	k := id(t, e.want(201, "POST", "/crm/v3/objects/calls", `{"properties":{"hs_timestamp":"1","dialer_call_id":"D"}}`))
	e.want(200, "PUT", "/crm/v4/objects/calls/"+k+"/associations/default/contacts/"+c, "")
	want := e.want(200, "GET", "/_sim/records?object=calls", "")
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	raw, _ := os.ReadFile(logs[0])
	if bytes.Contains(raw, []byte("pat-1")) {
		t.Error("token in clear")
	}
	dir2 := t.TempDir() // as a kill -9 leaves it, with a torn line
	os.WriteFile(filepath.Join(dir2, filepath.Base(logs[0])), append(raw, `{"tx":{"t":1`...), 0o600)
	url, ch := target(t)
	e2 := start(t, dir2, func(c *Config) { a := *app; a.TargetURL = url; c.Portals[0].App = &a })
	if g := next(t, ch); !bytes.Contains(g.body, []byte(`"objectId":`+c)) {
		t.Errorf("%s", g.body)
	}
	if got := e2.want(200, "GET", "/_sim/records?object=calls", ""); got != want {
		t.Errorf("was %s\nis  %s", want, got)
	}
	e2.want(200, "POST", "/crm/v3/objects/calls/batch/upsert", `{"inputs":[{"id":"D","idProperty":"dialer_call_id","properties":{}}]}`, `"new":false`)
}

func TestFaults(t *testing.T) {
	e := start(t, "", nil)
	e.want(200, "POST", "/_sim/faults", `{"kind":"status","status":503,"path":"/crm/v3/"}`)
	e.want(503, "GET", "/crm/v3/owners", "")
	e.want(200, "POST", "/_sim/faults", `{"kind":"drop_after_apply","path":"/crm/v3/objects/contacts"}`)
	req, _ := http.NewRequest("POST", e.srv.URL+"/crm/v3/objects/contacts", strings.NewReader(`{"properties":{"email":"q@q.com"}}`))
	req.Header.Set("Authorization", "Bearer pat-1")
	if resp, err := http.DefaultClient.Do(req); err == nil {
		t.Error(resp.Status)
	}
	e.want(200, "GET", "/_sim/count?object=contacts", "", `"count":1`)
	e.want(200, "GET", "/_sim/requests", "", "webhooks")
	e.want(200, "GET", "/_sim/portals", "", "62515")
}
