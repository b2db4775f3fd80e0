package sim

import (
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestJWTBearer(t *testing.T) {
	e := start(t, nil)
	status, out := e.assert(e.claims(), testKey())
	if status != 200 || len(out) != 5 {
		t.Fatalf("%d %v", status, out)
	}
	equal(t, out["token_type"], "Bearer")
	equal(t, out["instance_url"], e.srv.URL)
	equal(t, out["id"], e.srv.URL+"/id/"+fixID(testOrg)+"/"+fixID(testUser))
	equal(t, out["access_token"][:16], testOrg[:15]+"!")
	equal(t, out["access_token"], e.token) // the session still lives

	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, field string
		value       any
		code, text  string
	}{
		{"audience", "aud", "https://example.com", "invalid_grant", "audience is invalid"},
		{"past", "exp", e.clock.now().Add(-time.Minute).Unix(), "invalid_grant", "expired authorization code"},
		{"milliseconds", "exp", e.clock.now().UnixMilli(), "invalid_grant", "expired authorization code"},
		{"app", "iss", "nobody", "invalid_client_id", "client identifier invalid"},
		{"user", "sub", "eve@example.com", "invalid_grant", "user hasn't approved this consumer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := e.claims()
			cl[c.field] = c.value
			status, out := e.assert(cl, testKey())
			if status != 400 {
				t.Errorf("status %d", status)
			}
			equal(t, out["error"]+": "+out["error_description"], c.code+": "+c.text)
		})
	}
	t.Run("other key", func(t *testing.T) {
		_, out := e.assert(e.claims(), other)
		equal(t, out["error_description"], "invalid assertion")
	})
	t.Run("other algorithm", func(t *testing.T) {
		s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, e.claims()).SignedString([]byte(publicPEM(testKey())))
		if err != nil {
			t.Fatal(err)
		}
		_, out := e.postToken(url.Values{"grant_type": {jwtGrant}, "assertion": {s}})
		equal(t, out["error_description"], "invalid assertion")
	})
	t.Run("grant type", func(t *testing.T) {
		_, out := e.postToken(url.Values{"grant_type": {"password"}})
		equal(t, out["error"], "unsupported_grant_type")
	})
}

func TestSessionEnds(t *testing.T) {
	e := start(t, nil)
	e.clock.add(90 * time.Minute)
	e.want(200, "GET", v59+"/limits", nil) // slides
	e.clock.add(90 * time.Minute)
	e.want(200, "GET", v59+"/limits", nil)
	e.clock.add(121 * time.Minute)
	equal(t, e.want(401, "GET", v59+"/limits", nil), `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`)
	if next := e.login(); next == e.token {
		t.Error("a login after the end of the session gave the dead token")
	}
}

func TestRefreshAndRevoke(t *testing.T) {
	e := start(t, nil)
	var g struct {
		Token string `json:"refresh_token"`
	}
	decode(t, e.want(200, "POST", "/_sim/grant", map[string]any{"client_id": testClient}), &g)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {g.Token}, "client_id": {testClient}, "client_secret": {"wrong"}}
	status, out := e.postToken(form)
	if status != 400 || out["error"] != "invalid_client" {
		t.Errorf("wrong secret: %d %v", status, out)
	}
	form.Set("client_secret", "s3cret")
	status, out = e.postToken(form)
	if status != 200 || out["signature"] == "" || out["issued_at"] == "" || out["refresh_token"] != "" {
		t.Fatalf("%d %v", status, out)
	}
	e.token = out["access_token"]
	contains(t, e.want(200, "GET", "/id/"+fixID(testOrg)+"/"+fixID(testUser), nil), `"username":"ada@example.com"`)

	resp, err := e.srv.Client().PostForm(e.srv.URL+"/services/oauth2/revoke", url.Values{"token": {g.Token}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("revoke: %d", resp.StatusCode)
	}
	e.want(401, "GET", v59+"/limits", nil) // its access token died with it
	status, out = e.postToken(form)
	if status != 400 || out["error_description"] != "expired access/refresh token" {
		t.Errorf("%d %v", status, out)
	}
	resp, err = http.Get(e.srv.URL + "/services/oauth2/revoke?token=" + url.QueryEscape(g.Token))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if v, err := url.ParseQuery(string(body)); resp.StatusCode != 400 || err != nil || v.Get("error") != "invalid_token" {
		t.Errorf("second revoke: %d %s", resp.StatusCode, body)
	}
}
