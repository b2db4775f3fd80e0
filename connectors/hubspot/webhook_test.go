package hubspot

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
)

const (
	secret  = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
	hookURL = "https://www.example.com/webhook_uri"
)

func TestSignatureVectors(t *testing.T) {
	for stamp, want := range map[string]string{
		"1693657560000": "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=",
		"1700000300000": "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw=",
	} {
		got := base64.StdEncoding.EncodeToString(sign(secret, "POST", hookURL, stamp, []byte("{'example_field':'example_value'}")))
		if got != want {
			t.Errorf("at %s: %s, want %s", stamp, got, want)
		}
	}
	if string(sign(secret, "POST", "https://x/a%3Fb%20c", "1", nil)) != string(sign(secret, "POST", "https://x/a?b%20c", "1", nil)) {
		t.Error("the escapes are not taken back as the sender does")
	}
}

func receive(body, key string, at, now time.Time, change string) ([]connectors.WebhookEvent, error) {
	r := httptest.NewRequest("POST", hookURL, strings.NewReader(body))
	stamp := strconv.FormatInt(at.UnixMilli(), 10)
	r.Header.Set("X-HubSpot-Request-Timestamp", stamp)
	r.Header.Set("X-HubSpot-Signature-v3", base64.StdEncoding.EncodeToString(sign(key, "POST", hookURL, stamp, []byte(body))))
	return provider{}.Receive(r, []byte(body+change), hookURL, secret, now)
}

func TestReceive(t *testing.T) {
	now := time.UnixMilli(1700000000000)
	body := `[{"eventId":1,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.propertyChange","objectId":123},
		{"portalId":62515,"subscriptionType":"object.deletion","objectTypeId":"0-1","objectId":267448862446},
		{"portalId":62515,"subscriptionType":"object.creation","objectTypeId":"0-48","objectId":7},
		{"portalId":62515,"subscriptionType":"deal.creation","objectId":8},
		{"portalId":9,"subscriptionType":"contact.merge","primaryObjectId":1,"mergedObjectIds":[2],"newObjectId":3}]`
	got, err := receive(body, secret, now, now, "")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range got {
		have = append(have, e.Account+" "+e.Change.Object+" "+e.Change.ID+" "+e.Change.Hint.Kind)
	}
	want := "62515 contacts 123 changed,62515 contacts 267448862446 deleted,62515 deals 8 changed,9 contacts 2 merged,9 contacts 1 merged,9 contacts 3 changed"
	if s := strings.Join(have, ","); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if got[0].Change.Hint.OccurredAt != 1564113600000 {
		t.Errorf("occurred at %d", got[0].Change.Hint.OccurredAt)
	}
	for what, try := range map[string]func() ([]connectors.WebhookEvent, error){
		"another secret": func() ([]connectors.WebhookEvent, error) { return receive(body, "other", now, now, "") },
		"a changed body": func() ([]connectors.WebhookEvent, error) { return receive(body, secret, now, now, " ") },
		"an old one": func() ([]connectors.WebhookEvent, error) {
			return receive(body, secret, now.Add(-freshness-time.Millisecond), now, "")
		},
		"one from the future": func() ([]connectors.WebhookEvent, error) {
			return receive(body, secret, now.Add(freshness+time.Millisecond), now, "")
		},
	} {
		var we *connectors.WebhookError
		if _, err := try(); !errors.As(err, &we) || we.Status != 401 {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The signature covers the method, the address as the sender was given it, the body
// and the time, to the letter; nothing else does.
func TestSignatureCorners(t *testing.T) {
	now := time.UnixMilli(1700000000000)
	const body = `[]`
	at := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).UnixMilli(), 10) }
	b64 := base64.StdEncoding.EncodeToString
	for _, c := range []struct {
		name        string
		signed, got string // addresses
		method      string // of the request; signed is POST
		stamp       string
		sig         func(good []byte) string
		ok          bool
	}{
		{name: "good", ok: true},
		{name: "five minutes old to the millisecond", stamp: at(-freshness), ok: true},
		{name: "a millisecond older", stamp: at(-freshness - time.Millisecond)},
		{name: "five minutes ahead", stamp: at(freshness), ok: true},
		{name: "a millisecond more", stamp: at(freshness + time.Millisecond)},
		{name: "seconds, not milliseconds", stamp: "1700000000"},
		{name: "no time", stamp: "-"},
		{name: "a time beyond all", stamp: "9223372036854775807"},
		{name: "a time before all", stamp: "-9223372036854775808"},
		{name: "another method", method: "PUT"},
		{name: "a query", signed: hookURL + "?a=1&b=2", got: hookURL + "?a=1&b=2", ok: true},
		{name: "a query in another order", signed: hookURL + "?a=1&b=2", got: hookURL + "?b=2&a=1"},
		{name: "the query is left out", signed: hookURL + "?a=1", got: hookURL},
		{name: "a port", signed: "https://www.example.com:8443/webhook_uri", got: "https://www.example.com:8443/webhook_uri", ok: true},
		{name: "the port is left out", signed: "https://www.example.com:8443/webhook_uri", got: hookURL},
		{name: "a proxy that ends TLS tells its own scheme", signed: hookURL, got: "http://www.example.com/webhook_uri"},
		{name: "a proxy that tells its own host", signed: hookURL, got: "https://10.0.0.1/webhook_uri"},
		{name: "escapes that the sender takes back", signed: "https://www.example.com/a:b/c@d?e=(f,g)", got: "https://www.example.com/a%3Ab%2Fc%40d?e=%28f%2cg%29", ok: true},
		{name: "escapes that the sender leaves", signed: "https://www.example.com/a%20b?c=%26", got: "https://www.example.com/a%20b?c=%26", ok: true},
		{name: "a blank is no plus", signed: "https://www.example.com/a%20b", got: "https://www.example.com/a+b"},
		{name: "a slash at the end", got: hookURL + "/"},
		{name: "no signature", sig: func([]byte) string { return "" }},
		{name: "not base64", sig: func([]byte) string { return "%%%" }},
		{name: "in hex", sig: func(b []byte) string { return hex.EncodeToString(b) }},
		{name: "cut short", sig: func(b []byte) string { return b64(b[:16]) }},
		{name: "of the older kind", sig: func([]byte) string {
			sum := sha256.Sum256([]byte(secret + body))
			return hex.EncodeToString(sum[:])
		}},
	} {
		signed, got, method, stamp := c.signed, c.got, c.method, c.stamp
		if signed == "" {
			signed = hookURL
		}
		if got == "" {
			got = signed
		}
		if method == "" {
			method = "POST"
		}
		if stamp == "" {
			stamp = at(0)
		}
		sig := b64(sign(secret, "POST", signed, stamp, []byte(body)))
		if c.sig != nil {
			sig = c.sig(sign(secret, "POST", signed, stamp, []byte(body)))
		}
		r := httptest.NewRequest(method, hookURL, nil)
		r.Header.Set("x-hubspot-request-timestamp", stamp)
		r.Header.Set("x-hubspot-signature-v3", sig)
		_, err := provider{}.Receive(r, []byte(body), got, secret, now)
		var we *connectors.WebhookError
		if c.ok && err != nil || !c.ok && (!errors.As(err, &we) || we.Status != 401) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// An app without a secret believes nobody.
	r := httptest.NewRequest("POST", hookURL, nil)
	r.Header.Set("X-HubSpot-Request-Timestamp", at(0))
	r.Header.Set("X-HubSpot-Signature-v3", b64(sign("", "POST", hookURL, at(0), nil)))
	if _, err := (provider{}).Receive(r, nil, hookURL, "", now); err == nil {
		t.Error("a delivery was believed without a secret")
	}
}

// What an event may look like: unknown ones cost nothing, and no neighbour.
func TestEventCorners(t *testing.T) {
	now := time.UnixMilli(1700000000000)
	for _, c := range []struct {
		name, body string
		want       string // "400" = the body is none
	}{
		{"none", `[]`, ""},
		{"a property, classic", `[{"portalId":1,"subscriptionType":"contact.propertyChange","objectId":5,"propertyName":"phone","propertyValue":"","occurredAt":3}]`, "1/5 changed@3"},
		{"a property, generic", `[{"portalId":1,"subscriptionType":"object.propertyChange","objectTypeId":"0-1","objectId":5,"isSensitive":false}]`, "1/5 changed@0"},
		{"restored", `[{"portalId":1,"subscriptionType":"contact.restore","objectId":5}]`, "1/5 changed@0"},
		{"deleted for privacy, twice told", `[{"portalId":1,"subscriptionType":"contact.privacyDeletion","objectId":5},{"portalId":1,"subscriptionType":"contact.deletion","objectId":5}]`, "1/5 erased@0 1/5 deleted@0"},
		{"an association names no record", `[{"portalId":1,"subscriptionType":"contact.associationChange","fromObjectId":5,"toObjectId":6}]`, ""},
		{"merged into a new record", `[{"portalId":1,"subscriptionType":"contact.merge","objectId":5,"primaryObjectId":5,"mergedObjectIds":[6,7],"newObjectId":9}]`, "1/6 merged@0 1/7 merged@0 1/5 merged@0 1/9 changed@0"},
		{"merged into one of them", `[{"portalId":1,"subscriptionType":"contact.merge","primaryObjectId":5,"mergedObjectIds":[6]}]`, "1/6 merged@0 1/5 changed@0"},
		{"two portals in one delivery", `[{"portalId":1,"subscriptionType":"contact.creation","objectId":5},{"portalId":2,"subscriptionType":"contact.creation","objectId":5}]`, "1/5 changed@0 2/5 changed@0"},
		{"ids as text, a time with a fraction", `[{"portalId":"1","subscriptionType":"contact.creation","objectId":"5","occurredAt":1.5}]`, "1/5 changed@0"},
		{"no portal, no record, nonsense", `[{"subscriptionType":"contact.creation","objectId":5},{"portalId":1,"subscriptionType":"contact.creation"},{"portalId":1,"subscriptionType":"contact.creation","objectId":0},{"portalId":-1,"subscriptionType":"contact.creation","objectId":5},{"portalId":1,"subscriptionType":"contact.creation","objectId":1e3}]`, ""},
		{"of a form that nobody knows, beside a good one", `[{"portalId":{},"subscriptionType":7},null,"x",{"portalId":1,"subscriptionType":"contact.creation","objectId":5}]`, "1/5 changed@0"},
		{"another object and another kind", `[{"portalId":1,"subscriptionType":"ticket.creation","objectId":5},{"portalId":1,"subscriptionType":"contact.newKind","objectId":5},{"portalId":1,"subscriptionType":"contact","objectId":5}]`, ""},
		{"no list", `{"portalId":1}`, "400"},
		{"nothing", ``, "400"},
		{"two documents", `[][]`, "400"},
	} {
		got, err := receive(c.body, secret, now, now, "")
		var we *connectors.WebhookError
		if c.want == "400" {
			if !errors.As(err, &we) || we.Status != 400 {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var have []string
		for _, e := range got {
			have = append(have, fmt.Sprintf("%s/%s %s@%d", e.Account, e.Change.ID, e.Change.Hint.Kind, e.Change.Hint.OccurredAt))
		}
		if s := strings.Join(have, " "); err != nil || s != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, s, err, c.want)
		}
	}
}
