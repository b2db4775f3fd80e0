package salesforce_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors/salesforce"
	"github.com/crmstream/crmstream/schemas"
)

// A call's first write has a field that Salesforce refuses on a record that is there.
// Its repeat is taken all the same, also with other content, by identity and by id (P4).
func TestARepeatedCallIsTaken(t *testing.T) {
	s, account, env, _ := start(t)
	conn, err := salesforce.Provider().Open(env, "acme", account)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	write := func(id, operation string, items ...schemas.AttemptItem) []schemas.ItemResult {
		t.Helper()
		ans := conn.Do(t.Context(), &schemas.Attempt{ID: id, Tenant: "acme", Provider: account.Provider, Account: account.ID, Kind: schemas.KindWrite,
			Operation: operation, Object: "Task", Items: items}, time.Now().Add(10*time.Second), func(context.Context, *schemas.CRMChange) error { return nil })
		if ans.Result.Error != "" {
			t.Fatalf("%+v", ans.Result)
		}
		return ans.Result.Items
	}
	call := func(id, text string) schemas.AttemptItem {
		return schemas.AttemptItem{Key: "call:" + id, IdentityField: salesforce.CallField, Identity: id, Fields: []schemas.Field{
			schemas.Text("Description", text), schemas.Text("Status", "Completed"), schemas.Text("Subject", "Call"), schemas.Text("TaskSubtype", "Call")}}
	}
	first := write("1", schemas.OpUpsert, call("c1", "one"))[0]
	for i, it := range write("2", schemas.OpUpsert, call("c2", "one"), call("c1", "two"), call("c3", "one")) {
		if it.Error != "" || it.Outcome != schemas.Sent || it.ID == "" || it.Created == (i == 1) {
			t.Errorf("item %d: %+v", i, it)
		}
		if i == 1 && it.ID != first.ID {
			t.Errorf("the repeat is %s, the first was %s", it.ID, first.ID)
		}
	}
	byID := call("c1", "three")
	byID.ID, byID.IdentityField, byID.Identity = first.ID, "", ""
	if it := write("3", schemas.OpUpdate, byID)[0]; it.Error != "" {
		t.Errorf("by id: %+v", it)
	}
	if n := s.Count("org", org, "Task"); n != 3 {
		t.Errorf("%d tasks", n)
	}
	var rows []map[string]any
	s.Own("GET", "/records?"+url.Values{"org": {org}, "object": {"Task"}, "Id": {first.ID}}.Encode(), nil, &rows)
	if len(rows) != 1 || rows[0]["Description"] != "three" || rows[0]["TaskSubtype"] != "Call" {
		t.Errorf("%v", rows)
	}
	broken := call("c1", "four")
	broken.Fields = append(broken.Fields, schemas.Text("CreatedById", "x"))
	if it := write("4", schemas.OpUpsert, broken)[0]; it.Error != schemas.ErrPermanent {
		t.Errorf("a field that may never be written: %+v", it)
	}
}
