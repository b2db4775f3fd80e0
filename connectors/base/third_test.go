package base_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/connectors/connectortest"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/connectors/simkit"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// small is a CRM with one object, one token and one list: what a connector needs
// beside this package is what stands here.
type small struct{}

var smallProfile = &profile.Profile{
	Provider: "small",
	Objects:  []profile.Object{{Name: "people", Mappings: []profile.Mapping{{Dialer: "last_name", CRM: "name", Direction: profile.Bidirectional}}}},
	Sources:  []profile.Source{{Name: "people", Object: "people", Limit: 100, Every: time.Minute}},
	Limits:   profile.Limits{Upsert: 100, Update: 100, Create: 1, Read: 100, InFlight: 2},
}

func (small) Name() string              { return "small" }
func (small) Profile() *profile.Profile { return smallProfile }

func (small) Check(a schemas.Account) []connectors.Problem {
	var c base.Checks
	auth := base.Map(a.Auth)
	c.Flow(a.AuthFlow, "token")
	c.Need(auth, "token", "set a reference to it")
	c.Reference(auth, "token", "the token")
	c.Unknown(auth, "token")
	return c
}

type smallConn struct {
	*base.Account
	rest *rest.Client
}

func (p small) Open(env connectors.Env, tenant string, a schemas.Account) (connectors.Conn, error) {
	c := new(smallConn)
	var err error
	if c.Account, err = base.Open(p, base.Vendor{Login: c.login, Classify: classify}, env, tenant, a); err != nil {
		return nil, err
	}
	c.rest = c.Client(rest.Config{InFlight: smallProfile.Limits.InFlight})
	return c, nil
}

func (c *smallConn) login(ctx context.Context, _ time.Time) (rest.Token, error) {
	s, err := c.Secret(ctx, "token")
	return rest.Token{Access: s}, err
}

func classify(res *rest.Response, now time.Time) (*rest.Error, rest.Outcome) {
	e := &rest.Error{Status: res.Status, Class: schemas.ErrBatch, Message: string(res.Body), RetryAfter: rest.RetryAfter(res.Header, now)}
	switch {
	case res.Status == 401:
		e.Class = schemas.ErrAuth
	case res.Status == 429:
		e.Class, e.RetryAfter = schemas.ErrThrottled, max(time.Second, e.RetryAfter)
	case res.Status >= 500:
		e.Class = schemas.ErrTransient
		return e, schemas.Unknown
	}
	return e, schemas.NotSent
}

type smallAttempt struct {
	*smallConn
	*base.Attempt
}

func (c *smallConn) Do(ctx context.Context, at *schemas.Attempt, leaveBy time.Time, emit connectors.Emit) connectors.Answer {
	a := smallAttempt{c, c.New(at, leaveBy, emit)}
	return a.Run(ctx, a.write, a.read, a.page, nil)
}

type smallRecord struct {
	Key    string            `json:"key"`
	Fields map[string]string `json:"fields"`
	Stamp  int64             `json:"stamp"`
	New    bool              `json:"new"`
	Error  string            `json:"error"`
}

// ask sends one request and reads its answer; false where the attempt failed.
func (a smallAttempt) ask(ctx context.Context, path string, q url.Values, in any) (got []smallRecord, ok bool) {
	res, outcome, err := a.Call(ctx, a.rest, a.LeaveBy, http.MethodPost, path, q, in)
	if err != nil {
		a.Fail(err, outcome)
		return nil, false
	}
	return got, a.Decode(res.Response, &got, "list")
}

func (a smallAttempt) write(ctx context.Context) {
	if a.TooMany(100) {
		return
	}
	distinct := a.Distinct()
	var in []smallRecord
	var places []int
	for i, it := range a.At.Items {
		if distinct(i, it.Identity) {
			in, places = append(in, smallRecord{Key: it.Identity, Fields: base.Map(it.Fields)}), append(places, i)
		}
	}
	got, ok := a.ask(ctx, "/upsert", nil, in)
	if !ok {
		return
	}
	for n, i := range places {
		if n >= len(got) {
			a.Unanswered(i)
			continue
		}
		r := &a.Res.Items[i]
		r.Outcome, r.ID, r.Created = schemas.Sent, got[n].Key, got[n].New
		if got[n].Error != "" {
			r.Error, r.Message = schemas.ErrPermanent, rest.Redact(got[n].Error)
		}
	}
}

func (a smallAttempt) change(r *smallRecord, cause string) *schemas.CRMChange {
	c := a.Change("people", r.Key)
	c.Record = &schemas.RecordRead{ModifiedAt: r.Stamp, Cause: cause, AttemptID: a.At.ID, Fields: []schemas.Field{schemas.Text("name", r.Fields["name"])}}
	return c
}

func (a smallAttempt) read(ctx context.Context) {
	ids := a.IDs(100, func(id string) string { return id })
	got, ok := a.ask(ctx, "/read", nil, ids)
	if !ok {
		return
	}
	a.Found(ctx, func(id string) *schemas.CRMChange {
		if n := slices.IndexFunc(got, func(r smallRecord) bool { return r.Key == id }); n >= 0 {
			return a.change(&got[n], "read")
		}
		return nil
	}, func(*schemas.ItemResult) {})
}

func (a smallAttempt) page(ctx context.Context) {
	limit := a.PageLimit(100)
	got, ok := a.ask(ctx, "/list", url.Values{"after": {a.At.Page.Cursor}, "limit": {strconv.Itoa(limit)}}, nil)
	if !ok {
		return
	}
	next := a.At.Page.Cursor
	for n := range got {
		if !a.Emit(ctx, 0, a.change(&got[n], "page")) {
			return
		}
		next = strconv.FormatInt(got[n].Stamp, 10)
	}
	a.PageDone(next, len(got) < limit)
}

// smallSim is its simulator.
type smallSim struct {
	mu     sync.Mutex
	faults *simkit.Faults
	people []smallRecord // in the order in which they came
}

func (s *smallSim) put(r smallRecord) (created bool) {
	i := slices.IndexFunc(s.people, func(x smallRecord) bool { return x.Key == r.Key })
	if i < 0 {
		r.Stamp = int64(len(s.people) + 1)
		s.people = append(s.people, r)
		return true
	}
	r.Stamp = s.people[i].Stamp
	s.people[i] = r
	return false
}

func (s *smallSim) vendor(w http.ResponseWriter, r *http.Request) {
	s.faults.Serve(w, r, "", nil, func(w http.ResponseWriter) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var out []smallRecord
		switch r.URL.Path {
		case "/upsert":
			var in []smallRecord
			_ = json.NewDecoder(r.Body).Decode(&in)
			for _, x := range in {
				if _, bad := x.Fields["bad"]; bad {
					x.Error = "no field bad"
				} else {
					x.New = s.put(x)
				}
				out = append(out, x)
			}
		case "/read":
			var ids []string
			_ = json.NewDecoder(r.Body).Decode(&ids)
			for _, x := range s.people {
				if slices.Contains(ids, x.Key) {
					out = append(out, x)
				}
			}
		case "/list":
			limit, _ := strconv.Atoi(r.FormValue("limit"))
			after, _ := strconv.ParseInt(r.FormValue("after"), 10, 64)
			for _, x := range s.people {
				if x.Stamp > after && len(out) < limit {
					out = append(out, x)
				}
			}
		}
		simkit.WriteJSON(w, http.StatusOK, out)
	}, func(w http.ResponseWriter, f simkit.Fault) { w.WriteHeader(f.Status) })
}

// A third CRM is little more than its own words: this one keeps what the contract
// promises.
func TestThirdCRM(t *testing.T) {
	s := &smallSim{faults: simkit.NewFaults(nil, func(a string) (string, bool) { return a, true }, nil)}
	own := http.NewServeMux()
	s.faults.Handle(own)
	web := connectortest.Serve(t, simkit.Split(own, s.vendor), func() error { return nil })
	connectortest.Run(t, connectortest.System{
		Provider: small{}, Account: schemas.Account{Provider: "small", ID: "1", AuthFlow: "token", Auth: []schemas.Field{schemas.Text("token", "env:T")}},
		Env: connectors.Env{HTTP: web.Client, Servers: map[string]string{"small": web.URL}, Now: time.Now, Secret: func(context.Context, string) (string, error) { return "s3cret", nil }},
		Bad: schemas.Account{AuthFlow: "jwt", Auth: []schemas.Field{schemas.Text("token", "s3cret"), schemas.Text("x", "y")}}, BadSettings: []string{"auth_flow", "auth.token", "auth.x"},
		Secrets: []string{"s3cret"}, Object: "people", Identity: "key", Source: "people", Person: "people",
		Fields:   func(n int) []schemas.Field { return []schemas.Field{schemas.Text("name", fmt.Sprint("L", n))} },
		BadField: schemas.Text("bad", "x"),
		Count:    func(string) int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.people) },
		Create: func(_ string, n int) string {
			s.mu.Lock()
			defer s.mu.Unlock()
			id := fmt.Sprintf("person-%d-%d", len(s.people), n)
			s.put(smallRecord{Key: id, Fields: map[string]string{"name": "n"}})
			return id
		},
		Edit:           func(string, string) {},
		DropAfterApply: web.Fault(map[string]any{"kind": "drop_after_apply"}),
		Expire:         web.Fault(map[string]any{"kind": "status", "status": 401}),
		Throttle:       web.Fault(map[string]any{"kind": "status", "status": 429, "retry_after": "7"}),
	})
}

func TestSubject(t *testing.T) {
	for n, want := range map[int]string{255: "Call - No answer", 6: "Call …"} {
		if got := base.Subject(profile.Call{Disposition: "No answer"}, n); got != want {
			t.Errorf("cut to %d: %q", n, got)
		}
	}
	if got := base.Subject(profile.Call{Kind: "missed"}, 255); got != "Missed call" {
		t.Errorf("a missed call is %q", got)
	}
}

// The server of an account is the process's to name.
func TestOpen(t *testing.T) {
	good := schemas.Account{Provider: "small", ID: "1", AuthFlow: "token", Auth: []schemas.Field{schemas.Text("token", "env:T")}}
	secret := func(context.Context, string) (string, error) { return "", nil }
	with := func(server string) schemas.Account { a := good; a.Server = server; return a }
	for _, c := range []struct {
		name    string
		env     connectors.Env
		account schemas.Account
		vendor  string
		base    string
		fails   string
	}{
		{"the process's", connectors.Env{Secret: secret, Servers: map[string]string{"small": "http://a/"}}, good, "https://v", "http://a", ""},
		{"named by the tenant", connectors.Env{Secret: secret, Servers: map[string]string{"small": "http://a", "eu": "http://b"}}, with("eu"), "", "http://b", ""},
		{"the vendor's", connectors.Env{Secret: secret}, good, "https://v", "https://v", ""},
		{"none", connectors.Env{Secret: secret}, good, "", "", "not among the process's servers"},
		{"an address is no name", connectors.Env{Secret: secret, Servers: map[string]string{"small": "http://a"}}, with("http://evil"), "https://v", "", "not among the process's servers"},
		{"no resolver", connectors.Env{Servers: map[string]string{"small": "http://a"}}, good, "", "", "no resolver"},
		{"a mistake", connectors.Env{Secret: secret}, schemas.Account{AuthFlow: "token"}, "", "", "auth.token is missing"},
	} {
		a, err := base.Open(small{}, base.Vendor{Server: c.vendor}, c.env, "acme", c.account)
		if c.fails == "" && (err != nil || a.Base != c.base) || c.fails != "" && (err == nil || !regexp.MustCompile(c.fails).MatchString(err.Error())) {
			t.Errorf("%s: %+v, %v", c.name, a, err)
		}
	}
}
