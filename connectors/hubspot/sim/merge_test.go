package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A merge makes a new record: the old ids mean it, also after a restart, but for a
// batch update; it is told once, with the deletions, and its calls go over.
func TestMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, r := t.TempDir(), new(receiver)
		set := func(c *Config) {
			c.Dir = dir
			c.Portals[0].App.Subscriptions = []string{"contact.merge", "contact.deletion", "contact.propertyChange:phone", "contact.creation", "contact.associationChange"}
		}
		s := hooked(t, r, set)
		create := func(object, props string) string {
			var out struct{ ID string }
			if err := json.Unmarshal([]byte(call1(t, s, "POST", "/crm/v3/objects/"+object, `{"properties":`+props+`}`)), &out); err != nil {
				t.Fatal(err)
			}
			return out.ID
		}
		a := create("contacts", `{"email":"a@x.y","phone":"1"}`)
		b := create("contacts", `{"email":"b@x.y","phone":"2","city":"c"}`)
		k := create("calls", `{"hs_timestamp":"1"}`)
		call1(t, s, "PUT", "/crm/v4/objects/calls/"+k+"/associations/default/contacts/"+b, "")
		time.Sleep(time.Second)
		var told []string
		for _, p := range r.got() {
			told = append(told, types(p.events)...)
		}
		if n := strings.Count(strings.Join(told, " "), "associationChange"); n != 1 {
			t.Errorf("%d events of one association, of one side", n)
		}
		before := len(r.got())
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(call1(t, s, "POST", "/_sim/merge", fmt.Sprintf(`{"object":"contacts","user":"1","winner":%q,"losers":[%q]}`, a, b))), &made); err != nil || made.ID == a || made.ID == b {
			t.Fatalf("made %+v, %v", made, err)
		}
		time.Sleep(time.Second)
		ps := r.got()[before:]
		if len(ps) != 1 {
			t.Fatalf("%d deliveries", len(ps))
		}
		got := types(ps[0].events)
		slices.Sort(got)
		if want := []string{"associationChange:", "deletion:", "deletion:", "merge:"}; !slices.Equal(got, want) {
			t.Errorf("told %q", got)
		}
		for _, e := range ps[0].events {
			if e.SubscriptionType == "contact.merge" && (fmt.Sprint(e.PrimaryObjectID, e.MergedObjectIDs, e.NewObjectID) != a+" ["+b+"] "+made.ID) {
				t.Errorf("told %+v", e)
			}
		}
		check := func() {
			t.Helper()
			for _, id := range []string{a, b, made.ID} {
				got := call1(t, s, "GET", "/crm/v3/objects/contacts/"+id+"?properties=email,phone,city,hs_merged_object_ids", "")
				for _, part := range []string{`"id":"` + made.ID + `"`, `"email":"a@x.y"`, `"phone":"1"`, `"city":"c"`, `"hs_merged_object_ids":"` + a + ";" + b + `"`} {
					if !strings.Contains(got, part) {
						t.Errorf("%s lacks %s: %s", id, part, got)
					}
				}
			}
			if got := call1(t, s, "GET", "/crm/v4/objects/contacts/"+made.ID+"/associations/calls", ""); !strings.Contains(got, `"toObjectId":`+k) {
				t.Errorf("its call did not go over: %s", got)
			}
			if got := call1(t, s, "GET", "/crm/v4/objects/calls/"+k+"/associations/contacts", ""); !strings.Contains(got, `"toObjectId":`+made.ID) {
				t.Errorf("its call does not know it: %s", got)
			}
			if got := call1(t, s, "POST", "/crm/v3/objects/contacts/batch/update", `{"inputs":[{"id":"`+a+`","objectWriteTraceId":"0","properties":{"city":"d"}}]}`); !strings.Contains(got, "OBJECT_NOT_FOUND") {
				t.Errorf("a batch update took an old id: %s", got)
			}
			if got := call1(t, s, "GET", "/_sim/count?object=contacts", ""); got != `{"count":1}` {
				t.Errorf("%s", got)
			}
		}
		check()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = hooked(t, r, set)
		check()
	})
}
