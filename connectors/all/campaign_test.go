package all_test

import (
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

// A voicemail that is dropped in a campaign is the status of the person's member there,
// by the campaign and the person alone; the next one of the same person changes it (B22).
func TestCampaignMember(t *testing.T) {
	w := begin(t)
	cfg := *w.cfg
	cfg.Version++
	cfg.Events = []schemas.EventTarget{{Type: "voicemail_dropped", Provider: "salesforce", Target: "campaign_member", Fields: []schemas.Field{schemas.Text("Status", "outcome")}}}
	w.step(schemas.TopicControlTenants, &cfg)
	sf := w.web["salesforce"]
	var campaign struct{ ID string }
	sf.Own("POST", "write", map[string]any{"org": theOrg, "object": "Campaign", "fields": map[string]any{"Name": "Spring"}}, &campaign)
	lead := w.lead(map[string]any{"LastName": "Lee", "Company": "Example Bakery", "Phone": "+14155550100"})
	w.pushed("Lead", "CREATE")
	for i, outcome := range []string{"Sent", "Responded"} {
		w.step(schemas.TopicDialerEvents, &schemas.DialerEvent{EventID: outcome, Type: "voicemail_dropped", At: w.m.Now + int64(i), Fields: []schemas.Field{
			schemas.Text("campaign_id", campaign.ID), schemas.Text("outcome", outcome), schemas.Text("phone", "+14155550100")}})
		var members []map[string]any
		sf.Own("GET", "records?org="+theOrg+"&object=CampaignMember", nil, &members)
		if len(members) != 1 || members[0]["CampaignId"] != campaign.ID || members[0]["LeadId"] != lead || members[0]["Status"] != outcome || members[0]["HasResponded"] != (outcome == "Responded") {
			t.Errorf("after %s: %v", outcome, members)
		}
	}
	if len(w.dead) != 0 {
		t.Errorf("dead letters %q", w.dead)
	}
}
