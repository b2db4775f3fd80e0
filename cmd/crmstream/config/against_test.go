package config

import (
	"strings"
	"testing"

	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/pipeline"
)

// What a CRM describes is compared with lines and with scopes: a condition on a field that
// is not there would keep nobody out, one on a value that is not there would let nobody in.
func TestADocumentAgainstWhatTheCRMHas(t *testing.T) {
	fields := func(left int32) *pipeline.Fields {
		var views []pipeline.FieldView
		for _, n := range []string{"Company", "DoNotCall", "Email", "FirstName", "LastName", "MobilePhone", "OwnerId", "Phone", "Region__c", "Status", "Title"} {
			v := pipeline.FieldView{Name: n, Type: "string", Creatable: true, Updatable: true}
			if n == "Status" {
				v.Type, v.Values = "picklist", []string{"New", "Working"}
			}
			views = append(views, v)
		}
		return &pipeline.Fields{Tenant: "acme", Objects: []pipeline.FieldsOf{{Provider: "salesforce", Object: "Lead", Account: "00D5g000004abcdEAA", Described: true, Left: left, Fields: views}}}
	}
	for _, tt := range []struct {
		scope, mistake, warning string
		left                    int32
	}{
		{scope: "Status IN ('New', working) AND Region__c IS SET AND Owner.Email = a"},
		{scope: "Regio__c = EU", mistake: "acme.yaml:5:13 the scope asks for salesforce.Lead.Regio__c, which is not in the CRM, or the integration's user does not see it: the condition would keep nobody out → did you mean Region__c? else show it to the integration's user, or take the condition out"},
		{scope: "Regio__c = EU", left: 3}, // it may be among those that were left out
		{scope: "Status = Neww", warning: `the scope asks for the value "Neww" of salesforce.Lead.Status, which the CRM does not list → did you mean New?`},
	} {
		d := mustRead(t, strings.Replace(head, "    account:", "    scope: {Lead: \""+tt.scope+"\"}\n    account:", 1))
		mistakes, checked := d.Against(all.Providers(), fields(tt.left))
		said := strings.Join(strings.Fields(mistakes.Error()), " ")
		warned := strings.Join(strings.Fields(d.Warnings.Error()), " ")
		if checked != 1 || len(mistakes) > 0 != (tt.mistake != "") || !strings.Contains(said, tt.mistake) || len(d.Warnings) > 0 != (tt.warning != "") || !strings.Contains(warned, tt.warning) {
			t.Errorf("%s: %d, %s; %s", tt.scope, checked, said, warned)
		}
	}
	// Another account's fields say nothing of it.
	f := fields(0)
	f.Objects[0].Account = "other"
	d := mustRead(t, strings.Replace(head, "    account:", "    scope: {Lead: \"X__c = EU\"}\n    account:", 1))
	if mistakes, checked := d.Against(all.Providers(), f); checked != 0 || len(mistakes) > 0 {
		t.Errorf("%d, %v", checked, mistakes)
	}
}

// What is said of a stage that a CRM does not list has the place of that stage, in whatever
// rule it stands.
func TestPlacesOfStagesThatTheCRMDoesNotList(t *testing.T) {
	f := &pipeline.Fields{Tenant: "acme", Objects: []pipeline.FieldsOf{{Provider: "salesforce", Object: "Opportunity", Account: "00D5g000004abcdEAA", Described: true, Left: 9,
		Fields: []pipeline.FieldView{{Name: "StageName", Type: "picklist", Values: []string{"Demo", "Open"}}}}}}
	d := mustRead(t, head+"dispositions:\n  Busy: {stage: Opportunity.Opn}\nstages:\n  - {object: Opportunity, when: {disposition: Busy}, to: Demo}\n  - {object: Opportunity, when: {disposition: Busy}, from: [Open],\n     to: Dmo}\n")
	if mistakes, _ := d.Against(all.Providers(), f); len(mistakes) > 0 {
		t.Error(mistakes)
	}
	said := strings.Join(strings.Fields(d.Warnings.Error()), " ")
	for _, want := range []string{`acme.yaml:9:10 salesforce.Opportunity has no stage "Opn" → did you mean Open?`, `acme.yaml:13:6 salesforce.Opportunity has no stage "Dmo" → did you mean Demo?`} {
		if !strings.Contains(said, want) {
			t.Errorf("%s, want %s", said, want)
		}
	}
}
