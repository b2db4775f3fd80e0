package hubspot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/schemas"
)

// freshness bounds how far a delivery's time may be from ours, either way.
const freshness = 5 * time.Minute

// decoded are the escapes that HubSpot takes back before it signs a URL; all others
// stay.
var decoded = strings.NewReplacer("%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'",
	"%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";",
	"%3a", ":", "%2f", "/", "%3f", "?", "%2a", "*", "%2c", ",", "%3b", ";")

// sign is the v3 signature of a request.
func sign(secret, method, url, stamp string, body []byte) []byte {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(method + decoded.Replace(url)))
	m.Write(body)
	m.Write([]byte(stamp))
	return m.Sum(nil)
}

// event is one entry of a delivery.
type event struct {
	Type       string        `json:"subscriptionType"`
	ObjectType string        `json:"objectTypeId"`
	Portal     json.Number   `json:"portalId"`
	ID         json.Number   `json:"objectId"`
	OccurredAt json.Number   `json:"occurredAt"`
	Primary    json.Number   `json:"primaryObjectId"`
	Merged     []json.Number `json:"mergedObjectIds"`
	New        json.Number   `json:"newObjectId"`
}

// Receive implements connectors.WebhookReceiver.
func (provider) Receive(r *http.Request, body []byte, url, secret string, now time.Time) ([]connectors.WebhookEvent, error) {
	refuse := func(status int, why string) ([]connectors.WebhookEvent, error) {
		return nil, &connectors.WebhookError{Status: status, Why: why}
	}
	stamp := r.Header.Get("X-HubSpot-Request-Timestamp")
	ms, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return refuse(http.StatusUnauthorized, "the delivery has no time")
	}
	got, err := base64.StdEncoding.DecodeString(r.Header.Get("X-HubSpot-Signature-v3"))
	if err != nil || secret == "" || !hmac.Equal(got, sign(secret, r.Method, url, stamp, body)) {
		return refuse(http.StatusUnauthorized, "the signature is not of this delivery")
	}
	if age := now.Sub(time.UnixMilli(ms)); age > freshness || age < -freshness {
		return refuse(http.StatusUnauthorized, "the delivery is more than five minutes away from our clock")
	}
	var events []json.RawMessage
	if err := json.Unmarshal(body, &events); err != nil {
		return refuse(http.StatusBadRequest, "the body is no list of events")
	}
	var out []connectors.WebhookEvent
	for _, raw := range events {
		var e event
		// One of a form that nobody knows here must not cost its neighbours: the sender
		// would give up on all of them.
		if json.Unmarshal(raw, &e) == nil {
			out = append(out, hints(&e, now)...)
		}
	}
	return out, nil
}

// hinted are the kinds of record of which webhooks are heard, by their names there.
var hinted = map[string]string{"contact": contacts, "0-1": contacts, "company": companies, "0-2": companies, "deal": deals, "0-3": deals}

// hints are what one event says of contacts, companies and deals; other objects give none.
func hints(e *event, now time.Time) []connectors.WebhookEvent {
	kind, what, _ := strings.Cut(e.Type, ".")
	if kind == "object" {
		kind = e.ObjectType
	}
	object, ok := hinted[kind]
	if !ok || !number.MatchString(e.Portal.String()) {
		return nil
	}
	occurred, _ := e.OccurredAt.Int64() // 0 = not said
	var out []connectors.WebhookEvent
	add := func(id json.Number, kind string) {
		if !number.MatchString(id.String()) || id == "0" {
			return
		}
		out = append(out, connectors.WebhookEvent{Account: e.Portal.String(), Change: schemas.CRMChange{Provider: name, Account: e.Portal.String(),
			Object: object, ID: id.String(), ObservedAt: now.UnixMilli(), Hint: &schemas.Hint{OccurredAt: occurred, Kind: kind}}})
	}
	switch what {
	case "merge":
		for _, id := range e.Merged {
			if id != e.New {
				add(id, "merged")
			}
		}
		if e.New == "" || e.New == e.Primary {
			add(e.Primary, "changed")
			break
		}
		add(e.Primary, "merged")
		add(e.New, "changed")
	case "deletion":
		add(e.ID, "deleted")
	case "privacyDeletion":
		add(e.ID, schemas.HintErased)
	case "creation", "propertyChange", "restore":
		add(e.ID, "changed")
	}
	return out
}
