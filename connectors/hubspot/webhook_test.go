package hubspot

import (
	"encoding/base64"
	"errors"
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
	want := "62515 contacts 123 changed,62515 contacts 267448862446 deleted,9 contacts 2 merged,9 contacts 1 merged,9 contacts 3 changed"
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
