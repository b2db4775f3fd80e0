package all_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/connectors/connectortest"
	hubspotsim "github.com/crmstream/crmstream/connectors/hubspot/sim"
	salesforcesim "github.com/crmstream/crmstream/connectors/salesforce/sim"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/pipetest"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

const (
	theOrg    = "00D000000000001EAA"
	thePortal = "62515"
)

// whole is the task with the real connectors and both simulators, without Kafka.
type whole struct {
	t       *testing.T
	m       *pipetest.Machine
	conns   map[string]connectors.Conn
	envs    map[string]connectors.Env
	columns map[string][]schemas.Field // settings, as the core said them last
	web     map[string]connectortest.Sim
	events  chan *schemas.CRMChange // pushed
	persons map[string]*schemas.SyncContact
	calls   map[string]*schemas.SyncCall
	items   map[string]*schemas.SyncConflict
	dead    []string
	sent    []string // writes: object and id
	open    []*schemas.Attempt
	cfg     *schemas.TenantConfig
}

func begin(t *testing.T) *whole {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	sf, err := salesforcesim.New(salesforcesim.Config{PollHold: 100 * time.Millisecond, Orgs: []salesforcesim.OrgConfig{{ID: theOrg,
		Users: []salesforcesim.UserConfig{{ID: "005000000000001AAA", Username: "admin@acme.test", Email: "admin@acme.test", Name: "Admin"}},
		Apps:  []salesforcesim.AppConfig{{ClientID: "app", PublicKeyPEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub}))}}}}})
	if err != nil {
		t.Fatal(err)
	}
	hs, err := hubspotsim.New(hubspotsim.Config{SearchLag: -1, Portals: []hubspotsim.PortalConfig{{ID: 62515, UniqueCallProperty: true, RateMax: 1000,
		Tokens: []hubspotsim.TokenConfig{{Token: "token"}}, Owners: []hubspotsim.OwnerConfig{{ID: 1, UserID: 2, Email: "admin@acme.test"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	w := &whole{t: t, conns: make(map[string]connectors.Conn), envs: make(map[string]connectors.Env), columns: make(map[string][]schemas.Field), persons: make(map[string]*schemas.SyncContact), calls: make(map[string]*schemas.SyncCall), items: make(map[string]*schemas.SyncConflict),
		web:    map[string]connectortest.Sim{"salesforce": connectortest.Serve(t, sf.Handler(), sf.Close), "hubspot": connectortest.Serve(t, hs.Handler(), hs.Close)},
		events: make(chan *schemas.CRMChange, 100)}
	var profiles []*profile.Profile
	cfg := &schemas.TenantConfig{Tenant: "acme", Version: 1, Country: "US", TimeZone: "UTC", Accounts: []schemas.Account{
		{Provider: "hubspot", ID: thePortal, Server: "hubspot", AuthFlow: "token", Auth: []schemas.Field{schemas.Text("token", "env:T")}, Settings: []schemas.Field{schemas.Text("call_identity", "dialer_call_id")}},
		{Provider: "salesforce", ID: theOrg, Server: "salesforce", AuthFlow: "jwt", Auth: []schemas.Field{schemas.Text("client_id", "app"), schemas.Text("key", "env:KEY"),
			schemas.Text("username", "admin@acme.test"), schemas.Text("audience", "https://login.salesforce.com")}}}}
	for i, p := range all.Providers() {
		profiles = append(profiles, p.Profile())
		env := connectors.Env{HTTP: &http.Client{Timeout: time.Minute}, Servers: map[string]string{p.Name(): w.web[p.Name()].URL}, Now: time.Now,
			Secret: func(_ context.Context, ref string) (string, error) {
				if ref == "env:KEY" {
					return private, nil
				}
				return "token", nil
			}}
		c, err := p.Open(env, "acme", cfg.Accounts[i])
		if err != nil {
			t.Fatal(err)
		}
		w.conns[p.Name()], w.envs[p.Name()] = c, env
		t.Cleanup(func() { c.Close() })
	}
	w.m = pipetest.NewMachine(profiles, time.Now().UnixMilli())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- w.conns["salesforce"].(connectors.Streamer).Stream(ctx, 0, "", func(_ context.Context, c *schemas.CRMChange) error {
			w.events <- c
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	w.cfg = cfg
	w.step(schemas.TopicControlTenants, cfg)
	return w
}

// step applies a record, and what follows of it within some seconds.
func (w *whole) step(topic string, v any) {
	w.t.Helper()
	w.apply(topic, v)
	for range 20 {
		if err := w.m.Advance(w.m.Now+500, w.took); err != nil {
			w.t.Fatal(err)
		}
		for len(w.open) > 0 {
			at := w.open[0]
			w.open = w.open[1:]
			w.carryOut(at)
		}
	}
}

func (w *whole) apply(topic string, v any) {
	w.t.Helper()
	w.m.Now = max(w.m.Now, time.Now().UnixMilli())
	h, err := w.m.Step(&pipeline.Record{Topic: topic, Tenant: "acme", Key: []byte("acme"), Timestamp: w.m.Now, Decoded: v})
	if err != nil || h.Rejected != nil {
		w.t.Fatalf("%T: %v, %v", v, err, h.Rejected)
	}
	w.took(h)
}

// took takes what came out of one transaction.
func (w *whole) took(h pipetest.Happened) {
	for _, o := range h.Outputs {
		switch v := o.Value.(type) {
		case *schemas.SyncContact:
			w.persons[v.PersonID] = v
		case *schemas.SyncCall:
			w.calls[v.CallID] = v
		case *schemas.SyncConflict:
			w.items[v.ConflictID] = v
		case *schemas.DeadLetter:
			w.dead = append(w.dead, v.RecordKey+": "+v.Message)
		}
	}
	for _, e := range h.Effects {
		switch e := e.(type) {
		case pipeline.Start:
			w.open = append(w.open, e.Attempt)
		case pipeline.Watch:
			w.watch(e.Account)
		}
	}
}

// watch opens a connection anew whose account is configured otherwise.
func (w *whole) watch(a schemas.Account) {
	before, known := w.columns[a.Provider]
	w.columns[a.Provider] = a.Settings
	if !known || reflect.DeepEqual(before, a.Settings) {
		return
	}
	for _, p := range all.Providers() {
		if p.Name() != a.Provider {
			continue
		}
		c, err := p.Open(w.envs[a.Provider], "acme", a)
		if err != nil {
			w.t.Fatal(err)
		}
		w.conns[a.Provider] = c // the stream stays where it was
		w.t.Cleanup(func() { c.Close() })
	}
}

// carryOut does what the host does.
func (w *whole) carryOut(at *schemas.Attempt) {
	if at.Kind == schemas.KindWrite {
		for _, it := range at.Items {
			w.sent = append(w.sent, at.Object+" "+it.ID)
		}
	}
	var got []*schemas.CRMChange
	a := w.conns[at.Provider].Do(w.t.Context(), at, time.Now().Add(20*time.Second), func(_ context.Context, c *schemas.CRMChange) error {
		got = append(got, c)
		return nil
	})
	for _, c := range got {
		w.apply(schemas.TopicCRMChanges, c)
	}
	if a.Page != nil {
		w.apply(schemas.TopicCRMChanges, &schemas.CRMChange{Provider: at.Provider, Account: at.Account, ObservedAt: w.m.Now,
			PageEnd: &schemas.PageMarker{Source: at.Page.Source, From: at.Page.Cursor, To: a.Page.Next, AttemptID: at.ID, Last: a.Page.Last}})
	}
	a.Result.AttemptID, a.Result.Provider, a.Result.Account, a.Result.Kind, a.Result.Object = at.ID, at.Provider, at.Account, at.Kind, at.Object
	w.apply(schemas.TopicCRMResults, &a.Result)
}

// pushed takes the stream's events up to one of a kind.
func (w *whole) pushed(object, change string) {
	w.t.Helper()
	for {
		select {
		case c := <-w.events:
			w.step(schemas.TopicCRMChanges, c)
			if c.Object == object && c.Stream.ChangeType == change {
				return
			}
		case <-time.After(20 * time.Second):
			w.t.Fatalf("no %s of a %s was pushed", change, object)
		}
	}
}

func (w *whole) lead(fields map[string]any) (id string) {
	var out struct {
		ID string `json:"id"`
	}
	w.web["salesforce"].Own("POST", "write", map[string]any{"org": theOrg, "object": "Lead", "fields": fields}, &out)
	return out.ID
}

func (w *whole) call(id, number string, on ...schemas.Link) {
	d := int32(60)
	ev := &schemas.CallEvent{CallID: id, Revision: 1, Direction: schemas.Outbound, StartedAt: w.m.Now - 60_000, DurationSeconds: &d, ToNumber: number}
	for i := range on {
		ev.CRMLink = &on[i]
	}
	w.step(schemas.TopicDialerCalls, ev)
}

// task is what stands in Salesforce of a call.
func (w *whole) task(call string) map[string]any {
	var recs []map[string]any
	w.web["salesforce"].Own("GET", "records?org="+theOrg+"&object=Task", nil, &recs)
	i := slices.IndexFunc(recs, func(r map[string]any) bool { return r["Dialer_Call_Id__c"] == call })
	if i < 0 {
		w.t.Fatalf("%s is not among %v", call, recs)
	}
	if j := slices.IndexFunc(recs[i+1:], func(r map[string]any) bool { return r["Dialer_Call_Id__c"] == call }); j >= 0 {
		w.t.Fatalf("%s is there twice", call)
	}
	return recs[i]
}

func (w *whole) alive() (ids []string) {
	for id, p := range w.persons {
		if p.Status == "active" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// A lead with a call is converted in the CRM: both the events of one transaction and what
// stands there afterwards lead to one person with the call on its contact (B6).
func TestConversion(t *testing.T) {
	w := begin(t)
	lead := w.lead(map[string]any{"FirstName": "Ann", "LastName": "Lee", "Company": "Example Bakery", "Phone": "+14155550100"})
	w.pushed("Lead", "CREATE")
	w.call("c1", "+14155550100")
	w.step(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: w.m.Now, CRMLink: &schemas.Link{Provider: "salesforce", Object: "Lead", ID: lead},
		Fields: []schemas.Field{schemas.Text("do_not_call", "true")}})
	if who := w.task("c1")["WhoId"]; who != lead {
		t.Fatalf("before: the call is on %v", who)
	}
	var conv struct{ Account, Contact string }
	w.web["salesforce"].Own("POST", "convert", map[string]any{"org": theOrg, "lead": lead}, &conv)

	// Before anybody has heard of it: the lead refuses, and says why.
	w.call("c2", "+14155550100")
	w.sent = nil
	w.pushed("Lead", "UPDATE")
	w.step(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: w.m.Now, Fields: []schemas.Field{schemas.Text("title", "CEO")}})
	w.call("c3", "+14155550100")

	if alive := w.alive(); len(alive) != 1 {
		t.Fatalf("persons %v: %+v", alive, w.persons)
	}
	p := w.persons[w.alive()[0]]
	if want := []schemas.Link{{Provider: "salesforce", Object: "Contact", ID: conv.Contact}}; !slices.Equal(p.Links, want) || !p.DoNotCall || *p.ContactID != "d1" {
		t.Errorf("the person is %+v", p)
	}
	for _, id := range []string{"c1", "c2", "c3"} {
		rec := w.task(id)
		if rec["WhoId"] != conv.Contact || rec["WhatId"] != conv.Account {
			t.Errorf("%s is on %v of %v, want %s of %s", id, rec["WhoId"], rec["WhatId"], conv.Contact, conv.Account)
		}
		if w.calls[id].Status != schemas.StatusSynced {
			t.Errorf("%s is %+v", id, w.calls[id])
		}
	}
	for _, s := range w.sent {
		if strings.HasPrefix(s, "Lead") {
			t.Errorf("written afterwards: %s", s)
		}
	}
	if len(w.dead) != 1 || !strings.HasPrefix(w.dead[0], "salesforce/call:c2") {
		t.Errorf("dead letters %q", w.dead)
	}
}

// Two contacts are merged in HubSpot, which makes a third: they are one person, with the
// do-not-call of either and the calls of both (B7).
func TestMergeIntoANewRecord(t *testing.T) {
	w := begin(t)
	a := w.hubspot(map[string]string{"firstname": "Ann", "lastname": "Lee", "phone": "+14155550100"})
	b := w.hubspot(map[string]string{"firstname": "Anne", "lastname": "Lee-Roe", "phone": "+14155550101", "email": "ann@example.com"})
	w.step(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: w.m.Now, CRMLink: &schemas.Link{Provider: "hubspot", Object: "contacts", ID: b},
		Fields: []schemas.Field{schemas.Text("do_not_call", "true")}})
	w.call("c1", "+14155550100")
	if len(w.alive()) != 2 {
		t.Fatalf("before: %+v", w.persons)
	}
	var made struct{ ID string }
	w.web["hubspot"].Own("POST", "merge", map[string]any{"portal": thePortal, "user": "admin@acme.test", "object": "contacts", "winner": a, "losers": []string{b}}, &made)
	if made.ID == a || made.ID == b {
		t.Fatalf("the survivor is %s", made.ID)
	}
	for _, id := range []string{b, a, made.ID, b} { // as the webhook tells it, and a loser's deletion again
		w.hint(id)
	}
	w.call("c2", "+14155550101", schemas.Link{Provider: "hubspot", Object: "contacts", ID: b}) // the dialer's screen still has the old id
	alive := w.alive()
	if len(alive) != 1 {
		t.Fatalf("persons %v: %+v", alive, w.persons)
	}
	p := w.persons[alive[0]]
	if want := []schemas.Link{{Provider: "hubspot", Object: "contacts", ID: made.ID}}; !slices.Equal(p.Links, want) || !p.DoNotCall || p.ContactID == nil {
		t.Errorf("the person is %+v", p)
	}
	for _, id := range []string{"c1", "c2"} {
		if c := w.calls[id]; c.PersonID != p.PersonID || c.Status != schemas.StatusSynced {
			t.Errorf("%s is %+v", id, c)
		}
	}
	if n := w.web["hubspot"].Count("portal", thePortal, "calls"); n != 2 {
		t.Errorf("%d calls", n)
	}
	if len(w.dead) != 0 {
		t.Errorf("dead letters %q", w.dead)
	}
}

// hubspot makes a contact in HubSpot, as a user does.
func (w *whole) hubspot(props map[string]string) string {
	w.t.Helper()
	var out struct {
		ID string `json:"id"`
	}
	w.web["hubspot"].Own("POST", "write", map[string]any{"portal": 62515, "user": "admin@acme.test", "object": "contacts", "properties": props}, &out)
	w.hint(out.ID)
	return out.ID
}

// hint says that a contact of HubSpot may have changed, as its webhook does.
func (w *whole) hint(id string) {
	w.t.Helper()
	w.step(schemas.TopicCRMChanges, &schemas.CRMChange{Provider: "hubspot", Account: thePortal, Object: "contacts", ID: id, ObservedAt: w.m.Now, Hint: &schemas.Hint{Kind: "changed"}})
}

// Two contacts are merged in Salesforce, which deletes one of them and says in that one's
// row which is left: they are one person, who is alive (B7).
func TestMergeIntoTheOther(t *testing.T) {
	w := begin(t)
	contact := func(fields map[string]any) string {
		var out struct {
			ID string `json:"id"`
		}
		w.web["salesforce"].Own("POST", "write", map[string]any{"org": theOrg, "object": "Contact", "fields": fields}, &out)
		w.pushed("Contact", "CREATE")
		return out.ID
	}
	a := contact(map[string]any{"FirstName": "Ann", "LastName": "Lee", "Phone": "+14155550100"})
	b := contact(map[string]any{"FirstName": "Anne", "LastName": "Lee-Roe", "Phone": "+14155550101", "Email": "ann@example.com"})
	w.step(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: w.m.Now, CRMLink: &schemas.Link{Provider: "salesforce", Object: "Contact", ID: b},
		Fields: []schemas.Field{schemas.Text("do_not_call", "true")}})
	w.pushed("Contact", "UPDATE") // that nobody may call
	w.web["salesforce"].Own("POST", "merge", map[string]any{"org": theOrg, "object": "Contact", "winner": a, "losers": []string{b}, "fields": map[string]any{"Title": "CEO"}}, nil)
	w.pushed("Contact", "UPDATE")
	alive := w.alive()
	if len(alive) != 1 {
		t.Fatalf("persons %v: %+v", alive, w.persons)
	}
	p := w.persons[alive[0]]
	if want := []schemas.Link{{Provider: "salesforce", Object: "Contact", ID: a}}; !slices.Equal(p.Links, want) || !p.DoNotCall || p.ContactID == nil {
		t.Errorf("the person is %+v", p)
	}
	var recs []map[string]any
	w.web["salesforce"].Own("GET", "records?org="+theOrg+"&object=Contact", nil, &recs)
	i := slices.IndexFunc(recs, func(r map[string]any) bool { return r["Id"] == a })
	if i < 0 || recs[i]["DoNotCall"] != true || recs[i]["Email"] != "ann@example.com" {
		t.Errorf("Salesforce has %v", recs)
	}
	if len(w.dead) != 0 {
		t.Errorf("dead letters %q", w.dead)
	}
}

// HubSpot refuses an address that another contact has, and says which: that one is left
// alone, the rest of the write goes on, and somebody is asked whether both are one (B30).
func TestAnAddressThatIsTaken(t *testing.T) {
	w := begin(t)
	w.hubspot(map[string]string{"firstname": "Bo", "lastname": "Kim", "email": "bo@example.com"})
	b := w.hubspot(map[string]string{"firstname": "Ann", "lastname": "Lee", "email": "ann@example.com"})
	w.step(schemas.TopicDialerContacts, &schemas.ContactChange{ContactID: "d1", ModifiedAt: w.m.Now, CRMLink: &schemas.Link{Provider: "hubspot", Object: "contacts", ID: b},
		Fields: []schemas.Field{schemas.Text("email", "bo@example.com"), schemas.Text("last_name", "Roe")}})
	var recs []struct {
		Properties map[string]string `json:"properties"`
	}
	w.web["hubspot"].Own("GET", "records?portal="+thePortal+"&object=contacts", nil, &recs)
	var got []string
	for _, r := range recs {
		got = append(got, r.Properties["firstname"]+" "+r.Properties["lastname"]+" "+r.Properties["email"])
	}
	slices.Sort(got)
	if want := []string{"Ann Roe ann@example.com", "Bo Kim bo@example.com"}; !slices.Equal(got, want) {
		t.Errorf("HubSpot has %q", got)
	}
	if len(w.dead) != 1 || len(w.items) != 1 {
		t.Errorf("dead letters %q, questions %v", w.dead, w.items)
	}
}
