package sim

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func (e *env) fault(f map[string]any) {
	e.t.Helper()
	e.want(200, "POST", "/_sim/faults", f)
}

// silent makes a request that must end without an answer.
func (e *env) silent(method, path, body string) {
	e.t.Helper()
	req, err := http.NewRequest(method, e.srv.URL+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+e.token)
	if resp, err := e.srv.Client().Do(req); err == nil {
		resp.Body.Close()
		e.t.Errorf("%s %s was answered %d", method, path, resp.StatusCode)
	}
}

func TestFaults(t *testing.T) {
	e := start(t, nil)
	count := func() string { return e.want(200, "GET", "/_sim/count?object=Lead", nil) }
	lead := `{"LastName":"a","Company":"b"}`
	post := v59 + "/sobjects/Lead"
	e.fault(map[string]any{"kind": "status", "status": 503, "count": 2, "path": "/services/data/", "method": "POST"})
	e.want(200, "GET", v59+"/limits", nil) // does not fit
	for range 2 {
		contains(t, e.want(503, "POST", post, lead), "<html>")
	}
	equal(t, count(), `{"count":0}`)
	e.fault(map[string]any{"kind": "drop", "contains": "/sobjects/Lead"})
	e.silent("POST", post, lead)
	equal(t, count(), `{"count":0}`)
	e.fault(map[string]any{"kind": "drop_after_apply", "contains": "/sobjects/Lead"})
	e.silent("POST", post, lead)
	equal(t, count(), `{"count":1}`)
	e.fault(map[string]any{"kind": "status_after_apply", "status": 500})
	contains(t, e.want(500, "POST", post, lead), "UNKNOWN_EXCEPTION")
	equal(t, count(), `{"count":2}`)
	e.fault(map[string]any{"kind": "delay", "delay_ms": 30})
	begun := time.Now()
	e.want(201, "POST", post, lead)
	if time.Since(begun) < 30*time.Millisecond {
		t.Error("not delayed")
	}
	e.fault(map[string]any{"kind": "item_error", "object": "Lead", "code": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access to this record or 1 records: 001x"})
	contains(t, e.want(400, "POST", post, lead), "UNABLE_TO_LOCK_ROW")
	e.fault(map[string]any{"kind": "status", "status": 500, "count": -1})
	e.want(500, "GET", v59, nil)
	e.want(500, "GET", v59, nil)
	contains(t, e.want(200, "GET", "/_sim/faults", nil), `"count":-3`)
	e.want(200, "DELETE", "/_sim/faults", nil)
	e.want(200, "GET", v59, nil)
	e.want(400, "POST", "/_sim/faults", map[string]any{"kind": "nonsense"})
	e.want(400, "POST", "/_sim/faults", map[string]any{"kind": "status"})

	s := e.join("/data/ChangeEvents", -2)
	e.fault(map[string]any{"kind": "withhold_events"})
	if got := events(t, s.say(sayPoll)); len(got) != 0 {
		t.Errorf("%d events were not withheld", len(got))
	}
	e.fault(map[string]any{"kind": "server_busy"})
	contains(t, s.say(sayPoll), "503::Server is too busy")
	got := events(t, s.say(sayPoll))
	if len(got) != 3 {
		t.Errorf("%d events", len(got))
	}
	e.fault(map[string]any{"kind": "invalid_replay"})
	contains(t, s.subscribe("/data/ChangeEvents", got[0].Data.Event.ReplayID), "400::The replayId")
	contains(t, s.subscribe("/data/ChangeEvents", got[0].Data.Event.ReplayID), `"successful":true`)
	e.fault(map[string]any{"kind": "unknown_client"})
	contains(t, s.say(sayPoll), "403::Unknown client")
	e.fault(map[string]any{"kind": "expire_events", "org": testOrg[:15]})
	s = e.stream()
	s.handshake()
	contains(t, s.subscribe("/data/ChangeEvents", got[2].Data.Event.ReplayID), "400::The replayId")
}

func TestUIEdits(t *testing.T) {
	e := start(t, nil)
	var w struct{ ID string }
	decode(t, e.want(200, "POST", "/_sim/write", map[string]any{"org": fixID(testOrg), "user": "ada@example.com", "object": "Lead",
		"fields": map[string]any{"LastName": "Byron", "FirstName": "Ada", "Company": "Engines", "City": "London", "Dialer_DNC__c": true}}), &w)
	lead := w.ID
	s := e.join("/data/ChangeEvents", -1)
	e.want(200, "POST", "/_sim/write", map[string]any{"object": "Lead", "id": lead, "fields": map[string]any{"Title": "Countess"}})
	got := events(t, s.say(sayConnect))
	equal(t, got[0].header(t).ChangeOrigin, uiOrigin)
	contains(t, e.want(400, "POST", "/_sim/write", map[string]any{"object": "Lead", "id": lead, "fields": map[string]any{"Nope": 1}}), "INVALID_FIELD")

	taskID := e.create("Task", map[string]any{"WhoId": lead, "Subject": "call"})
	s.say(sayConnect)
	e.clock.add(time.Minute)
	var conv struct{ Account, Contact, Opportunity string }
	decode(t, e.want(200, "POST", "/_sim/convert", map[string]any{"lead": lead, "opportunity": true}), &conv)
	fresh := e.join("/data/ChangeEvents", got[0].Data.Event.ReplayID)
	got = events(t, fresh.say(sayPoll))[1:] // after the task's
	var story []string
	for _, ev := range got {
		h := ev.header(t)
		story = append(story, fmt.Sprintf("%s %s %d", h.EntityName, h.ChangeType, h.SequenceNumber))
	}
	equal(t, strings.Join(story, ", "), "Account CREATE 1, Contact CREATE 2, Opportunity CREATE 3, Lead UPDATE 4")
	if p := string(got[3].Data.Payload); strings.Contains(p, "LastModifiedDate") || !strings.Contains(p, `"ConvertedContactId":"`+conv.Contact+`"`) {
		t.Error(p)
	}
	contains(t, e.want(200, "GET", v59+"/sobjects/Task/"+taskID, nil), `"WhoId":"`+conv.Contact+`"`)
	contains(t, e.want(200, "GET", v59+"/sobjects/Contact/"+conv.Contact, nil), `"Dialer_DNC__c":true`)
	converted := `[{"errorCode":"CANNOT_UPDATE_CONVERTED_LEAD","fields":[],"message":"cannot reference converted lead"}]`
	equal(t, e.want(400, "PATCH", v59+"/sobjects/Lead/"+lead, map[string]any{"Title": "x"}), converted)
	equal(t, e.want(400, "POST", v59+"/sobjects/Task", map[string]any{"WhoId": lead}), converted)
	e.want(400, "POST", "/_sim/convert", map[string]any{"lead": lead})

	a, b := e.create("Contact", map[string]any{"LastName": "a"}), e.create("Contact", map[string]any{"LastName": "b"})
	e.want(204, "PATCH", v59+"/sobjects/Task/"+taskID, map[string]any{"WhoId": a})
	fresh.say(sayPoll)
	e.want(200, "POST", "/_sim/merge", map[string]any{"object": "Contact", "winner": conv.Contact, "losers": []string{a, b}})
	got = events(t, fresh.say(sayPoll))
	if len(got) != 2 || got[0].header(t).ChangeType != "DELETE" || len(got[0].header(t).RecordIds) != 2 || got[1].header(t).RecordIds[0] != conv.Contact {
		t.Errorf("%+v", got)
	}
	contains(t, e.want(200, "GET", "/_sim/records?object=Contact&deleted=1&Id="+a, nil), `"MasterRecordId":"`+conv.Contact+`"`)
	contains(t, e.want(200, "GET", v59+"/sobjects/Task/"+taskID, nil), `"WhoId":"`+conv.Contact+`"`)
	e.want(200, "POST", "/_sim/write", map[string]any{"object": "Task", "id": taskID, "delete": true})
	equal(t, e.want(200, "GET", "/_sim/records?object=Task", nil), "[]")
}

func TestReadingSurface(t *testing.T) {
	e := start(t, nil)
	for i := range 5 {
		e.create("Account", map[string]any{"Name": fmt.Sprint("A", i%2), "NumberOfEmployees": i})
	}
	contains(t, e.want(200, "GET", "/_sim/orgs", nil), `"client_ids":["`+testClient+`"]`)
	equal(t, e.want(200, "GET", "/_sim/count?object=Account&Name=A0", nil), `{"count":3}`)
	equal(t, e.want(200, "GET", "/_sim/count?object=Account&NumberOfEmployees=4&IsDeleted=false", nil), `{"count":1}`)
	lines := e.want(200, "GET", "/_sim/records?object=Account&format=jsonl&offset=1&limit=2", nil)
	if n := strings.Count(lines, "\n"); n != 2 || !strings.Contains(lines, `"NumberOfEmployees":1`) {
		t.Errorf("%d lines: %s", n, lines)
	}
	e.want(404, "GET", "/_sim/count?object=Nope", nil)
	e.want(404, "GET", "/_sim/count?object=Lead&org=00D000000000000", nil)
	e.want(400, "GET", "/_sim/count?object=Lead&Nope=1", nil)
	out := e.want(200, "GET", "/_sim/requests", nil)
	contains(t, out, `"single_write":5`)
	contains(t, out, `"login":1`)
	contains(t, out, `"daily":{"max":100000,"remaining":99995,"used":5}`)
}

// TestConcurrentWriters: no update is lost or told twice, whoever writes.
func TestConcurrentWriters(t *testing.T) {
	e := start(t, func(c *Config) { c.Dir = t.TempDir() })
	s := e.join("/data/TaskChangeEvent", -1)
	const writers, each = 8, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e.send("PATCH", v59+"/composite/sobjects/Task/Dialer_Call_Id__c", map[string]any{"records": []any{task("Dialer_Call_Id__c", fmt.Sprintf("%d-%d", w, i), "Subject", fmt.Sprint(w))}})
			}
		})
	}
	wg.Wait()
	equal(t, e.want(200, "GET", "/_sim/count?object=Task", nil), fmt.Sprintf(`{"count":%d}`, writers*each))
	seen := map[string]int{}
	last := int64(0)
	for _, ev := range events(t, s.say(sayPoll)) {
		if ev.Data.Event.ReplayID <= last {
			t.Fatal("replay ids do not rise")
		}
		last = ev.Data.Event.ReplayID
		for _, id := range ev.header(t).RecordIds {
			seen[id]++
		}
	}
	if len(seen) != writers*each {
		t.Errorf("events for %d records", len(seen))
	}
}

// BenchmarkCollections reports items a second through HTTP, with a log on disk.
func BenchmarkCollections(b *testing.B) {
	e := start(b, func(c *Config) { c.Dir = b.TempDir(); c.Orgs[0].DailyLimit = 1 << 30 })
	n := 0
	for b.Loop() {
		recs := make([]any, 200)
		for i := range recs {
			n++
			recs[i] = task("Dialer_Call_Id__c", fmt.Sprint("call-", n), "Subject", "Call", "Status", "Completed", "Description", strings.Repeat("note ", 20))
		}
		e.want(200, "PATCH", v59+"/composite/sobjects/Task/Dialer_Call_Id__c", map[string]any{"records": recs})
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "items/s")
}
