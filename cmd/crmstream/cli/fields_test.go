package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmstream/crmstream/cmd/crmstream/config"
	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/pipeline"
)

// What is proposed can be pasted as it stands: of two kinds of record it is a list.
func TestProposedLinesAreADocument(t *testing.T) {
	f := &pipeline.Fields{Tenant: "acme", Objects: []pipeline.FieldsOf{
		{Provider: "salesforce", Object: "Contact", Described: true, Fields: []pipeline.FieldView{
			{Name: "Score__c", Type: "double", Custom: true, Updatable: true, Proposal: "ai_score: {to: salesforce.Contact.Score__c, type: number}", Why: "its name is \"ai score\""},
			{Name: "Old__c", Missing: true, Mapped: []pipeline.MappedAs{{Field: "old", Direction: "inbound"}}}}},
		{Provider: "salesforce", Object: "Lead", Described: true, Left: 3, Fields: []pipeline.FieldView{
			{Name: "Nick__c", Type: "string", Length: 40, Custom: true, Updatable: true, Proposal: "nick: {to: salesforce.Lead.Nick__c, direction: inbound}"},
			{Name: "Score__c", Type: "double", Custom: true, Updatable: true, Proposal: "ai_score: {to: salesforce.Lead.Score__c, type: number}"}}},
		{Provider: "salesforce", Object: "Task"}}}
	var out bytes.Buffer
	if err := printFields(&out, f, false); err != nil {
		t.Fatal(err)
	}
	said := out.String()
	want := `lines for what is not mapped:

mapping:
  contact:
    ai_score:
      - {to: salesforce.Contact.Score__c, type: number}  # its name is "ai score"
      - {to: salesforce.Lead.Score__c, type: number}
    nick: {to: salesforce.Lead.Nick__c, direction: inbound}
`
	_, lines, _ := strings.Cut(said, "lines for")
	if d := cmp.Diff(want, "lines for"+lines); d != "" {
		t.Errorf("(- wanted, + said):\n%s", d)
	}
	for _, part := range []string{"salesforce Lead: 2 fields, and 3 more", "it is not there", "salesforce Task: the CRM has not said"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is not said:\n%s", part, said)
		}
	}
	_, doc, _ := strings.Cut(want, "\n\n")
	if _, err := config.Documents("acme.yaml", []byte(acme+doc), nil, all.Providers()); err != nil {
		t.Errorf("the lines are no document: %v", err)
	}
}
