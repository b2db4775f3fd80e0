package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Events on contacts: of two custom ones with one uuid the first counts, for a year and over a restart; of two timeline ones with one
// id the last, or the second is refused; what is about nobody is not taken.
func TestOccurrences(t *testing.T) {
	dir := t.TempDir()
	e := start(t, dir, nil)
	list := func(e *env) (got []occurrence) {
		t.Helper()
		_, body, _ := e.do("GET", "/_sim/occurrences", "")
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	var made struct{ ID string }
	_, body, _ := e.do("POST", "/crm/v3/objects/contacts", `{"properties":{"email":"ada@x.y"}}`)
	if err := json.Unmarshal([]byte(body), &made); err != nil {
		t.Fatal(err)
	}
	expect := func(e *env, path, body string, want int) {
		t.Helper()
		if status, got, _ := e.do("POST", path, body); status != want {
			t.Errorf("%s %s: %d %s, want %d", path, body, status, got, want)
		}
	}
	const one, batch, line = "/events/v3/send", "/events/v3/send/batch", "/integrators/timeline/v3/events"
	custom := func(id, uuid, value string) string {
		return fmt.Sprintf(`{"eventName":"pe62515_drop","objectId":%q,"occurredAt":"2026-03-10T12:00:00.000Z","uuid":%q,"properties":{"script":%q}}`, id, uuid, value)
	}
	expect(e, one, custom(made.ID, "u1", "a"), http.StatusNoContent)
	expect(e, batch, `{"inputs":[`+custom(made.ID, "u1", "b")+`,`+custom(made.ID, "u2", "b")+`]}`, http.StatusNoContent)
	if got := list(e); len(got) != 2 || got[0].Props["script"] != "a" || got[1].ID != "u2" {
		t.Errorf("taken %+v", got)
	}
	expect(e, one, custom("999", "u3", "a"), http.StatusNotFound)
	expect(e, one, custom(made.ID, "u3", strings.Repeat("ä", 257)), http.StatusBadRequest)
	expect(e, one, strings.Replace(custom(made.ID, "u3", "a"), "pe62515", "pe1", 1), http.StatusBadRequest)
	expect(e, one, `{"eventName":"pe62515_drop","email":"nobody@x.y"}`, http.StatusNotFound)
	expect(e, one, `{"eventName":"pe62515_drop"}`, http.StatusBadRequest)
	expect(e, batch, `{"inputs":[`+custom(made.ID, "u4", "a")+`,`+custom("999", "u5", "a")+`]}`, http.StatusNotFound) // all or none
	if status, _, _ := e.do("GET", batch, ""); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", status)
	}

	expect(e, line, `{"eventTemplateId":"77","id":"t1","objectId":"`+made.ID+`","tokens":{"n":1}}`, http.StatusCreated)
	expect(e, line, `{"eventTemplateId":"77","id":"t1","objectId":"`+made.ID+`","tokens":{"n":2}}`, http.StatusCreated)
	expect(e, line, `{"eventTemplateId":"77","email":"new@x.y"}`, http.StatusCreated)
	expect(e, line, `{"eventTemplateId":"drop","objectId":"`+made.ID+`"}`, http.StatusBadRequest)
	if _, body, _ := e.do("GET", "/_sim/count?object=contacts&email=new@x.y", ""); strings.TrimSpace(body) != `{"count":1}` {
		t.Errorf("the contact of an unknown address: %s", body)
	}

	if err := e.sim.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, dir, func(c *Config) { c.Portals[0].TimelineConflict = true })
	got := list(again)
	if len(got) != 4 || got[2].Props["n"] != "2" {
		t.Fatalf("after a restart %+v", got)
	}
	expect(again, line, `{"eventTemplateId":"77","id":"t1","objectId":"`+made.ID+`"}`, http.StatusConflict)
	expect(again, one, custom(made.ID, "u1", "c"), http.StatusNoContent)
	if n := len(list(again)); n != 4 {
		t.Errorf("%d events after a repeat", n)
	}
	again.clk.add(366 * 24 * time.Hour)
	expect(again, one, custom(made.ID, "u1", "d"), http.StatusNoContent)
	if n := len(list(again)); n != 5 {
		t.Errorf("%d events when a year has passed", n)
	}
}

func TestOccurrencesNeedTheirScopes(t *testing.T) {
	e := start(t, "", func(c *Config) { c.Portals[0].Tokens[0].Scopes = []string{"crm.objects.contacts.read"} })
	for _, path := range []string{"/events/v3/send", "/integrators/timeline/v3/events"} {
		if status, body, _ := e.do("POST", path, `{}`); status != http.StatusForbidden || !strings.Contains(body, "MISSING_SCOPES") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
