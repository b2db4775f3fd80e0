package sim

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A contact that is deleted for privacy is told twice, has no values any more, also after a
// restart, and is never restored; the API may make a new one with the same address.
func TestPrivacyDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, r := t.TempDir(), new(receiver)
		set := func(c *Config) {
			c.Dir = dir
			c.Portals[0].App.Subscriptions = []string{"contact.privacyDeletion", "contact.deletion", "contact.restore"}
		}
		s := hooked(t, r, set)
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(call1(t, s, "POST", "/crm/v3/objects/contacts", `{"properties":{"email":"a@x.y","phone":"1"}}`)), &made); err != nil {
			t.Fatal(err)
		}
		own := func(what string) int {
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/_sim/write", strings.NewReader(`{"portal":7,"object":"contacts","id":"`+made.ID+`",`+what+`}`)))
			return w.Code
		}
		if status := own(`"privacy":true`); status != 200 {
			t.Fatalf("the deletion: %d", status)
		}
		time.Sleep(time.Second)
		var told []string
		for _, p := range r.got() {
			for _, e := range p.events {
				told = append(told, e.SubscriptionType)
			}
		}
		slices.Sort(told)
		if want := []string{"contact.deletion", "contact.privacyDeletion"}; !slices.Equal(told, want) {
			t.Errorf("told %q", told)
		}
		check := func() {
			t.Helper()
			if got := call1(t, s, "GET", "/_sim/records?portal=7&object=contacts&deleted=1", ""); strings.Contains(got, "a@x.y") || !strings.Contains(got, made.ID) {
				t.Errorf("what is left: %s", got)
			}
			if status := own(`"restore":true`); status != 404 {
				t.Errorf("it was restored: %d", status)
			}
		}
		check()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = hooked(t, r, set)
		check()
		if got := call1(t, s, "POST", "/crm/v3/objects/contacts", `{"properties":{"email":"a@x.y"}}`); !strings.Contains(got, `"email":"a@x.y"`) {
			t.Errorf("a new one: %s", got)
		}
	})
}
