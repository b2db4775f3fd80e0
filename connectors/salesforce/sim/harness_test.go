package sim

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	testOrg    = "00D5e000000AbcDEAS"
	testUser   = "0055e000001xYzAAAU"
	testClient = "3MVG9.test.client"
	v59        = "/services/data/v59.0"
)

// testKey is made once: an RSA key takes long.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func publicPEM(key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func fixID(s string) string { return s[:15] + idSuffix(s[:15]) }

func testConfig() Config {
	return Config{Orgs: []OrgConfig{{
		ID:    fixID(testOrg),
		Users: []UserConfig{{ID: fixID(testUser), Username: "ada@example.com", Email: "ada@example.com", Name: "Ada Admin"}},
		Apps:  []AppConfig{{ClientID: testClient, PublicKeyPEM: publicPEM(testKey()), ClientSecret: "s3cret"}},
	}}}
}

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)} }
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// env is a simulator on a port and one client of it.
type env struct {
	t     testing.TB
	sim   *Server
	srv   *httptest.Server
	token string
	clock *clock
	head  http.Header // sent with every request
}

func start(t testing.TB, change func(*Config)) *env {
	t.Helper()
	e := &env{t: t, clock: newClock(), head: http.Header{}}
	cfg := testConfig()
	cfg.Now = e.clock.now
	if change != nil {
		change(&cfg)
	}
	sim, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.sim = sim
	e.srv = httptest.NewServer(sim.Handler())
	t.Cleanup(e.stop)
	e.token = e.login()
	return e
}

func (e *env) stop() {
	if err := e.sim.Close(); err != nil {
		e.t.Error(err)
	}
	e.srv.Close()
}

func (e *env) claims() jwt.MapClaims {
	return jwt.MapClaims{"iss": testClient, "sub": "ada@example.com", "aud": "https://login.salesforce.com", "exp": e.clock.now().Add(3 * time.Minute).Unix()}
}

func (e *env) postToken(form url.Values) (int, map[string]string) {
	e.t.Helper()
	resp, err := e.srv.Client().PostForm(e.srv.URL+"/services/oauth2/token", form)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]string
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		e.t.Fatal(err)
	}
	return resp.StatusCode, out
}

func (e *env) assert(c jwt.MapClaims, key *rsa.PrivateKey) (int, map[string]string) {
	e.t.Helper()
	s, err := jwt.NewWithClaims(jwt.SigningMethodRS256, c).SignedString(key)
	if err != nil {
		e.t.Fatal(err)
	}
	return e.postToken(url.Values{"grant_type": {jwtGrant}, "assertion": {s}})
}

func (e *env) login() string {
	e.t.Helper()
	status, out := e.assert(e.claims(), testKey())
	if status != 200 {
		e.t.Fatalf("login: %d %v", status, out)
	}
	return out["access_token"]
}

// send makes a request with the client's token. A string body is sent as it is, any other as JSON.
func (e *env) send(method, path string, body any) (*http.Response, []byte) {
	e.t.Helper()
	var rd io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		rd = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			e.t.Fatal(err)
		}
		rd = bytes.NewReader(j)
	}
	req, err := http.NewRequest(method, e.srv.URL+path, rd)
	if err != nil {
		e.t.Fatal(err)
	}
	for k, v := range e.head {
		req.Header[k] = v
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+e.token)
	resp, err := e.srv.Client().Do(req)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return resp, out
}

// want sends a request, checks the status and returns the body.
func (e *env) want(status int, method, path string, body any) string {
	e.t.Helper()
	resp, out := e.send(method, path, body)
	if resp.StatusCode != status {
		e.t.Fatalf("%s %s: status %d, want %d: %s", method, path, resp.StatusCode, status, out)
	}
	return string(out)
}

// create makes a record and returns its id.
func (e *env) create(object string, fields map[string]any) string {
	e.t.Helper()
	var out struct{ ID string }
	decode(e.t, e.want(201, "POST", v59+"/sobjects/"+object, fields), &out)
	return out.ID
}

func (e *env) query(soql string) string {
	e.t.Helper()
	return e.want(200, "GET", v59+"/query?q="+url.QueryEscape(soql), nil)
}

func decode(t testing.TB, body string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
}

func equal(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func contains(t testing.TB, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("got %s\nwhich lacks %s", got, want)
	}
}
