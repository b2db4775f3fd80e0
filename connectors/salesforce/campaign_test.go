package salesforce_test

import (
	"context"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/salesforce"
	"github.com/crmstream/crmstream/schemas"
)

// campaigns is an org with people, two campaigns and an open connection.
type campaigns struct {
	*testing.T
	simulator
	connectors.Conn
	account schemas.Account
	id      int
}

func startCampaigns(t *testing.T) *campaigns {
	s, account, env, _ := start(t)
	conn, err := salesforce.Provider().Open(env, "acme", account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &campaigns{T: t, simulator: s, Conn: conn, account: account}
}

func (c *campaigns) lead(name string) string {
	return c.simulator.write("Lead", "", map[string]any{"LastName": name, "Company": "Acme"})
}

func (c *campaigns) campaign(name string) string {
	return c.simulator.write("Campaign", "", map[string]any{"Name": name})
}

func status(key, campaign, field, person, value string) schemas.AttemptItem {
	return schemas.AttemptItem{Key: key, IdentityField: "CampaignId+" + field, Identity: campaign + "+" + person, Fields: []schemas.Field{schemas.Text("Status", value)}}
}

func (c *campaigns) do(items ...schemas.AttemptItem) *schemas.AttemptResult {
	c.id++
	ans := c.Do(c.Context(), &schemas.Attempt{ID: string(rune('a' + c.id)), Tenant: "acme", Provider: c.account.Provider, Account: c.account.ID, Kind: schemas.KindWrite,
		Operation: schemas.OpUpsert, Object: "CampaignMember", Items: items}, time.Now().Add(10*time.Second), func(context.Context, *schemas.CRMChange) error { return nil })
	return &ans.Result
}

// members are "campaign person status" of those who are in one, sorted.
func (c *campaigns) members() (out []string) {
	var rows []map[string]any
	c.Own("GET", "records?"+url.Values{"org": {org}, "object": {"CampaignMember"}}.Encode(), nil, &rows)
	for _, r := range rows {
		line := ""
		for _, f := range []string{"CampaignId", "LeadId", "ContactId", "Status"} {
			if v, ok := r[f].(string); ok {
				line += " " + v
			}
		}
		out = append(out, line[1:])
	}
	slices.Sort(out)
	return out
}

// Members are made and changed in one attempt, whoever made them; none is made twice (B22).
func TestCampaignMembersAreFound(t *testing.T) {
	c := startCampaigns(t)
	spring, autumn := c.campaign("Spring"), c.campaign("Autumn")
	ann, bob := c.lead("Ann"), c.lead("Bob")
	theirs := c.simulator.write("CampaignMember", "", map[string]any{"CampaignId": spring, "LeadId": ann})

	got := c.do(status("1", spring, "LeadId", ann, "Called"), status("2", spring, "LeadId", bob, "Called"), status("3", autumn, "LeadId", ann, "Sent"))
	for i, it := range got.Items {
		if it.Error != "" || it.Outcome != schemas.Sent || it.ID == "" || it.Created == (i == 0) || (it.ID == theirs) != (i == 0) {
			t.Errorf("item %d: %+v", i, it)
		}
	}
	got = c.do(status("1", spring, "LeadId", ann, "Responded"), status("2", spring, "LeadId", bob, "Responded"))
	for i, it := range got.Items {
		if it.Error != "" || it.Created {
			t.Errorf("once more, item %d: %+v", i, it)
		}
	}
	want := []string{autumn + " " + ann + " Sent", spring + " " + ann + " Responded", spring + " " + bob + " Responded"}
	slices.Sort(want)
	if got := c.members(); !slices.Equal(got, want) {
		t.Errorf("in the CRM:\n%q\nwant\n%q", got, want)
	}
}

// A lead that becomes a contact stays the same member.
func TestAMemberIsConverted(t *testing.T) {
	c := startCampaigns(t)
	spring, ann := c.campaign("Spring"), c.lead("Ann")
	first := c.do(status("1", spring, "LeadId", ann, "Called")).Items[0]
	var conv struct{ Contact string }
	c.Own("POST", "convert", map[string]any{"org": org, "lead": ann}, &conv)
	it := c.do(status("1", spring, "ContactId", conv.Contact, "Responded")).Items[0]
	if it.Error != "" || it.Created || it.ID != first.ID {
		t.Errorf("the contact is %+v, the lead was %+v", it, first)
	}
	if got, want := c.members(), []string{spring + " " + ann + " " + conv.Contact + " Responded"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// An answer that was lost, a race with whoever makes the same member, and items that
// can't be written: each ends alone, and none is written twice.
func TestCampaignMembersOneByOne(t *testing.T) {
	c := startCampaigns(t)
	spring, ann, bob := c.campaign("Spring"), c.lead("Ann"), c.lead("Bob")
	c.Fault(map[string]any{"kind": "drop_after_apply", "path": "/services/data/", "method": "POST", "count": 1})()
	lost := c.do(status("1", spring, "LeadId", ann, "Called")).Items[0]
	if lost.Outcome != schemas.Unknown || lost.Error != schemas.ErrTransient {
		t.Fatalf("the answer is lost: %+v", lost)
	}
	if it := c.do(status("1", spring, "LeadId", ann, "Called")).Items[0]; it.Error != "" || it.Created {
		t.Errorf("after a lost answer: %+v", it)
	}
	c.Fault(map[string]any{"kind": "item_error", "object": "CampaignMember", "code": "DUPLICATE_VALUE", "message": "Already a campaign member.", "count": 1})()
	if it := c.do(status("2", spring, "LeadId", bob, "Called")).Items[0]; it.Error != schemas.ErrTransient {
		t.Errorf("somebody else was faster: %+v, want another try", it)
	}
	c.Fault(map[string]any{"kind": "status", "status": 503, "path": "/services/data/", "method": "POST", "count": 1})()
	got := c.do(status("1", spring, "LeadId", ann, "Responded"), status("2", spring, "LeadId", bob, "Called"), status("3", spring, "LeadId", "x' OR Id != '", "Called"))
	if it := got.Items[0]; it.Error != "" || it.Outcome != schemas.Sent {
		t.Errorf("what was changed before the trouble keeps its answer: %+v", it)
	}
	if it := got.Items[1]; it.Error != schemas.ErrTransient || it.Outcome != schemas.Unknown {
		t.Errorf("what was to be made: %+v", it)
	}
	if it := got.Items[2]; it.Error != schemas.ErrPermanent || it.Outcome != schemas.NotSent {
		t.Errorf("what is no id goes into no query: %+v", it)
	}
	if got, want := c.members(), []string{spring + " " + ann + " Responded"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
