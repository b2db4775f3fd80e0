package base

import (
	"maps"
	"slices"
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

// What a tenant's mapping has beside the profile is read, or only written, and has its
// kind; what the CRM lacks of the profile is not read.
func TestExtra(t *testing.T) {
	a := &Account{Config: schemas.Account{Settings: []schemas.Field{
		schemas.Text("app_id", "7"), schemas.Text("columns.Contact", "Other__c"), schemas.Text("columns.Lead", "-Title,Nick__c,Score__c:number,>Sent__c:boolean,>Text__c")}}}
	if want, got := []string{"Email", "Nick__c", "Score__c"}, a.Mapped("Lead", []string{"Email", "Nick__c", "Title"}); !slices.Equal(got, want) {
		t.Errorf("read %q", got)
	}
	if want, got := map[string]string{"Score__c": "number", "Sent__c": "boolean"}, a.Kinds("Lead"); !maps.Equal(got, want) {
		t.Errorf("kinds %v", got)
	}
	if got := a.Mapped("Task", []string{"B", "A"}); !slices.Equal(got, []string{"B", "A"}) {
		t.Errorf("without any: %q", got)
	}
	if got := a.Mapped("Lead", nil); got != nil {
		t.Errorf("of an object that is not read: %q", got)
	}
}
