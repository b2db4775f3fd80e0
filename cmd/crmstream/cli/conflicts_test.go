package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/cmd/crmstream/conflicts"
	"github.com/crmstream/crmstream/cmd/crmstream/tenants"
	"github.com/crmstream/crmstream/schemas"
)

func (c *cluster) put(item schemas.SyncConflict) {
	c.t.Helper()
	v, err := c.codec.Append(nil, schemas.TopicSyncConflicts, &item)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.cl.ProduceSync(c.t.Context(), &kgo.Record{Topic: schemas.TopicSyncConflicts, Partition: schemas.PartitionOf(item.Tenant, 2), Key: []byte(item.Tenant + "/" + item.ConflictID), Value: v}).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) wantOf(status int, text string, args ...string) {
	c.t.Helper()
	var out bytes.Buffer
	got := Main(append(append([]string{"conflicts"}, args...), c.at...), &out, &out)
	said := instant.ReplaceAllString(out.String(), "TIME")
	if d := cmp.Diff(text, said); got != status || d != "" {
		c.t.Errorf("crmstream conflicts %s: status %d, want %d (- wanted, + said)\n%s", strings.Join(args, " "), got, status, d)
	}
}

// What waits is listed and shown, a decision becomes an action, and it is done once the
// pipeline says so.
func TestConflicts(t *testing.T) {
	c := newCluster(t)
	ours, theirs, word := "Head of Sales", "Sales Director", "Call Back"
	value := schemas.SyncConflict{Tenant: "acme", ConflictID: "value:p17:title", Kind: "value", PersonID: "p17", Field: "title", DialerValue: &ours, CRMValue: &theirs,
		Record: schemas.Link{Provider: "salesforce", Object: "Lead", ID: "00Q1"}, Status: "open", OpenedAt: 2000,
		Provenance: &schemas.Provenance{Origin: "salesforce", EventTime: 1000, SourceRef: "crm.changes-1@7"}}
	same := value
	same.ConflictID, same.Kind, same.Field, same.OpenedAt = "same:p18:p17", "same_person", "the same company, and names alike to 0.94", 1000
	unmapped := value
	unmapped.ConflictID, unmapped.Kind, unmapped.Field, unmapped.DialerValue, unmapped.OpenedAt = "disposition:salesforce:callback", "unmapped_disposition", "disposition", &word, 3000
	for _, x := range []schemas.SyncConflict{value, same, unmapped} {
		c.put(x)
	}
	c.wantOf(0, `TENANT  CONFLICT                         KIND                  DIALER           CRM               SINCE                 STATUS
acme    same:p18:p17                     same_person           "Head of Sales"  "Sales Director"  TIME  open
acme    value:p17:title                  value                 "Head of Sales"  "Sales Director"  TIME  open
acme    disposition:salesforce:callback  unmapped_disposition  "Call Back"      "Sales Director"  TIME  open
`, "list")
	c.wantOf(0, `value:p17:title open (value, since TIME)
SIDE    WHERE                            WHAT
dialer  p17 title                        "Head of Sales"
CRM     salesforce/Lead/00Q1             "Sales Director"
last    salesforce TIME  crm.changes-1@7
next: crmstream conflicts resolve acme value:p17:title --take crm|dialer|value
`, "show", "acme", "value:p17:title")
	c.wantOf(exitFound, "crmstream: acme \"value:p9:title\": no such conflict: crmstream conflicts list shows them\n", "show", "acme", "value:p9:title")
	c.wantOf(exitInput, "crmstream: say --take crm, --take dialer, or --take value with --value TEXT or --empty\n", "resolve", "acme", "value:p17:title", "--take", "both")
	c.wantOf(exitInput, "crmstream: say --take crm, --take dialer, or --take value with --value TEXT or --empty\n", "resolve", "acme", "value:p17:title", "--take", "value")
	c.wantOf(exitInput, "crmstream: say --same or --apart\n", "resolve", "acme", "same:p18:p17", "--take", "crm")
	c.wantOf(exitInput, "crmstream: disposition:salesforce:callback is not decided here: make the disposition in the CRM, or map it under dispositions in the tenant's document\n",
		"resolve", "acme", "disposition:salesforce:callback", "--take", "crm")

	c.wantOf(exitFound, "crmstream: acme \"value:p17:title\": it is sent and not done yet (does the pipeline run?); if it can't be done, a dead letter of control.actions says why\n",
		"resolve", "acme", "value:p17:title", "--take", "value", "--empty", "--why", "left", "--by", "ann", "--wait", "300ms")
	c.wantOf(exitFound, "crmstream: acme \"same:p18:p17\": it is sent and not done yet (does the pipeline run?); if it can't be done, a dead letter of control.actions says why\n",
		"resolve", "acme", "same:p18:p17", "--apart", "--by", "ann", "--wait", "300ms")
	cl, err := kgo.NewClient(append(tenants.ClientOpts(), kgo.SeedBrokers(c.at[1]))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var sent []schemas.ControlAction
	if _, err := tenants.New(cl, c.codec).Scan(t.Context(), schemas.TopicControlActions, func(v any) { sent = append(sent, *v.(*schemas.ControlAction)) }); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 2 {
		t.Fatalf("%d actions were sent", len(sent))
	}
	if a := sent[0]; a.Kind != schemas.ActionResolveConflict || a.By != "ann" || a.ActionID == "" || !cmp.Equal(a.Fields,
		[]schemas.Field{schemas.Text("conflict", "value:p17:title"), schemas.Text("take", "value"), {Name: "value"}, schemas.Text("why", "left")}) {
		t.Errorf("sent: %+v", a)
	}
	if a := sent[1]; a.Kind != schemas.ActionSplitMatch || !cmp.Equal(a.Fields, []schemas.Field{schemas.Text("conflict", "same:p18:p17")}) {
		t.Errorf("sent: %+v", a)
	}

	value.Status = "resolved"
	c.put(value)
	if x, err := conflicts.New(cl, c.codec).Await(t.Context(), "acme", "value:p17:title", 1e9); err != nil || x.Status != "resolved" {
		t.Errorf("%+v, %v", x, err)
	}
	c.wantOf(exitFound, "crmstream: acme value:p17:title is resolved already\n", "resolve", "acme", "value:p17:title", "--take", "crm")
	c.wantOf(0, "TENANT  CONFLICT  KIND  DIALER  CRM  SINCE  STATUS\n", "list", "--tenant", "beta")
}
