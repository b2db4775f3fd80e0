package salesforce

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/connectortest"
	"github.com/crmstream/crmstream/schemas"
)

const (
	testOrg  = "00D000000000001EAA"
	testBase = "https://login.salesforce.com"
	identity = "https://login.salesforce.com/id/" + testOrg + "/005000000000001AAA"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// scripted is an org whose answers are a test's.
type scripted struct {
	connectortest.Direct
	connectors.Conn
	login func(w http.ResponseWriter, r *http.Request) // nil = a good one
	data  func(w http.ResponseWriter, r *http.Request)
	count map[string]int // requests by path
}

func script(t testing.TB) *scripted {
	t.Helper()
	s := &scripted{count: make(map[string]int)}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.count[r.URL.Path]++
		switch {
		case r.URL.Path != "/services/oauth2/token":
			s.data(w, r)
		case s.login != nil:
			s.login(w, r)
		default:
			grantTo(w, "https://acme.my.salesforce.com", identity)
		}
	})
	env := connectors.Env{HTTP: &http.Client{Transport: &s.Direct}, Servers: map[string]string{name: testBase},
		Secret: func(context.Context, string) (string, error) {
			return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(testKey())})), nil
		}}
	c, err := Provider().Open(env, "acme", schemas.Account{Provider: name, ID: testOrg, AuthFlow: "jwt",
		Auth: []schemas.Field{schemas.Text("client_id", "app"), schemas.Text("key", "env:KEY"), schemas.Text("username", "u@x.y")}})
	if err != nil {
		t.Fatal(err)
	}
	s.Conn = c
	t.Cleanup(func() { c.Close() })
	return s
}

func grantTo(w http.ResponseWriter, instance, id string) {
	fmt.Fprintf(w, `{"access_token":"00D000000000001!AQsecret","instance_url":%q,"id":%q,"token_type":"Bearer"}`, instance, id)
}

func answerWith(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func (s *scripted) write(t *testing.T, n int) schemas.AttemptResult {
	at := &schemas.Attempt{ID: "0-1", Account: testOrg, Kind: schemas.KindWrite, Operation: schemas.OpUpdate, Object: lead}
	for i := range n {
		at.Items = append(at.Items, schemas.AttemptItem{Key: fmt.Sprint(i), ID: fmt.Sprintf("00Q00000000000%dAAA", i+1), Fields: []schemas.Field{schemas.Text("Title", "x")}})
	}
	return s.Do(t.Context(), at, time.Now().Add(10*time.Second), nil).Result
}

// A token goes to no address of an answer that is not the vendor's or the configured
// server, and to no org but the configured one.
func TestLoginIsPinned(t *testing.T) {
	for _, c := range []struct{ instance, id, code string }{
		{"https://acme.my.salesforce.com", identity, ""},
		{"https://acme--dev.sandbox.my.salesforce.com/", identity, ""},
		{testBase, identity, ""},
		{testBase, "https://login.salesforce.com/id/" + testOrg[:15] + "/005000000000001AAA", ""}, // the short form
		{"https://evil.example", identity, "foreign_instance"},
		{"http://acme.my.salesforce.com", identity, "foreign_instance"},
		{"https://acme.my.salesforce.com:8443", identity, "foreign_instance"},
		{"https://acme.my.salesforce.com@evil.example", identity, "foreign_instance"},
		{"https://u:p@acme.my.salesforce.com", identity, "foreign_instance"},
		{"https://salesforce.com.evil.example", identity, "foreign_instance"},
		{"https://notsalesforce.com", identity, "foreign_instance"},
		{"https://evil.example/.salesforce.com", identity, "foreign_instance"},
		{"https://evil.example#.salesforce.com", identity, "foreign_instance"},
		{"//acme.my.salesforce.com", identity, "foreign_instance"},
		{"", identity, "foreign_instance"},
		{"https://acme.my.salesforce.com", "https://login.salesforce.com/id/00D000000000002EAA/005000000000001AAA", "other_org"},
		{"https://acme.my.salesforce.com", "https://login.salesforce.com/id/" + testOrg, "other_org"},
		{"https://acme.my.salesforce.com", "", "other_org"},
	} {
		s := script(t)
		s.login = func(w http.ResponseWriter, _ *http.Request) { grantTo(w, c.instance, c.id) }
		s.data = answerWith(200, `[{"id":"00Q000000000001AAA","success":true,"errors":[]}]`)
		r := s.write(t, 1)
		hosts := s.Hosts()
		if c.code == "" {
			if r.Error != "" || len(hosts) != 2 {
				t.Errorf("%s, %s: %+v", c.instance, c.id, r)
			}
			continue
		}
		if r.Error != schemas.ErrAuth || r.Code != c.code || r.Items[0].Outcome != schemas.NotSent || !slices.Equal(hosts, []string{"login.salesforce.com"}) {
			t.Errorf("%s, %s: %+v, requests to %v", c.instance, c.id, r, hosts)
		}
	}
}

// A server of our own allows only itself.
func TestSimulatorSendsTokensNowhereElse(t *testing.T) {
	s := script(t)
	c := s.Conn.(*conn)
	c.Base = "http://127.0.0.1:8091"
	for instance, ok := range map[string]bool{"http://127.0.0.1:8091": true, "http://127.0.0.1:8092": false, "https://127.0.0.1:8091": false, "https://acme.my.salesforce.com": false} {
		if got, err := c.allowed(instance); (err == nil) != ok {
			t.Errorf("%s: %q, %v", instance, got, err)
		}
	}
}

func TestLoginErrors(t *testing.T) {
	grant := func(desc string) string {
		return `{"error":"invalid_grant","error_description":"` + desc + `"}`
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		class  string
		code   string
	}{
		{"not approved", 400, grant("user hasn't approved this consumer"), schemas.ErrAuth, "invalid_grant"},
		{"newer words", 400, grant("user hasn't approved this consumer [audience=https://login.salesforce.com login=u]"), schemas.ErrAuth, "invalid_grant"},
		{"audience", 400, grant("audience is invalid"), schemas.ErrAuth, "invalid_grant"},
		{"expired assertion", 400, grant("expired authorization code"), schemas.ErrAuth, "invalid_grant"},
		{"signature", 400, grant("invalid assertion"), schemas.ErrAuth, "invalid_grant"},
		{"frozen user", 400, grant("inactive user"), schemas.ErrAuth, "invalid_grant"},
		{"ip", 400, grant("ip restricted"), schemas.ErrAuth, "invalid_grant"},
		{"client", 401, `{"error":"invalid_client","error_description":"invalid client credentials"}`, schemas.ErrAuth, "invalid_client"},
		{"client id", 400, `{"error":"invalid_client_id","error_description":"client identifier invalid"}`, schemas.ErrAuth, "invalid_client_id"},
		{"logins an hour", 400, `{"error":"invalid_grant","error_description":"login rate exceeded"}`, schemas.ErrThrottled, "invalid_grant"},
		{"logins an hour, as a code", 403, `{"error":"LOGIN_RATE_EXCEEDED"}`, schemas.ErrThrottled, "LOGIN_RATE_EXCEEDED"},
		{"429", 429, ``, schemas.ErrThrottled, ""},
		{"at the same time", 400, `{"error":"unknown_error","error_description":"retry your request"}`, schemas.ErrTransient, "unknown_error"},
		{"gateway", 503, `<html>`, schemas.ErrTransient, ""},
		{"edge", 406, ``, schemas.ErrTransient, ""},
		{"setting up", 420, `We are setting things up`, schemas.ErrTransient, ""},
		{"a page", 200, `<html>`, schemas.ErrTransient, ""},
		{"no token", 200, `{}`, schemas.ErrTransient, ""},
		{"elsewhere", 302, ``, schemas.ErrAuth, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script(t)
			s.login = answerWith(c.status, c.body)
			for round := range 3 {
				r := s.write(t, 1)
				if r.Error != c.class || r.Code != c.code && (round == 0 || c.class != schemas.ErrThrottled) || r.Items[0].Outcome != schemas.NotSent {
					t.Fatalf("got %+v", r)
				}
				if c.class == schemas.ErrThrottled && r.RetryAfterMs < 59_000 {
					t.Errorf("again after %d ms", r.RetryAfterMs)
				}
			}
			// A credential that was refused is not shown again at once, and a limit is kept to.
			if n := s.count["/services/oauth2/token"]; c.class != schemas.ErrTransient && n != 1 {
				t.Errorf("%d logins", n)
			}
		})
	}
}

// An assertion's end is a moment of the CRM's clock: ours may be wrong.
func TestLoginWithAClockThatIsWrong(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, 0, time.Hour} {
		s := script(t)
		var ends []time.Duration
		s.login = func(w http.ResponseWriter, r *http.Request) {
			theirs := time.Now().Add(skew)
			w.Header().Set("Date", theirs.UTC().Format(http.TimeFormat))
			var claims jwt.RegisteredClaims
			if _, _, err := jwt.NewParser().ParseUnverified(r.FormValue("assertion"), &claims); err != nil {
				t.Error(err)
			}
			left := claims.ExpiresAt.Sub(theirs)
			if ends = append(ends, left); left < 0 || left > 5*time.Minute {
				answerWith(400, `{"error":"invalid_grant","error_description":"expired authorization code"}`)(w, r)
				return
			}
			grantTo(w, testBase, identity)
		}
		s.data = answerWith(200, `[{"id":"00Q000000000001AAA","success":true,"errors":[]}]`)
		if r := s.write(t, 1); r.Error != "" {
			t.Errorf("%v ahead: %+v, ends in %v", skew, r, ends)
		}
	}
}

// A 401 is answered by one new login, and only one.
func TestSessionThatNoLoginMends(t *testing.T) {
	s := script(t)
	s.data = answerWith(401, `[{"message":"This session is not valid for use with the REST API","errorCode":"INVALID_SESSION_ID"}]`)
	r := s.write(t, 1)
	if r.Error != schemas.ErrAuth || r.Items[0].Outcome != schemas.NotSent || s.count["/services/oauth2/token"] != 2 {
		t.Errorf("got %+v after %d logins", r, s.count["/services/oauth2/token"])
	}
	if strings.Contains(fmt.Sprint(r), "AQsecret") {
		t.Error("the token stands in the result")
	}
}

// What a request as a whole is answered: the class, whether it may have been applied,
// and how long to wait.
func TestClassesOfWholeAnswers(t *testing.T) {
	fault := func(code, message string) string { return `[{"errorCode":"` + code + `","message":"` + message + `"}]` }
	const n, s1, un = schemas.NotSent, schemas.Sent, schemas.Unknown
	for _, c := range []struct {
		name           string
		status         int
		body           string
		items          int
		class, outcome string
		retry          time.Duration
	}{
		{"daily limit", 403, fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), 2, schemas.ErrThrottled, n, dailyHold},
		{"long requests", 403, fault("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."), 2, schemas.ErrThrottled, n, concurrentHold},
		{"long requests, older words", 403, fault("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."), 1, schemas.ErrThrottled, n, concurrentHold},
		{"429", 429, ``, 1, schemas.ErrThrottled, n, concurrentHold},
		{"row lock", 400, fault("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 001"), 2, schemas.ErrTransient, n, 0},
		{"row lock inside a trigger", 400, fault("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: execution of BeforeUpdate caused by: UNABLE_TO_LOCK_ROW"), 2, schemas.ErrTransient, n, 0},
		{"metering", 400, fault("TXN_SECURITY_METERING_ERROR", "x"), 2, schemas.ErrTransient, n, 0},
		{"api is off", 403, fault("API_DISABLED_FOR_ORG", "x"), 1, schemas.ErrForbidden, n, 0},
		{"api is off for the moment", 400, fault("API_CURRENTLY_DISABLED", "x"), 2, schemas.ErrForbidden, n, 0},
		{"no access", 403, fault("INSUFFICIENT_ACCESS", "x"), 1, schemas.ErrForbidden, n, 0},
		{"no access to one of several", 403, fault("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "x"), 2, schemas.ErrBatch, n, 0},
		{"no access to one", 403, fault("INSUFFICIENT_ACCESS_OR_READONLY", "x"), 1, schemas.ErrPermanent, s1, 0},
		{"no room", 400, fault("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded"), 2, schemas.ErrForbidden, n, 0},
		{"no such field or object", 404, fault("NOT_FOUND", "The requested resource does not exist"), 2, schemas.ErrForbidden, n, 0},
		{"verb", 405, fault("METHOD_NOT_ALLOWED", "x"), 2, schemas.ErrForbidden, n, 0},
		{"media type", 415, fault("UNSUPPORTED_MEDIA_TYPE", "x"), 2, schemas.ErrForbidden, n, 0},
		{"elsewhere", 302, ``, 2, schemas.ErrForbidden, n, 0},
		{"deleted, of several", 404, fault("ENTITY_IS_DELETED", "entity is deleted"), 2, schemas.ErrBatch, n, 0},
		{"field, of several", 400, fault("INVALID_FIELD", "No such column 'X' on sobject of type Lead"), 2, schemas.ErrBatch, n, 0},
		{"field, of one", 400, fault("INVALID_FIELD", "No such column 'X' on sobject of type Lead"), 1, schemas.ErrPermanent, s1, 0},
		{"parser", 400, fault("JSON_PARSER_ERROR", "x"), 1, schemas.ErrPermanent, s1, 0},
		{"too large", 413, ``, 2, schemas.ErrBatch, n, 0},
		{"error", 500, fault("UNKNOWN_EXCEPTION", "An unexpected error occurred."), 2, schemas.ErrTransient, un, 0},
		{"html", 503, `<html>Server Unavailable/too many requests</html>`, 2, schemas.ErrTransient, un, 0},
		{"bare object", 502, `{"errorCode":"SERVER_UNAVAILABLE","message":"x"}`, 1, schemas.ErrTransient, un, 0},
		{"edge", 406, ``, 2, schemas.ErrTransient, n, 0},
		{"setting up", 420, `<html>`, 2, schemas.ErrTransient, n, 0},
		{"an answer for another number of records", 200, `[]`, 2, schemas.ErrTransient, un, 0},
		{"no json", 200, `<html>`, 2, schemas.ErrTransient, un, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script(t)
			s.data = answerWith(c.status, c.body)
			r := s.write(t, c.items)
			if it := r.Items[c.items-1]; r.Error != c.class || it.Error != c.class || it.Outcome != c.outcome || r.RetryAfterMs != c.retry.Milliseconds() || r.Status != int32(c.status) {
				t.Errorf("got %+v", r)
			}
			if s.count["/services/oauth2/token"] != 1 {
				t.Errorf("%d logins", s.count["/services/oauth2/token"])
			}
		})
	}
}

// What one record of a good request is answered.
func TestClassesOfItems(t *testing.T) {
	for _, c := range []struct {
		code, message, fields string
		class, whole, id      string
	}{
		{"UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 001", "", schemas.ErrTransient, "", ""},
		{"CANNOT_EXECUTE_FLOW_TRIGGER", "… UNABLE_TO_LOCK_ROW …", "", schemas.ErrTransient, "", ""},
		{"DUPLICATE_VALUE", "duplicate value found: Ext__c duplicates value on record with id: 00Q000000000007", "", schemas.ErrConflict, "", "00Q000000000007EAA"},
		{"DUPLICATE_VALUE", "duplicate value found: <unknown> duplicates value on record with id: <unknown>", "", schemas.ErrTransient, "", ""},
		{"DUPLICATE_VALUE", "Duplicate external id specified: a-1", "", schemas.ErrDuplicates, "", ""},
		{"DUPLICATE_EXTERNAL_ID", "X: more than one record found for external id field: [a, b]", "", schemas.ErrPermanent, "", ""},
		{"DUPLICATES_DETECTED", "You're creating a duplicate record.", "", schemas.ErrPermanent, "", ""},
		{"INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: Title. Please check the security settings of this field", `"Title"`, schemas.ErrPermanent, "", ""},
		{"FIELD_CUSTOM_VALIDATION_EXCEPTION", "admin's words", `"Title"`, schemas.ErrPermanent, "", ""},
		{"STRING_TOO_LONG", "Title: data value too large", `"Title"`, schemas.ErrPermanent, "", ""},
		{"INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", "", schemas.ErrPermanent, "", ""},
		{"CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", "", schemas.ErrPermanent, "", ""},
		{"INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", "", schemas.ErrPermanent, "", ""},
		{"MALFORMED_ID", "malformed id 1", "", schemas.ErrPermanent, "", ""},
		{"ENTITY_IS_DELETED", "entity is deleted", "", schemas.ErrNotFound, "", ""},
		{"NOT_FOUND", "x", "", schemas.ErrNotFound, "", ""},
		{"ALL_OR_NONE_OPERATION_ROLLED_BACK", "x", "", schemas.ErrTransient, "", ""},
		{"STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", "", schemas.ErrForbidden, schemas.ErrForbidden, ""},
		{"REQUEST_LIMIT_EXCEEDED", "x", "", schemas.ErrThrottled, schemas.ErrThrottled, ""},
	} {
		s := script(t)
		s.data = answerWith(200, `[{"id":"00Q000000000001AAA","success":true,"errors":[]},
			{"success":false,"errors":[{"statusCode":"`+c.code+`","message":"`+c.message+`","fields":[`+c.fields+`]}]}]`)
		r := s.write(t, 2)
		good, bad := r.Items[0], r.Items[1]
		if r.Error != c.whole || good.Error != "" || good.Outcome != schemas.Sent || bad.Error != c.class || bad.Code != c.code || bad.Outcome != schemas.Sent || c.id != "" && bad.ID != c.id {
			t.Errorf("%s: %+v", c.code, r)
		}
		if c.fields != "" && !slices.Equal(bad.Fields, []string{"Title"}) {
			t.Errorf("%s: fields %v", c.code, bad.Fields)
		}
	}
}

// The daily allowance that the answers tell keeps its reserve for other tools.
func TestDailyAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(t)
		used := 13999
		s.data = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/15000; per-app-api-usage=17/250(appName=x)", used))
			answerWith(200, `[{"id":"00Q000000000001AAA","success":true,"errors":[]}]`)(w, r)
		}
		if r := s.write(t, 1); r.Error != "" {
			t.Fatalf("got %+v", r)
		}
		used = 14000
		if r := s.write(t, 1); r.Error != "" {
			t.Fatalf("got %+v", r)
		}
		if r := s.write(t, 1); r.Error != schemas.ErrThrottled || r.RetryAfterMs < 60_000 || r.Items[0].Outcome != schemas.NotSent {
			t.Errorf("from the reserve: %+v", r)
		}
	})
}

// A page of users: who has left, who has no address, ids of both forms, and a cursor
// that goes on behind the last row.
func TestUsersPageCorners(t *testing.T) {
	s := script(t)
	var asked []string
	s.data = func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+" "+r.FormValue("q"))
		w.Header().Set("Date", "Tue, 10 Mar 2026 12:00:00 GMT")
		answerWith(200, `{"totalSize":2,"done":true,"records":[
			{"attributes":{"type":"User"},"Id":"005000000000001","SystemModstamp":"2026-03-01T00:00:00.000+0000","Email":null,"IsActive":true,"TimeZoneSidKey":"Europe/Berlin"},
			{"attributes":{"type":"User"},"Id":"005000000000002AAA","SystemModstamp":"2026-03-02T00:00:00.000+0000","Email":"left@x.y","IsActive":false}]}`)(w, r)
	}
	page := func(cursor string) (got []string, a connectors.Answer) {
		at := &schemas.Attempt{ID: "0-1", Account: testOrg, Kind: schemas.KindPage, Object: owner, Items: []schemas.AttemptItem{{Key: "p"}}, Page: &schemas.PageRequest{Source: users, Cursor: cursor, Limit: 2}}
		a = s.Do(t.Context(), at, time.Now().Add(time.Minute), func(_ context.Context, ch *schemas.CRMChange) error {
			line := ch.Object + " " + ch.ID
			for _, f := range ch.Reference.Fields {
				v := "null"
				if f.Value != nil {
					v = *f.Value
				}
				line += " " + f.Name + "=" + v
			}
			got = append(got, line)
			return nil
		})
		return got, a
	}
	got, a := page("")
	if want := []string{"owner 005000000000001AAA active=true email=null id=005000000000001AAA time_zone=Europe/Berlin", "owner 005000000000002AAA active=false email=left@x.y id=005000000000002AAA"}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if a.Page == nil || a.Page.Last || a.Result.Items[0].Outcome != schemas.Sent {
		t.Fatalf("a full page is not the last: %+v", a)
	}
	page(a.Page.Next)
	if want := []string{
		apiPath + "/query SELECT Id, SystemModstamp, Email, IsActive, TimeZoneSidKey FROM User ORDER BY SystemModstamp ASC, Id ASC LIMIT 2",
		apiPath + "/query SELECT Id, SystemModstamp, Email, IsActive, TimeZoneSidKey FROM User WHERE (SystemModstamp > 2026-03-02T00:00:00.000Z OR (SystemModstamp = 2026-03-02T00:00:00.000Z AND Id > '005000000000002AAA')) ORDER BY SystemModstamp ASC, Id ASC LIMIT 2",
	}; !slices.Equal(asked, want) {
		t.Errorf("asked %q\nwant  %q", asked, want)
	}
	for name, body := range map[string]string{
		"no stamp": `{"done":true,"records":[{"Id":"005000000000001AAA"}]}`,
		"no id":    `{"done":true,"records":[{"SystemModstamp":"2026-03-01T00:00:00.000+0000"}]}`,
		"html":     `<html>`,
	} {
		s.data = answerWith(200, body)
		if got, a := page(""); a.Page != nil || len(got) > 0 || a.Result.Error != schemas.ErrTransient || a.Result.Items[0].Outcome != schemas.Unknown {
			t.Errorf("%s: %q, %+v", name, got, a)
		}
	}
	// A query that can't be asked this way is not mended by trying, and has nothing to
	// bisect.
	s.data = answerWith(400, `[{"errorCode":"INVALID_FIELD","message":"No such column 'Email' on entity 'User'"}]`)
	if _, a := page(""); a.Result.Error != schemas.ErrPermanent || a.Result.Items[0].Error != schemas.ErrPermanent {
		t.Errorf("got %+v", a)
	}
	if _, a := page("nonsense"); a.Result.Error != schemas.ErrPermanent || a.Result.Items[0].Outcome != schemas.NotSent {
		t.Errorf("a cursor that is none of ours: %+v", a)
	}
}
