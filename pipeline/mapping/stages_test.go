package mapping_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// A stage that the CRM's list does not have is said with the one that was meant; a CRM
// whose list is not whole says nothing.
func TestStagesThatAreNotThere(t *testing.T) {
	cfg := &schemas.TenantConfig{Country: "US", TimeZone: "UTC",
		Stages: []schemas.StageRule{
			{Provider: "sf", Object: "Opportunity", When: []schemas.Field{schemas.Text("disposition", "Booked")}, To: "demo", From: []string{"Open", "Opne"}},
			{Provider: "hs", Object: "deals", When: []schemas.Field{schemas.Text("disposition", "Booked")}, To: "7"}},
		Dispositions: []schemas.DispositionRule{{Label: "Won", Provider: "sf", StageObject: "Opportunity", Stage: "Demos"}, {Label: "Busy", Provider: "sf"}}}
	said := func(listed, more bool) (out []string) {
		ps := profiles()
		ps[0].Deal = profile.Deal{Object: "Opportunity", Stage: "StageName", Listed: listed}
		ps[1].Deal = profile.Deal{Object: "deals", Stage: "dealstage"}
		ds := []mapping.Described{
			{Provider: "sf", Object: "Opportunity", Fields: []schemas.DescribedField{{Name: "StageName", Values: []string{"Open", "Demo"}, MoreValues: more}}},
			{Provider: "hs", Object: "deals", Fields: []schemas.DescribedField{{Name: "dealstage", Values: []string{"1"}}}},
		}
		for _, p := range mapping.NewBase(ps, utc).Against(cfg, ds) {
			out = append(out, p.List+" "+p.Part+": "+p.String())
		}
		return out
	}
	want := []string{`stages from: sf.Opportunity has no stage "Opne" → did you mean Open?`, `dispositions stage: sf.Opportunity has no stage "Demos" → did you mean Demo?`}
	if d := cmp.Diff(want, said(true, false)); d != "" {
		t.Error(d)
	}
	if got := append(said(false, false), said(true, true)...); len(got) > 0 {
		t.Errorf("a list that is not whole: %v", got)
	}
}
