package sim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestSingleRecord(t *testing.T) {
	e := start(t, nil)
	id := e.create("Lead", map[string]any{"LastName": "Byron", "Company": "Analytical", "Street": "1 Main", "City": "London"})
	if id[:3] != "00Q" || len(id) != 18 {
		t.Errorf("id %s", id)
	}
	equal(t, e.want(200, "GET", v59+"/sobjects/Lead/"+id+"?fields=Id,Name,Status,Address,CreatedDate,DoNotCall", nil),
		`{"attributes":{"type":"Lead","url":"/services/data/v59.0/sobjects/Lead/`+id+`"},"Id":"`+id+`","Name":"Byron","Status":"Open - Not Contacted",`+
			`"Address":{"street":"1 Main","city":"London","state":null,"postalCode":null,"country":null},"CreatedDate":"2026-03-10T12:00:00.000+0000","DoNotCall":false}`)
	e.clock.add(time.Minute)
	equal(t, e.want(204, "PATCH", v59+"/sobjects/Lead/"+id[:15], map[string]any{"FirstName": "Ada", "Title": ""}), "")
	contains(t, e.want(200, "GET", v59+"/sobjects/Lead/"+id, nil), `"Name":"Ada Byron"`)
	contains(t, e.query("SELECT LastModifiedDate FROM Lead"), `"2026-03-10T12:01:00.000+0000"`)
	e.head.Set("If-Unmodified-Since", "Tue, 10 Mar 2026 12:00:30 GMT")
	e.want(412, "PATCH", v59+"/sobjects/Lead/"+id, map[string]any{"Title": "x"})
	e.head.Del("If-Unmodified-Since")

	equal(t, e.want(204, "DELETE", v59+"/sobjects/Lead/"+id, nil), "")
	deleted := `[{"errorCode":"ENTITY_IS_DELETED","fields":[],"message":"entity is deleted"}]`
	equal(t, e.want(404, "DELETE", v59+"/sobjects/Lead/"+id, nil), deleted)
	equal(t, e.want(404, "GET", v59+"/sobjects/Lead/"+id, nil), deleted)
	equal(t, e.query("SELECT COUNT() FROM Lead"), `{"totalSize":0,"done":true,"records":[]}`)
	contains(t, e.want(200, "GET", v59+"/queryAll?q="+url.QueryEscape("SELECT IsDeleted FROM Lead"), nil), `"IsDeleted":true`)
}

func TestUpsertByKey(t *testing.T) {
	e := start(t, nil)
	path := v59 + "/sobjects/Task/Dialer_Call_Id__c/call-1"
	var made struct {
		ID      string
		Created bool
	}
	decode(t, e.want(201, "PATCH", path, map[string]any{"Subject": "Call", "Status": "Completed"}), &made)
	if !made.Created {
		t.Error("not created")
	}
	equal(t, e.want(200, "PATCH", path, map[string]any{"Subject": "Call again"}), `{"id":"`+made.ID+`","success":true,"errors":[],"created":false}`)
	old := strings.Replace(path, "v59", "v45", 1)
	equal(t, e.want(204, "PATCH", old, map[string]any{"Subject": "x"}), "")
	if body := e.want(201, "PATCH", strings.Replace(old, "call-1", "call-2", 1), map[string]any{}); strings.Contains(body, "created") {
		t.Errorf("v45 shows created: %s", body)
	}
	contains(t, e.want(400, "PATCH", path, map[string]any{"Dialer_Call_Id__c": "call-1"}), "INVALID_FIELD")
	contains(t, e.want(404, "PATCH", v59+"/sobjects/Task/Dialer_Call_Id__c/none?updateOnly=true", map[string]any{}), "Provided external ID field does not exist or is not accessible: none")
	e.want(404, "PATCH", v59+"/sobjects/Task/Dialer_Call_Id__c/a@b.inc", map[string]any{})
	e.want(404, "PATCH", v59+"/sobjects/Task/CallObject/x", map[string]any{})
	e.want(201, "PATCH", v59+"/sobjects/Task/Dialer_Call_Id__c/a%2Fb", map[string]any{})
	contains(t, e.want(200, "GET", v59+"/sobjects/Task/Dialer_Call_Id__c/a%2Fb", nil), `"Dialer_Call_Id__c":"a/b"`)
	equal(t, e.want(400, "POST", v59+"/sobjects/Task", map[string]any{"Dialer_Call_Id__c": "call-1"}),
		`[{"errorCode":"DUPLICATE_VALUE","fields":[],"message":"duplicate value found: Dialer_Call_Id__c duplicates value on record with id: `+made.ID+`"}]`)
	e.want(204, "DELETE", path, nil) // the recycle bin holds no key
	contains(t, e.want(201, "PATCH", path, map[string]any{}), `"created":true`)
}

func TestFieldRules(t *testing.T) {
	e := start(t, nil)
	lead := e.create("Lead", map[string]any{"LastName": "L", "Company": "C"})
	account := e.create("Account", map[string]any{"Name": "A"})
	contact := e.create("Contact", map[string]any{"LastName": "K", "AccountId": account})
	gone := e.create("Contact", map[string]any{"LastName": "G"})
	e.want(204, "DELETE", v59+"/sobjects/Contact/"+gone, nil)
	for _, c := range []struct {
		object, body, want string
	}{
		{"Lead", `{}`, `[{"message":"Required fields are missing: [LastName, Company]","errorCode":"REQUIRED_FIELD_MISSING","fields":["LastName","Company"]}]`},
		{"Lead", `{"Nope__c":1}`, `[{"message":"No such column 'Nope__c' on sobject of type Lead","errorCode":"INVALID_FIELD"}]`},
		{"Lead", `{"MasterRecordId":null}`, `[{"message":"Unable to create/update fields: MasterRecordId. Please check the security settings of this field and verify that it is read/write for your profile or permission set.","errorCode":"INVALID_FIELD_FOR_INSERT_UPDATE","fields":["MasterRecordId"]}]`},
		{"Task", `{"Subject":"` + strings.Repeat("é", 256) + `"}`, `[{"message":"Subject: data value too large: ` + strings.Repeat("é", 256) + ` (max length=255)","errorCode":"STRING_TOO_LONG","fields":["Subject"]}]`},
		{"Task", `{"WhoId":"zzz"}`, `MALFORMED_ID`},
		{"Task", `{"WhoId":"` + account + `"}`, `MALFORMED_ID`},
		{"Task", `{"WhoId":"` + gone + `"}`, `[{"message":"invalid cross reference id","errorCode":"INVALID_CROSS_REFERENCE_KEY","fields":["WhoId"]}]`},
		{"Task", `{"WhoId":"` + lead + `","WhatId":"` + account + `"}`, `FIELD_INTEGRITY_EXCEPTION`},
		{"Task", `{"CreatedDate":"2026-01-01T00:00:00Z"}`, `INVALID_FIELD_FOR_INSERT_UPDATE`},
		{"Task", `{"ActivityDate":"soon"}`, `JSON_PARSER_ERROR`},
		{"Task", `{"Subject":}`, `JSON_PARSER_ERROR`},
		{"Event", `{"Subject":"x"}`, `REQUIRED_FIELD_MISSING`},
		{"User", `{"Username":"x"}`, `INVALID_TYPE_FOR_OPERATION`},
	} {
		got := e.want(400, "POST", v59+"/sobjects/"+c.object, c.body)
		if strings.HasPrefix(c.want, "[") {
			equal(t, got, c.want)
		} else {
			contains(t, got, `"errorCode":"`+c.want+`"`)
		}
	}
	task := e.create("Task", map[string]any{"WhoId": contact, "Status": "Completed", "Priority": "High", "CallDurationInSeconds": 65})
	contains(t, e.query("SELECT AccountId, IsClosed, IsHighPriority, CompletedDateTime, CallDurationInSeconds FROM Task WHERE Id = '"+task+"'"),
		`"AccountId":"`+account+`","IsClosed":true,"IsHighPriority":true,"CompletedDateTime":"2026-03-10T12:00:00.000+0000","CallDurationInSeconds":65`)
	contains(t, e.want(400, "PATCH", v59+"/sobjects/Task/"+task, map[string]any{"TaskSubtype": "Call"}), "INVALID_FIELD_FOR_INSERT_UPDATE")
	contains(t, e.want(400, "PATCH", v59+"/sobjects/Lead/"+lead, map[string]any{"LastName": nil}), "REQUIRED_FIELD_MISSING")
	event := e.create("Event", map[string]any{"StartDateTime": "2026-04-01T10:00:00.000+0200", "DurationInMinutes": 30})
	contains(t, e.want(200, "GET", v59+"/sobjects/Event/"+event+"?fields=EndDateTime", nil), `"EndDateTime":"2026-04-01T08:30:00.000+0000"`)
}

func TestPathsAndMethods(t *testing.T) {
	e := start(t, nil)
	notFound := `[{"message":"The requested resource does not exist","errorCode":"NOT_FOUND"}]`
	for _, p := range []string{"/services/data/v30.0/limits", "/services/data/v59/limits", v59 + "/sobjects/Nope", v59 + "/jobs/ingest", v59 + "/composite", "/x", v59 + "/sobjects/Task/" + makeID("00T", "abc", 1)} {
		equal(t, e.want(404, "GET", p, nil), notFound)
	}
	contains(t, e.want(404, "GET", v59+"/sobjects/Task/short", nil), "Provided external ID field does not exist or is not accessible: short")
	contains(t, e.want(405, "PUT", v59+"/sobjects/Task", `{}`), "METHOD_NOT_ALLOWED")
	contains(t, e.want(200, "GET", "/services/data/", nil), `{"label":"Winter '24","url":"/services/data/v59.0","version":"59.0"}`)
	contains(t, e.want(200, "GET", v59, nil), `"sobjects":"/services/data/v59.0/sobjects"`)
	contains(t, e.want(200, "GET", v59+"/sobjects", nil), `"keyPrefix":"00Q"`)
	var d struct {
		Fields []map[string]any
	}
	decode(t, e.want(200, "GET", v59+"/sobjects/Task/describe", nil), &d)
	for _, f := range d.Fields {
		if f["name"] == "Dialer_Call_Id__c" && (f["externalId"] != true || f["unique"] != true || f["length"] != 255.0 || f["type"] != "string") {
			t.Errorf("%v", f)
		}
	}
	good := e.token
	e.token = "00D5e000000AbcD!nonsense"
	equal(t, e.want(401, "GET", v59+"/limits", nil), `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`)
	e.token = good
}

func TestDailyLimit(t *testing.T) {
	e := start(t, func(c *Config) { c.Orgs[0].DailyLimit = 3 })
	for i := 1; i <= 3; i++ {
		resp, _ := e.send("GET", v59+"/limits", nil)
		equal(t, resp.Header.Get("Sforce-Limit-Info"), fmt.Sprintf("api-usage=%d/3", i))
		e.clock.add(time.Hour)
		e.token = e.login()
	}
	equal(t, e.want(403, "GET", v59+"/limits", nil), `[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]`)
	e.clock.add(21*time.Hour + time.Minute) // the first call leaves the window
	e.token = e.login()
	contains(t, e.want(200, "GET", v59+"/limits", nil), `"DailyApiRequests":{"Max":3,"Remaining":0}`)
	e.want(403, "GET", v59+"/limits", nil)
	contains(t, e.want(200, "GET", "/_sim/requests", nil), `"remaining":0`)
}

func TestUpdatedAndDeleted(t *testing.T) {
	e := start(t, nil)
	keep, gone := e.create("Lead", map[string]any{"LastName": "a", "Company": "b"}), e.create("Lead", map[string]any{"LastName": "a", "Company": "b"})
	e.want(204, "DELETE", v59+"/sobjects/Lead/"+gone, nil)
	span := "?start=2026-03-10T11:00:00%2B00:00&end=2026-03-10T13:00:00%2B00:00"
	contains(t, e.want(200, "GET", v59+"/sobjects/Lead/updated/"+span, nil), `"ids":["`+keep+`"]`)
	contains(t, e.want(200, "GET", v59+"/sobjects/Lead/deleted/"+span, nil), `{"id":"`+gone+`","deletedDate":"2026-03-10T12:00:00.000+0000"}`)
	contains(t, e.want(400, "GET", v59+"/sobjects/Lead/updated/?start=2026-03-10T13:00:00Z&end=2026-03-10T13:00:30Z", nil), "INVALID_REPLICATION_DATE")
}

func task(fields ...string) map[string]any {
	m := map[string]any{"attributes": map[string]string{"type": "Task"}}
	for i := 0; i < len(fields); i += 2 {
		m[fields[i]] = fields[i+1]
	}
	return m
}

func TestCollections(t *testing.T) {
	e := start(t, nil)
	path := v59 + "/composite/sobjects"
	upsert := path + "/Task/Dialer_Call_Id__c"
	body := func(allOrNone bool, recs ...any) map[string]any {
		return map[string]any{"allOrNone": allOrNone, "records": recs}
	}
	var items []struct {
		ID      string
		Success bool
		Created *bool
		Errors  []struct{ StatusCode, Message string }
	}
	call := func(method, path string, b any) string {
		t.Helper()
		items = nil
		out := e.want(200, method, path, b)
		decode(t, out, &items)
		return out
	}
	equal(t, e.want(400, "POST", path, body(false)), `[{"message":"At least 1 record is required","errorCode":"REQUIRED_FIELD_MISSING"}]`)
	many := make([]any, 201)
	for i := range many {
		many[i] = task()
	}
	contains(t, e.want(400, "POST", path, body(false, many...)), "EXCEEDED_ID_LIMIT")
	contains(t, e.want(400, "POST", path, body(false, map[string]any{"Subject": "x"})), "INVALID_INPUT")

	call("PATCH", upsert, body(false, task("Dialer_Call_Id__c", "a", "Subject", "1"), task("Subject", "no key"), task("Dialer_Call_Id__c", "d"), task("Dialer_Call_Id__c", "d"), task("Dialer_Call_Id__c", "e", "Nope", "x")))
	if !items[0].Success || !*items[0].Created || items[1].Errors[0].StatusCode != "MISSING_ARGUMENT" || items[4].Errors[0].StatusCode != "INVALID_FIELD" {
		t.Errorf("%+v", items)
	}
	for _, i := range []int{2, 3} {
		equal(t, items[i].Errors[0].StatusCode+" "+items[i].Errors[0].Message, "DUPLICATE_VALUE Duplicate external id specified: d")
	}
	first := items[0].ID
	equal(t, call("PATCH", upsert, body(false, task("Dialer_Call_Id__c", "a", "Subject", "2"))), `[{"id":"`+first+`","success":true,"errors":[],"created":false}]`)

	equal(t, call("POST", path, body(true, task("Subject", "good"), map[string]any{"attributes": map[string]string{"type": "Contact"}})),
		`[{"success":false,"errors":[{"statusCode":"ALL_OR_NONE_OPERATION_ROLLED_BACK","message":"Record rolled back because not all records were valid and the request was using AllOrNone header","fields":[]}]},`+
			`{"success":false,"errors":[{"statusCode":"REQUIRED_FIELD_MISSING","message":"Required fields are missing: [LastName]","fields":["LastName"]}]}]`)
	contains(t, e.query("SELECT COUNT() FROM Task"), `"totalSize":1,`)

	equal(t, call("PATCH", path, body(false, task("Subject", "x"), task("id", "001RM000003oLrB000"), task("id", makeID("00T", "abc", 9)), task("Id", first, "Subject", "3"))),
		`[{"success":false,"errors":[{"statusCode":"MISSING_ARGUMENT","message":"Id not specified in an update call","fields":[]}]},`+
			`{"success":false,"errors":[{"statusCode":"MALFORMED_ID","message":"malformed id 001RM000003oLrB000","fields":[]}]},`+
			`{"success":false,"errors":[{"statusCode":"INVALID_CROSS_REFERENCE_KEY","message":"invalid cross reference id","fields":[]}]},`+
			`{"id":"`+first+`","success":true,"errors":[]}]`)
	contains(t, e.want(400, "PATCH", upsert, body(false, task("Dialer_Call_Id__c", "ok"), task("Dialer_Call_Id__c", "bad", "ActivityDate", "x"))), "JSON_PARSER_ERROR")
	contains(t, e.query("SELECT COUNT() FROM Task"), `"totalSize":1,`) // the parser's error took the good row back

	var got []json.RawMessage
	decode(t, e.want(200, "GET", path+"/Task?ids="+first+","+makeID("00T", "abc", 9)+"&fields=Id,Subject", nil), &got)
	if len(got) != 2 || string(got[1]) != "null" || !strings.Contains(string(got[0]), `"Subject":"3"`) {
		t.Errorf("%s", got)
	}
	call("DELETE", path+"?ids="+first+","+first, nil)
	if !items[0].Success || items[1].Errors[0].StatusCode != "ENTITY_IS_DELETED" {
		t.Errorf("%+v", items)
	}
	e.want(404, "PATCH", strings.Replace(upsert, "v59", "v45", 1), body(false, task()))
}

func TestQueryPages(t *testing.T) {
	e := start(t, nil)
	for i := range 3 {
		recs := make([]any, 200)
		for j := range recs {
			recs[j] = task("Subject", fmt.Sprintf("%03d", i*200+j))
		}
		e.want(200, "POST", v59+"/composite/sobjects", map[string]any{"records": recs})
	}
	type page struct {
		TotalSize int
		Done      bool
		Next      string `json:"nextRecordsUrl"`
		Records   []struct{ Subject string }
	}
	e.head.Set("Sforce-Query-Options", "batchSize=250")
	var p page
	decode(t, e.query("SELECT Subject FROM Task ORDER BY Subject"), &p)
	if p.TotalSize != 600 || p.Done || len(p.Records) != 250 || !strings.HasPrefix(p.Next, v59+"/query/0r8") || !strings.HasSuffix(p.Next, "-250") {
		t.Fatalf("%d %v %d %s", p.TotalSize, p.Done, len(p.Records), p.Next)
	}
	next := p.Next
	seen := len(p.Records)
	contains(t, e.query("SELECT Id FROM Task WHERE Subject = '599'"), `"totalSize":1,"done":true`)
	for !p.Done {
		u := p.Next
		p = page{}
		decode(t, e.want(200, "GET", u, nil), &p)
		if want := fmt.Sprintf("%03d", seen); p.Records[0].Subject != want {
			t.Fatalf("page begins with %s, want %s", p.Records[0].Subject, want)
		}
		seen += len(p.Records)
	}
	if seen != 600 || p.Next != "" {
		t.Errorf("%d rows, next %q", seen, p.Next)
	}
	// A locator dies with its session: another login cannot go on.
	e.want(200, "POST", "/_sim/faults", map[string]any{"kind": "expire_sessions"})
	e.token = e.login()
	contains(t, e.want(401, "GET", next, nil), "INVALID_SESSION_ID")
	contains(t, e.want(400, "GET", v59+"/query/0r8000000000000000-250", nil), "INVALID_QUERY_LOCATOR")
}
