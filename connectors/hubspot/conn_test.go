package hubspot

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/schemas"
)

// reply is what the server answers to a path.
type reply struct {
	status int
	body   string
	header map[string]string
}

type server struct {
	t      testing.TB
	conn   connectors.Conn
	bodies map[string]string // last request's body by path
}

func serve(t testing.TB, replies map[string]reply) *server {
	s := &server{t: t, bodies: make(map[string]string)}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s.bodies[r.URL.Path] = string(b) + r.URL.RawQuery
		if got := r.Header.Get("Authorization"); got != "Bearer pat-secret" {
			t.Errorf("authorization %q", got)
		}
		rep, ok := replies[r.URL.Path]
		if !ok && r.URL.Path == "/account-info/v3/details" {
			rep, ok = reply{status: 200, body: `{"portalId":42}`}, true
		}
		if !ok {
			t.Errorf("unexpected %s %s", r.Method, r.URL.Path)
		}
		for k, v := range map[string]string{"Max": "100", "Interval-Milliseconds": "10000", "Remaining": "98"} {
			w.Header().Set("X-HubSpot-RateLimit-"+k, v)
		}
		for k, v := range rep.header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(rep.status)
		io.WriteString(w, rep.body)
	}))
	t.Cleanup(web.Close)
	c, err := Provider().Open(connectors.Env{HTTP: web.Client(), Servers: map[string]string{"hubspot": web.URL},
		Secret: func(context.Context, string) (string, error) { return "pat-secret\n", nil }}, "acme",
		schemas.Account{Provider: name, ID: "42", AuthFlow: "token", Auth: []schemas.Field{schemas.Text("token", "env:T")}})
	if err != nil {
		t.Fatal(err)
	}
	s.conn = c
	return s
}

func (s *server) do(at *schemas.Attempt, emit connectors.Emit) connectors.Answer {
	return s.conn.Do(s.t.Context(), at, time.Now().Add(10*time.Second), emit)
}

func write(op string, items ...schemas.AttemptItem) *schemas.Attempt {
	return &schemas.Attempt{ID: "0-1", Account: "42", Kind: schemas.KindWrite, Operation: op, Object: calls, Items: items}
}

func upsertItem(id string) schemas.AttemptItem {
	return schemas.AttemptItem{Key: id, IdentityField: "dialer_call_id", Identity: id, Fields: []schemas.Field{schemas.Text("hs_call_title", "x"), {Name: "hs_call_body"}}}
}

func TestUpsertCorrelatesByTrace(t *testing.T) {
	const path = "/crm/v3/objects/calls/batch/upsert"
	s := serve(t, map[string]reply{path: {status: 207, body: `{"status":"COMPLETE","results":[
		{"id":"903","new":false,"properties":{"dialer_call_id":"c"},"objectWriteTraceId":"2"},{"id":"901","new":true,"properties":{"dialer_call_id":"a"}}],
		"numErrors":1,"errors":[{"status":"error","category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"error\":\"INVALID_LONG\",\"name\":\"hs_call_duration\"}]","context":{"objectWriteTraceId":["1"]}}]}`}})
	got := s.do(write(schemas.OpUpsert, upsertItem("a"), upsertItem("b"), upsertItem("c")), nil).Result
	a, b, c := got.Items[0], got.Items[1], got.Items[2]
	if a.ID != "901" || !a.Created || a.Error != "" || a.Linked || a.URL != "https://app.hubspot.com/contacts/42/record/0-48/901" {
		t.Errorf("a: %+v", a)
	}
	if b.Error != schemas.ErrPermanent || b.Outcome != schemas.Sent || len(b.Fields) != 1 || b.Fields[0] != "hs_call_duration" {
		t.Errorf("b: %+v", b)
	}
	if c.ID != "903" || c.Created || c.Outcome != schemas.Sent {
		t.Errorf("c: %+v", c)
	}
	var sent struct{ Inputs []input }
	if err := json.Unmarshal([]byte(s.bodies[path]), &sent); err != nil || len(sent.Inputs) != 3 {
		t.Fatalf("sent %s", s.bodies[path])
	}
	if in := sent.Inputs[1]; in.ID != "b" || in.IDProperty != "dialer_call_id" || in.Trace != "1" || in.Properties["hs_call_title"] != "x" || in.Properties["hs_call_body"] != "" {
		t.Errorf("sent %+v", in)
	}
}

func TestCreateLinksAndRepeatsAdopt(t *testing.T) {
	item := schemas.AttemptItem{Key: "k", Fields: []schemas.Field{schemas.Text(externalID, "call-1")}, Associations: []schemas.Link{{Provider: name, Object: contacts, ID: "5"}}}
	const create, search = "/crm/v3/objects/calls/batch/create", "/crm/v3/objects/calls/search"
	made := reply{status: 201, body: `{"results":[{"id":"77","properties":{"hs_call_external_id":"call-1"}}]}`}
	s := serve(t, map[string]reply{create: made})
	if it := s.do(write(schemas.OpCreate, item), nil).Result.Items[0]; it.ID != "77" || !it.Linked || !it.Created || it.Error != "" {
		t.Errorf("created: %+v", it)
	}
	if !strings.Contains(s.bodies[create], `"associationTypeId":194`) || !strings.Contains(s.bodies[create], `"to":{"id":"5"}`) {
		t.Errorf("sent %s", s.bodies[create])
	}
	again, before := write(schemas.OpCreate, item), "0-0"
	again.RepeatOf = &before
	s = serve(t, map[string]reply{search: {status: 200, body: `{"total":1,"results":[{"id":"76","properties":{}}]}`}})
	if it := s.do(again, nil).Result.Items[0]; it.ID != "76" || it.Linked || it.Created || it.Error != "" || it.Outcome != schemas.Sent {
		t.Errorf("adopted: %+v", it)
	}
	s = serve(t, map[string]reply{search: {status: 200, body: `{"total":0,"results":[]}`}, create: made})
	if it := s.do(again, nil).Result.Items[0]; it.ID != "77" || !it.Created {
		t.Errorf("not found, created: %+v", it)
	}
}

// An activity may be made with its person, the company and the deal; what it can't be
// linked to is refused.
func TestCreateLinksToAll(t *testing.T) {
	const create = "/crm/v3/objects/meetings/batch/create"
	item := schemas.AttemptItem{Key: "k", Fields: []schemas.Field{schemas.Text("hs_meeting_title", "Demo")}, Associations: []schemas.Link{
		{Object: contacts, ID: "5"}, {Object: companies, ID: "6"}, {Object: deals, ID: "7"}}}
	s := serve(t, map[string]reply{create: {status: 201, body: `{"results":[{"id":"77","properties":{}}]}`}})
	at := write(schemas.OpCreate, item)
	at.Object = meetings
	if it := s.do(at, nil).Result.Items[0]; it.ID != "77" || !it.Linked || it.URL != "https://app.hubspot.com/contacts/42/record/0-47/77" {
		t.Errorf("created: %+v", it)
	}
	for _, want := range []string{`"associationTypeId":200`, `"associationTypeId":188`, `"associationTypeId":212`} {
		if !strings.Contains(s.bodies[create], want) {
			t.Errorf("sent %s without %s", s.bodies[create], want)
		}
	}
	at.Items[0].Associations = append(at.Items[0].Associations, schemas.Link{Object: "tickets", ID: "8"})
	if it := s.do(at, nil).Result.Items[0]; it.Error != schemas.ErrPermanent {
		t.Errorf("linked to a ticket: %+v", it)
	}
}

// A meeting that may have been made is looked up by its title and its time.
func TestRepeatedMeetingIsAdopted(t *testing.T) {
	const search = "/crm/v3/objects/meetings/search"
	s := serve(t, map[string]reply{search: {status: 200, body: `{"total":1,"results":[{"id":"76","properties":{}}]}`}})
	before := "0-0"
	at := write(schemas.OpCreate, schemas.AttemptItem{Key: "k", Fields: []schemas.Field{schemas.Text("hs_meeting_title", "Demo"), schemas.Text("hs_timestamp", "2026-01-02T03:04:05.000Z")}})
	at.Object, at.RepeatOf = meetings, &before
	if it := s.do(at, nil).Result.Items[0]; it.ID != "76" || it.Error != "" {
		t.Errorf("adopted: %+v", it)
	}
	for _, want := range []string{`{"propertyName":"hs_meeting_title","operator":"EQ","value":"Demo"}`, `{"propertyName":"hs_timestamp","operator":"EQ","value":"1767323045000"}`} {
		if !strings.Contains(s.bodies[search], want) {
			t.Errorf("searched by %s, without %s", s.bodies[search], want)
		}
	}
}

// Events that are no records are sent with an id of ours; a portal that may not have them
// refuses them alone.
func TestPush(t *testing.T) {
	const custom, line = "/events/v3/send/batch", "/integrators/timeline/v3/events"
	item := func(id string) schemas.AttemptItem {
		return schemas.AttemptItem{Key: id, IdentityField: "uuid", Identity: id, Associations: []schemas.Link{{Object: contacts, ID: "5"}},
			Fields: []schemas.Field{schemas.Text("@at", "2026-01-02T03:04:05.000Z"), schemas.Text("script", "Spring offer")}}
	}
	at := func(object string, items ...schemas.AttemptItem) *schemas.Attempt {
		a := write(schemas.OpUpsert, items...)
		a.Object = object
		return a
	}
	s := serve(t, map[string]reply{custom: {status: 204}, line: {status: 201, body: `{"id":"x"}`}})
	got := s.do(at("custom_event:pe42_voicemail", item("a"), item("b")), nil).Result
	if it := got.Items[0]; it.Error != "" || it.ID != "a" || !it.Linked || got.Items[1].ID != "b" {
		t.Errorf("sent: %+v", got)
	}
	var sent struct{ Inputs []customInput }
	if err := json.Unmarshal([]byte(s.bodies[custom]), &sent); err != nil || len(sent.Inputs) != 2 {
		t.Fatalf("sent %s", s.bodies[custom])
	}
	if in := sent.Inputs[0]; in.EventName != "pe42_voicemail" || in.ObjectID != "5" || in.OccurredAt != "2026-01-02T03:04:05.000Z" || len(in.UUID) != 36 || in.UUID == sent.Inputs[1].UUID ||
		len(in.Properties) != 1 || in.Properties["script"] != "Spring offer" {
		t.Errorf("sent %+v", in)
	}
	if it := s.do(at("timeline:77", item("a")), nil).Result.Items[0]; it.Error != "" || it.ID != "a" {
		t.Errorf("timeline: %+v", it)
	}
	if want := `{"eventTemplateId":"77","id":"a","objectId":"5","timestamp":"2026-01-02T03:04:05.000Z","tokens":{"script":"Spring offer"}}`; s.bodies[line] != want {
		t.Errorf("sent %s", s.bodies[line])
	}
	if it := s.do(at("timeline:77", item("a"), item("b")), nil).Result.Items[0]; it.Error != schemas.ErrDuplicates {
		t.Errorf("two at once: %+v", it)
	}
	s = serve(t, map[string]reply{line: {status: 409, body: `{"message":"exists","category":"CONFLICT"}`}})
	if it := s.do(at("timeline:77", item("a")), nil).Result.Items[0]; it.Error != "" {
		t.Errorf("a repeat: %+v", it)
	}
	for _, status := range []int{403, 404} {
		s = serve(t, map[string]reply{custom: {status: status, body: `{"message":"no"}`}})
		if r := s.do(at("custom_event:pe42_x", item("a")), nil).Result; r.Error != schemas.ErrPermanent || r.Items[0].Error != schemas.ErrPermanent {
			t.Errorf("%d: %+v", status, r)
		}
	}
}

func TestDispositions(t *testing.T) {
	const path = "/calling/v1/dispositions"
	page := func(s *server) (connectors.Answer, []*schemas.CRMChange) {
		var got []*schemas.CRMChange
		return s.do(&schemas.Attempt{ID: "0-1", Account: "42", Kind: schemas.KindPage, Page: &schemas.PageRequest{Source: outcomesOf, Limit: 100}}, func(_ context.Context, c *schemas.CRMChange) error {
			got = append(got, c)
			return nil
		}), got
	}
	s := serve(t, map[string]reply{path: {status: 200, body: `[{"id":"g-1","label":"Demo booked","deleted":false},{"id":"g-2","label":"Old","deleted":true}]`}})
	a, got := page(s)
	if a.Page == nil || !a.Page.Last || len(got) != 2 || got[0].ID != "g-1" || got[0].Reference.Kind != "disposition" || got[0].Reference.Deleted || !got[1].Reference.Deleted {
		t.Fatalf("%+v, %+v", a, got)
	}
	if a, got = page(serve(t, map[string]reply{path: {status: 404, body: "<html>"}})); a.Page == nil || !a.Page.Last || a.Result.Error != "" || len(got) != 0 {
		t.Errorf("a portal without the list: %+v, %d changes", a, len(got))
	}
	if a, _ = page(serve(t, map[string]reply{path: {status: 500, body: "{}"}})); a.Page != nil || a.Result.Error != schemas.ErrTransient {
		t.Errorf("an outage: %+v", a)
	}
}

func TestLink(t *testing.T) {
	s := serve(t, map[string]reply{"/crm/v4/associations/calls/contacts/batch/associate/default": {status: 200,
		body: `{"status":"COMPLETE","results":[{"from":{"id":"7"},"to":{"id":"5"}},{"from":{"id":"5"},"to":{"id":"7"}}]}`}})
	item := func(id string) schemas.AttemptItem {
		return schemas.AttemptItem{Key: id, ID: id, Associations: []schemas.Link{{Object: contacts, ID: "5"}}}
	}
	got := s.do(write(schemas.OpLink, item("7"), item("8")), nil).Result
	if it := got.Items[0]; !it.Linked || it.Error != "" || it.Outcome != schemas.Sent {
		t.Errorf("linked: %+v", it)
	}
	if it := got.Items[1]; it.Linked || it.Outcome != schemas.Unknown {
		t.Errorf("not spoken of: %+v", it)
	}
}

func TestClassesOfWholeAnswers(t *testing.T) {
	for _, c := range []struct {
		name, body     string
		status, items  int
		class, outcome string
		retry          time.Duration
		id             string
	}{
		{"rolling", `{"errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING","message":"You have reached your ten_secondly_rolling limit."}`, 429, 2, schemas.ErrThrottled, schemas.NotSent, rollingHold, ""},
		{"secondly", `{"errorType":"RATE_LIMIT","policyName":"SECONDLY","message":"x"}`, 429, 1, schemas.ErrThrottled, schemas.NotSent, secondlyHold, ""},
		{"daily", `{"errorType":"RATE_LIMIT","policyName":"DAILY","message":"x"}`, 429, 1, schemas.ErrThrottled, schemas.NotSent, dailyHold, ""},
		{"refused twice", `{"category":"INVALID_AUTHENTICATION","message":"x"}`, 401, 1, schemas.ErrAuth, schemas.NotSent, 0, ""},
		{"scope", `{"category":"MISSING_SCOPES","message":"x"}`, 403, 1, schemas.ErrForbidden, schemas.NotSent, 0, ""},
		{"gateway", `<html>`, 502, 2, schemas.ErrTransient, schemas.Unknown, 0, ""},
		{"edge", ``, 524, 2, schemas.ErrTransient, schemas.Unknown, 0, ""},
		{"rolling, older words", `{"status":"error","category":"RATE_LIMITS","message":"You have reached your secondly limit."}`, 429, 1, schemas.ErrThrottled, schemas.NotSent, secondlyHold, ""},
		{"daily, by its words", `{"errorType":"RATE_LIMIT","message":"You have reached your daily limit."}`, 429, 1, schemas.ErrThrottled, schemas.NotSent, dailyHold, ""},
		{"429 of the edge", `<html>`, 429, 1, schemas.ErrThrottled, schemas.NotSent, rollingHold, ""},
		{"expired twice", `{"category":"EXPIRED_AUTHENTICATION","message":"The OAuth token used to make this call expired 75 second(s) ago.","context":{"expire time":["2022-06-21T10:37:52.040Z"]}}`, 401, 1, schemas.ErrAuth, schemas.NotSent, 0, ""},
		{"blocked at the edge", `<html>`, 403, 2, schemas.ErrForbidden, schemas.NotSent, 0, ""},
		{"locked", ``, 423, 1, schemas.ErrThrottled, schemas.NotSent, lockedHold, ""},
		{"locked, of several", `{"message":"x"}`, 423, 2, schemas.ErrThrottled, schemas.NotSent, lockedHold, ""},
		{"moves", ``, 477, 2, schemas.ErrThrottled, schemas.NotSent, migrationHold, ""},
		{"timeout", ``, 408, 2, schemas.ErrTransient, schemas.Unknown, 0, ""},
		{"no service", `{"category":"SERVICE_UNAVAILABLE","message":"x"}`, 503, 1, schemas.ErrTransient, schemas.Unknown, 0, ""},
		{"error", `{"category":"INTERNAL_ERROR","message":"internal error"}`, 500, 1, schemas.ErrTransient, schemas.Unknown, 0, ""},
		{"elsewhere", ``, 302, 2, schemas.ErrForbidden, schemas.NotSent, 0, ""},
		{"verb", `{"message":"HTTP 405 Method Not Allowed"}`, 405, 2, schemas.ErrForbidden, schemas.NotSent, 0, ""},
		{"written at the same moment", `{"category":"CONFLICT","message":"Concurrent modification"}`, 409, 1, schemas.ErrTransient, schemas.Sent, 0, "11"},
		{"a value that another has", `{"category":"CONFLICT","message":"Contact already exists"}`, 409, 1, schemas.ErrPermanent, schemas.Sent, 0, "11"},
		{"too many identities", `{"category":"VALIDATION_ERROR","message":"Cannot have more than 250 identities on a profile"}`, 414, 1, schemas.ErrPermanent, schemas.Sent, 0, "11"},
		{"no category", `{"status":"error","message":"Invalid input JSON on line 3, column 9: Cannot deserialize value of type x"}`, 400, 2, schemas.ErrBatch, schemas.NotSent, 0, ""},
		{"a context of another form", `{"category":"CONFLICT","message":"Contact already exists. Existing ID: 9","context":{"x":"y"}}`, 409, 1, schemas.ErrConflict, schemas.Sent, 0, "9"},
		{"one of many", `{"category":"VALIDATION_ERROR","message":"x"}`, 400, 2, schemas.ErrBatch, schemas.NotSent, 0, ""},
		{"one", `{"category":"VALIDATION_ERROR","message":"x"}`, 400, 1, schemas.ErrPermanent, schemas.Sent, 0, ""},
		{"conflict", `{"category":"CONFLICT","message":"Contact already exists. Existing ID: 37765128953"}`, 409, 1, schemas.ErrConflict, schemas.Sent, 0, "37765128953"},
		{"conflict of many", `{"category":"CONFLICT","message":"Contact already exists. Existing ID: 3"}`, 409, 2, schemas.ErrBatch, schemas.NotSent, 0, "11"},
		{"doubles", `{"category":"VALIDATION_ERROR","message":"Duplicate IDs found in batch input: [1]. IDs must be unique"}`, 400, 2, schemas.ErrDuplicates, schemas.NotSent, 0, "11"},
		{"gone", `{"status":"error","message":"resource not found"}`, 404, 1, schemas.ErrNotFound, schemas.Sent, 0, "11"},
		{"no such route", `<html>`, 404, 1, schemas.ErrForbidden, schemas.NotSent, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, map[string]reply{"/crm/v3/objects/calls/batch/update": {status: c.status, body: c.body}})
			at := write(schemas.OpUpdate)
			for i := range c.items {
				at.Items = append(at.Items, schemas.AttemptItem{Key: "k", ID: []string{"11", "12"}[i], Fields: []schemas.Field{schemas.Text("a", "b")}})
			}
			got := s.do(at, nil).Result
			it := got.Items[0]
			if got.Error != c.class || it.Error != c.class || it.Outcome != c.outcome || got.RetryAfterMs != c.retry.Milliseconds() {
				t.Errorf("got %+v", got)
			}
			if c.id != "" && it.ID != c.id {
				t.Errorf("id %s", it.ID)
			}
		})
	}
}

// Whatever an answer says of waiting is kept to, by all clients of the account where
// it is long; the login's answers count like any.
func TestAnswersThatSayWhen(t *testing.T) {
	const update, search = "/crm/v3/objects/calls/batch/update", "/crm/v3/objects/contacts/search"
	after := map[string]string{"Retry-After": "120"}
	for name, c := range map[string]struct {
		rep      reply
		searches bool // they go on
	}{
		"moves for two minutes":        {reply{477, ``, after}, false},
		"no service for two minutes":   {reply{503, ``, after}, false},
		"the day is used up":           {reply{429, `{"errorType":"RATE_LIMIT","policyName":"DAILY","message":"x"}`, nil}, false},
		"the window is used up":        {reply{429, `{"errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING","message":"x"}`, nil}, true},
		"no service, nobody says when": {reply{503, ``, nil}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, map[string]reply{update: c.rep, search: {status: 200, body: `{"total":0,"results":[]}`}})
			item := schemas.AttemptItem{Key: "k", ID: "1", Fields: []schemas.Field{schemas.Text("a", "b")}}
			s.do(write(schemas.OpUpdate, item), nil)
			got := s.do(&schemas.Attempt{Kind: schemas.KindPage, Page: &schemas.PageRequest{Source: contacts, Cursor: cursor{phase: searching}.String()}}, nil)
			if (got.Page != nil) != c.searches || !c.searches && (got.Result.Error != schemas.ErrThrottled || got.Result.RetryAfterMs < 60_000) {
				t.Errorf("a search: %+v", got)
			}
		})
	}
}

// The token's own check: what its answer means for the account.
func TestLoginAnswers(t *testing.T) {
	const update = "/crm/v3/objects/calls/batch/update"
	for _, c := range []struct {
		name    string
		rep     reply
		class   string
		outcome string
	}{
		{"good", reply{status: 200, body: `{"portalId":42}`}, "", schemas.Sent},
		{"its scope is missing", reply{status: 403, body: `{"category":"MISSING_SCOPES","message":"x"}`}, "", schemas.Sent},
		{"not served", reply{status: 404, body: `<html>`}, "", schemas.Sent},
		{"refused", reply{status: 401, body: `{"category":"INVALID_AUTHENTICATION","message":"x"}`}, schemas.ErrAuth, schemas.NotSent},
		{"malformed", reply{status: 530, body: `error code: 1016`}, schemas.ErrAuth, schemas.NotSent},
		{"limit", reply{status: 429, body: `{"errorType":"RATE_LIMIT","policyName":"DAILY","message":"x"}`}, schemas.ErrThrottled, schemas.NotSent},
		{"gateway", reply{status: 502, body: `<html>`}, schemas.ErrTransient, schemas.NotSent},
		{"no portal", reply{status: 200, body: `{}`}, schemas.ErrTransient, schemas.NotSent},
		{"no json", reply{status: 200, body: `<html>`}, schemas.ErrTransient, schemas.NotSent},
		{"elsewhere", reply{status: 302, body: ``}, schemas.ErrForbidden, schemas.NotSent},
	} {
		s := serve(t, map[string]reply{"/account-info/v3/details": c.rep, update: {status: 200, body: `{"results":[{"id":"1"}]}`}})
		item := schemas.AttemptItem{Key: "k", ID: "1", Fields: []schemas.Field{schemas.Text("a", "b")}}
		if got := s.do(write(schemas.OpUpdate, item), nil).Result; got.Error != c.class || got.Items[0].Outcome != c.outcome {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestReadMissingAndMerged(t *testing.T) {
	s := serve(t, map[string]reply{"/crm/v3/objects/contacts/batch/read": {status: 207, body: `{"results":[
		{"id":"30","properties":{"email":"a@b.c","phone":"","company":null,"lastmodifieddate":"2026-01-02T03:04:05.678Z","hs_merged_object_ids":"10;11"}}],
		"errors":[{"category":"OBJECT_NOT_FOUND","message":"Could not get some CONTACT objects","context":{"ids":["20"]}}]}`}})
	at := &schemas.Attempt{ID: "0-1", Kind: schemas.KindRead, Object: contacts, Items: []schemas.AttemptItem{{Key: "a", ID: "10"}, {Key: "b", ID: "20"}, {Key: "c", ID: "30"}}}
	var got []*schemas.CRMChange
	res := s.do(at, func(_ context.Context, c *schemas.CRMChange) error { got = append(got, c); return nil }).Result
	if len(got) != 2 || got[0].ID != "10" || got[0].Record.MovedTo == nil || *got[0].Record.MovedTo != "30" || got[1].ID != "30" || got[1].Record.MovedTo != nil {
		t.Fatalf("got %+v", got)
	}
	if res.Items[1].Error != schemas.ErrNotFound || res.Items[1].Outcome != schemas.Sent || res.Items[0].Error != "" {
		t.Errorf("items %+v", res.Items)
	}
	if at := got[1].Record.ModifiedAt; at != 1767323045678 {
		t.Errorf("modified at %d", at)
	}
	for _, f := range got[1].Record.Fields {
		if (f.Value != nil) != (f.Name == "email") {
			t.Errorf("field %+v", f)
		}
	}
}

func TestPagesListThenSearch(t *testing.T) {
	const list, search = "/crm/v3/objects/contacts", "/crm/v3/objects/contacts/search"
	date := map[string]string{"Date": "Fri, 02 Jan 2026 03:04:05 GMT"}
	page := func(s *server, source, cursor string) (ids []string, p *connectors.Page) {
		a := s.do(&schemas.Attempt{ID: "0-1", Kind: schemas.KindPage, Page: &schemas.PageRequest{Source: source, Cursor: cursor, Limit: 2}},
			func(_ context.Context, c *schemas.CRMChange) error { ids = append(ids, c.Object+c.ID); return nil })
		if a.Page == nil {
			t.Fatalf("no page: %+v", a.Result)
		}
		return ids, a.Page
	}
	s := serve(t, map[string]reply{list: {200, `{"results":[{"id":"1"},{"id":"2"}],"paging":{"next":{"after":"3 x"}}}`, date}})
	ids, p := page(s, contacts, "")
	if strings.Join(ids, " ") != "contacts1 contacts2" || p.Last {
		t.Fatalf("%v %+v", ids, p)
	}
	s = serve(t, map[string]reply{list: {200, `{"results":[{"id":"3"}]}`, nil}})
	_, p = page(s, contacts, p.Next)
	// Nothing that changed during the load is missed: the search begins before it.
	if want := (cursor{phase: searching, since: 1767323045000 - 300000}).String(); !strings.Contains(s.bodies[list], "after=3+x") || !p.Last || p.Next != want {
		t.Fatalf("%s, %+v, want %s", s.bodies[list], p, want)
	}
	s = serve(t, map[string]reply{search: {200, `{"total":3,"results":[{"id":"2"},{"id":"9"}],"paging":{"next":{"after":"2"}}}`, nil}})
	_, p = page(s, contacts, p.Next)
	if p.Last || !strings.Contains(s.bodies[search], `"value":"1767322745000"`) {
		t.Fatalf("%s %+v", s.bodies[search], p)
	}
	s = serve(t, map[string]reply{search: {200, `{"total":0,"results":[]}`, nil}})
	if _, p = page(s, contacts, p.Next); !p.Last || !strings.Contains(s.bodies[search], `{"propertyName":"hs_object_id","operator":"GT","value":"9"}`) {
		t.Fatalf("%s %+v", s.bodies[search], p)
	}
	s = serve(t, map[string]reply{"/crm/v3/owners": {200, `{"results":[{"id":"6","email":"r@x.y"}]}`, nil}})
	ids, p = page(s, owners, "")
	if strings.Join(ids, "") != "owner6" || p.Last || !strings.Contains(s.bodies["/crm/v3/owners"], "archived=false") {
		t.Fatalf("%v %+v", ids, p)
	}
	if _, p = page(s, owners, p.Next); !p.Last || !strings.Contains(s.bodies["/crm/v3/owners"], "archived=true") {
		t.Fatalf("%+v", p)
	}
}

func TestAnotherPortalIsRefused(t *testing.T) {
	s := serve(t, map[string]reply{"/account-info/v3/details": {status: 200, body: `{"portalId":43}`}})
	got := s.do(write(schemas.OpUpsert, upsertItem("a")), nil).Result
	if got.Error != schemas.ErrAuth || got.Code != "other_portal" || got.Items[0].Outcome != schemas.NotSent {
		t.Errorf("got %+v", got)
	}
}
