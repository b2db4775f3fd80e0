package salesforce_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/connectortest"
	"github.com/crmstream/crmstream/connectors/salesforce"
	"github.com/crmstream/crmstream/connectors/salesforce/sim"
	"github.com/crmstream/crmstream/schemas"
)

const org = "00D000000000001EAA"

type simulator struct {
	t   *testing.T
	url string
}

// own calls the simulator's own endpoints.
func (s simulator) own(method, path string, in, out any) {
	s.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode/100 != 2 {
		s.t.Errorf("%s %s: %d %s", method, path, res.StatusCode, b)
		return
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			s.t.Errorf("%s %s: %v in %s", method, path, err, b)
		}
	}
}

func (s simulator) write(object, id string, fields map[string]any) string {
	in := map[string]any{"org": org, "user": "admin@acme.test", "object": object, "fields": fields}
	if id != "" {
		in["id"] = id
	}
	var out struct {
		ID string `json:"id"`
	}
	s.own("POST", "/_sim/write", in, &out)
	return out.ID
}

func (s simulator) fault(f map[string]any) func() {
	return func() { s.own("POST", "/_sim/faults", f, nil) }
}

func start(t *testing.T) (simulator, schemas.Account, connectors.Env, string) {
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
	web := httptest.NewServer(server.Handler())
	t.Cleanup(func() { web.Close(); server.Close() })
	account := schemas.Account{Provider: "salesforce", ID: org, Server: "sim", AuthFlow: "jwt", Auth: []schemas.Field{
		schemas.Text("client_id", "app"), schemas.Text("key", "env:KEY"), schemas.Text("username", "admin@acme.test"),
		schemas.Text("audience", "https://login.salesforce.com")}}
	env := connectors.Env{HTTP: &http.Client{}, Servers: map[string]string{"sim": web.URL}, Now: time.Now,
		Secret: func(context.Context, string) (string, error) { return private, nil }}
	return simulator{t, web.URL}, account, env, private
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
		Count: func(object string) int {
			var out struct {
				Count int `json:"count"`
			}
			s.own("GET", "/_sim/count?org="+org+"&object="+object, nil, &out)
			return out.Count
		},
		Create: func(object string, n int) string {
			return s.write(object, "", map[string]any{"LastName": fmt.Sprint("L", n), "Company": "Acme"})
		},
		Edit: func(object, id string) {
			s.write(object, id, map[string]any{"Title": fmt.Sprint(time.Now().UnixNano())})
		},
		DropAfterApply: s.fault(map[string]any{"kind": "drop_after_apply", "count": 1}),
		Expire:         s.fault(map[string]any{"kind": "status", "status": 401, "code": "INVALID_SESSION_ID", "count": 1}),
		Throttle:       s.fault(map[string]any{"kind": "status", "status": 403, "code": "REQUEST_LIMIT_EXCEEDED", "count": 1}),
	})
}
