package hubspot

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

var classes = []string{schemas.ErrTransient, schemas.ErrThrottled, schemas.ErrAuth, schemas.ErrForbidden, schemas.ErrPermanent, schemas.ErrNotFound,
	schemas.ErrConflict, schemas.ErrBatch, schemas.ErrDuplicates}

// Whatever the server writes, an answer has a class, a bounded message without an
// e-mail address, and settles every item of a batch once.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{``, `<html>`, `[]`, `{"message":"a@b.c Existing ID: 3","category":"CONFLICT"}`, `{"context":{"ids":"x"},"errorType":"RATE_LIMIT"}`,
		`{"results":[{"id":"1","objectWriteTraceId":"0"},{"id":"2"}],"errors":[{"message":"x","context":{"objectWriteTraceId":["1"],"ids":["2"]}}]}`} {
		f.Add(207, s)
		f.Add(400, s)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		e, outcome := whole(&rest.Response{Status: status, Header: http.Header{}, Body: []byte(body)}, time.Now())
		if !slices.Contains(classes, e.Class) || outcome != schemas.NotSent && outcome != schemas.Unknown || len(e.Message) > 600 || strings.Contains(e.Message, "a@b.c") {
			t.Errorf("got %+v, %s", e, outcome)
		}
		fl, _ := parse([]byte(body))
		if class, id := classify(&fl); !slices.Contains(classes, class) || id != "" && !number.MatchString(id) {
			t.Errorf("got %s, %s", class, id)
		}
		s := serve(t, map[string]reply{"/crm/v3/objects/calls/batch/upsert": {status: 207, body: body}})
		for _, it := range s.do(write(schemas.OpUpsert, upsertItem("a"), upsertItem("b")), nil).Result.Items {
			if it.Outcome == "" || it.Outcome == schemas.NotSent || it.Error != "" && !slices.Contains(classes, it.Error) {
				t.Errorf("item %+v", it)
			}
		}
	})
}

// No delivery, however it is formed, makes an event of nobody's or of no record.
func FuzzDelivery(f *testing.F) {
	f.Add(`[{"portalId":1,"subscriptionType":"contact.merge","primaryObjectId":1,"mergedObjectIds":[2],"newObjectId":3}]`)
	f.Add(`[{"portalId":"1","subscriptionType":"object.deletion","objectTypeId":"0-1","objectId":1e2},null,7]`)
	f.Fuzz(func(t *testing.T, body string) {
		now := time.UnixMilli(1700000000000)
		got, _ := receive(body, secret, now, now, "")
		for _, e := range got {
			if !number.MatchString(e.Account) || !number.MatchString(e.Change.ID) || e.Change.Hint == nil || e.Change.Object != contacts {
				t.Errorf("got %+v", e)
			}
		}
	})
}
