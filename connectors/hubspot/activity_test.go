package hubspot

import (
	"strings"
	"testing"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

func TestRender(t *testing.T) {
	zero := int32(0)
	call := profile.Call{ID: "c-1", Direction: schemas.Inbound, StartedAt: 1767323045678, Duration: &zero, From: "+1", To: "+2",
		Disposition: "no Answer", Notes: "a <b>&\nc", OwnerID: "9", Person: schemas.Link{Provider: name, Object: contacts, ID: "5"}}
	got, links := render(call)
	m := base.Map(got)
	for k, want := range map[string]string{
		"hs_timestamp": "2026-01-02T03:04:05.678Z", "hs_call_body": "a &lt;b&gt;&amp;<br>c", "hs_call_duration": "0",
		"hs_call_direction": "INBOUND", "hs_call_disposition": "73a0d17f-1163-4015-bdd5-ec830791da20", "hs_call_external_id": "c-1",
		"hubspot_owner_id": "9", "hs_call_status": "COMPLETED", "hs_call_from_number": "+1", "hs_call_to_number": "+2", "hs_call_title": "Call - no Answer",
	} {
		if m[k] != want {
			t.Errorf("%s is %q, want %q", k, m[k], want)
		}
	}
	if len(links) != 1 || links[0] != call.Person {
		t.Errorf("links %v", links)
	}
	call.Disposition, call.Duration = "Ours & only", nil
	got, _ = render(call)
	m = base.Map(got)
	if _, ok := m["hs_call_disposition"]; ok || !strings.Contains(m["hs_call_body"], "Disposition: Ours &amp; only") {
		t.Errorf("a label of the tenant's own: %v", m)
	}
	if _, ok := m["hs_call_duration"]; ok {
		t.Error("an unknown length was written")
	}
	if b := markup(strings.Repeat("&", bodyMax), bodyMax); len(b) > bodyMax+3 || !strings.HasSuffix(b, "&amp;…") {
		t.Errorf("cut to %d, ending in %q", len(b), b[len(b)-8:])
	}
}
