package all_test

import (
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/pipetest"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// While an account is loaded, page upon page that take their time, one request is kept
// for what people wait for: a call leaves at once (P8).
func TestACallLeavesWhileAnAccountIsLoaded(t *testing.T) {
	var profiles []*profile.Profile
	for _, p := range all.Providers() {
		profiles = append(profiles, p.Profile())
	}
	m := pipetest.NewMachine(profiles, time.Date(2026, 3, 15, 9, 0, 0, 0, time.UTC).UnixMilli())
	pages, calls := 0, 0
	see := func(h pipetest.Happened) {
		for _, e := range h.Effects {
			if s, ok := e.(pipeline.Start); ok && s.Attempt.Kind == schemas.KindPage {
				pages++
			} else if ok && s.Attempt.Object == "Task" {
				calls++
			}
		}
	}
	step := func(topic string, v any) {
		t.Helper()
		h, err := m.Step(&pipeline.Record{Topic: topic, Tenant: "acme", Key: []byte("acme"), Timestamp: m.Now, Decoded: v})
		if err != nil || h.Rejected != nil {
			t.Fatal(err, h.Rejected)
		}
		see(h)
		if err := m.Advance(m.Now+1000, see); err != nil {
			t.Fatal(err)
		}
	}
	length := int32(10)
	step(schemas.TopicControlTenants, &schemas.TenantConfig{Tenant: "acme", Version: 1, Country: "US", TimeZone: "UTC", Accounts: []schemas.Account{{Provider: "salesforce", ID: theOrg}}})
	step(schemas.TopicCRMChanges, &schemas.CRMChange{Provider: "salesforce", Account: theOrg, Object: "Lead", ID: "00Q000000000001AAA", ObservedAt: m.Now,
		Record: &schemas.RecordRead{ModifiedAt: m.Now, Cause: "read", Fields: []schemas.Field{schemas.Text("LastName", "Lee"), schemas.Text("Phone", "+14155550100")}}})
	step(schemas.TopicDialerCalls, &schemas.CallEvent{CallID: "c1", Revision: 1, Direction: schemas.Outbound, StartedAt: m.Now - 60_000, DurationSeconds: &length, ToNumber: "+14155550100"})
	salesforce := profiles[len(profiles)-1]
	if want := salesforce.Limits.InFlight - 1; salesforce.Provider != "salesforce" || pages != want || calls != 1 {
		t.Errorf("%d pages and %d calls are on their way, want %d and 1", pages, calls, want)
	}
}
