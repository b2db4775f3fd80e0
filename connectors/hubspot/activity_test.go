package hubspot

import (
	"slices"
	"testing"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

func TestRender(t *testing.T) {
	zero := int32(0)
	call := profile.Call{ID: "c-1", Direction: schemas.Inbound, StartedAt: 1767323045678, Duration: &zero, From: "+1", To: "+2",
		Disposition: "no Answer", RecordingURL: "https://d/r", OwnerID: "9", Person: schemas.Link{Provider: name, Object: contacts, ID: "5"}, AccountID: "7", DealID: "8"}
	got, links := render(call)
	m := base.Map(got)
	for k, want := range map[string]string{
		"hs_timestamp": "2026-01-02T03:04:05.678Z", "hs_call_duration": "0", "hs_call_direction": "INBOUND", "hs_call_external_id": "c-1", "hubspot_owner_id": "9",
		"hs_call_status": "COMPLETED", "hs_call_from_number": "+1", "hs_call_to_number": "+2", "hs_call_title": "Call - no Answer", "hs_call_recording_url": "https://d/r",
	} {
		if m[k] != want {
			t.Errorf("%s is %q, want %q", k, m[k], want)
		}
	}
	want := []schemas.Link{call.Person, {Provider: name, Object: companies, ID: "7"}, {Provider: name, Object: deals, ID: "8"}}
	if !slices.Equal(links, want) {
		t.Errorf("links %v, want %v", links, want)
	}
	call.Duration, call.AccountID, call.DealID = nil, "", "no id"
	got, links = render(call)
	if _, ok := base.Map(got)["hs_call_duration"]; ok {
		t.Error("an unknown length was written")
	}
	if len(links) != 1 {
		t.Errorf("linked to what is not there: %v", links)
	}
}

func TestRenderMeeting(t *testing.T) {
	h := profile.Happening{At: 1767323045000, Title: "Demo", Location: "here", Person: schemas.Link{Provider: name, Object: contacts, ID: "5"}}
	got, links := renderMeeting(h)
	m := base.Map(got)
	if m["hs_meeting_start_time"] != "2026-01-02T03:04:05.000Z" || m["hs_meeting_end_time"] != "2026-01-02T03:34:05.000Z" || m["hs_timestamp"] != m["hs_meeting_start_time"] ||
		m["hs_meeting_outcome"] != "SCHEDULED" || m["hs_meeting_title"] != "Demo" || len(links) != 1 {
		t.Errorf("%v %v", m, links)
	}
	h.Cancelled = true
	if got, _ := renderMeeting(h); base.Map(got)["hs_meeting_outcome"] != "CANCELED" {
		t.Errorf("called off: %v", got)
	}
}
