package dialer_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmstream/crmstream/connectors/dialer"
	"github.com/crmstream/crmstream/schemas"
)

func TestRead(t *testing.T) {
	got, err := dialer.Read(strings.NewReader(`{"tenant":"acme","call_id":"c1","started_at":"2026-03-01T09:00:00Z","to_number":"+14155550100","duration_seconds":0,"kind":"missed",
` + "\n"))
	if err == nil || len(got) != 0 {
		t.Errorf("half an object is %v, %v", got, err)
	}
	got, err = dialer.Read(strings.NewReader(`{"tenant":"acme","call_id":"c1","started_at":"2026-03-01T09:00:00Z","to_number":"+14155550100","duration_seconds":0,"kind":"missed","summary":"s","key_points":["a","b"],"next_steps":["c"],"sentiment":"neutral","talk_ratio_agent":38,"agent_name":"Ann","deal":{"provider":"hubspot","object":"deals","id":"7"},"recording_url":"https://r"}`))
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	text := func(s string) *string { return &s }
	zero, ratio := int32(0), 38.0
	want := schemas.CallEvent{CallID: "c1", Revision: 1, Direction: schemas.Outbound, StartedAt: 1772355600000, ToNumber: "+14155550100", DurationSeconds: &zero, Kind: "missed",
		Summary: text("s"), KeyPoints: []string{"a", "b"}, NextSteps: []string{"c"}, Sentiment: text("neutral"), TalkRatioAgent: &ratio, AgentName: "Ann",
		Deal: &schemas.Link{Provider: "hubspot", Object: "deals", ID: "7"}, RecordingURL: text("https://r")}
	if d := cmp.Diff(want, got[0].Event); d != "" || got[0].Tenant != "acme" {
		t.Errorf("of %s (-want +got):\n%s", got[0].Tenant, d)
	}
	if _, err = dialer.Read(strings.NewReader(`{"tenant":"acme","mood":"good"}` + "\n" + `{"tenant":"acme"}`)); err == nil || !strings.Contains(err.Error(), "line 1") || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("two mistakes: %v", err)
	}
}
