package salesforce_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/connectortest"
	"github.com/crmstream/crmstream/connectors/salesforce"
	"github.com/crmstream/crmstream/connectors/salesforce/sim"
	"github.com/crmstream/crmstream/schemas"
)

const org = "00D000000000001EAA"

type simulator struct{ connectortest.Sim }

func (s simulator) write(object, id string, fields map[string]any) string {
	in := map[string]any{"org": org, "user": "admin@acme.test", "object": object, "fields": fields}
	if id != "" {
		in["id"] = id
	}
	var out struct {
		ID string `json:"id"`
	}
	s.Own("POST", "write", in, &out)
	return out.ID
}

func start(t *testing.T) (simulator, schemas.Account, connectors.Env, string) {
	return startBy(t, connectortest.Serve)
}

func startBy(t *testing.T, serve func(*testing.T, http.Handler, func() error) connectortest.Sim) (simulator, schemas.Account, connectors.Env, string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	server, err := sim.New(sim.Config{PollHold: 300 * time.Millisecond, Orgs: []sim.OrgConfig{{ID: org,
		Users: []sim.UserConfig{{ID: "005000000000001AAA", Username: "admin@acme.test", Email: "admin@acme.test", Name: "Admin"}},
		Apps:  []sim.AppConfig{{ClientID: "app", PublicKeyPEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub}))}}}}})
	if err != nil {
		t.Fatal(err)
	}
	web := serve(t, server.Handler(), server.Close)
	account := schemas.Account{Provider: "salesforce", ID: org, Server: "sim", AuthFlow: "jwt", Auth: []schemas.Field{
		schemas.Text("client_id", "app"), schemas.Text("key", "env:KEY"), schemas.Text("username", "admin@acme.test"),
		schemas.Text("audience", "https://login.salesforce.com")}}
	env := connectors.Env{HTTP: web.Client, Servers: map[string]string{"sim": web.URL}, Now: time.Now,
		Secret: func(context.Context, string) (string, error) { return private, nil }}
	return simulator{web}, account, env, private
}

func TestConformance(t *testing.T) {
	s, account, env, private := start(t)
	connectortest.Run(t, connectortest.System{
		Provider: salesforce.Provider(), Account: account, Env: env,
		Bad: schemas.Account{ID: "x", AuthFlow: "jwt"}, BadSettings: []string{"id", "auth.client_id", "auth.key", "auth.username"},
		Secrets: []string{private, "Bearer"},
		Object:  "Task", Identity: salesforce.CallField, Source: "Lead", Person: "Lead",
		Fields: func(n int) []schemas.Field {
			return []schemas.Field{schemas.Text("Priority", "Normal"), schemas.Text("Status", "Completed"), schemas.Text("Subject", fmt.Sprint("Call ", n))}
		},
		BadField: schemas.Text("Nonsense__c", "x"),
		Count:    func(object string) int { return s.Count("org", org, object) },
		Create: func(object string, n int) string {
			return s.write(object, "", map[string]any{"LastName": fmt.Sprint("L", n), "Company": "Acme"})
		},
		Edit: func(object, id string) {
			s.write(object, id, map[string]any{"Title": fmt.Sprint(time.Now().UnixNano())})
		},
		Number: func(international, national string) []string {
			return []string{s.write("Contact", "", map[string]any{"LastName": "N", "MobilePhone": international}),
				s.write("Lead", "", map[string]any{"LastName": "N", "Company": "Acme", "Phone": "(" + national[:3] + ") " + national[3:]})}
		},
		DropAfterApply: s.Fault(map[string]any{"kind": "drop_after_apply", "count": 1}),
		Expire:         s.Fault(map[string]any{"kind": "status", "status": 401, "code": "INVALID_SESSION_ID", "count": 1}),
		Throttle:       s.Fault(map[string]any{"kind": "status", "status": 403, "code": "REQUEST_LIMIT_EXCEEDED", "count": 1}),
	})
}
