package base

import (
	"maps"
	"slices"
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

// What a tenant's mapping has beside the profile is read, or only written, and has its
// kind.
func TestExtra(t *testing.T) {
	a := &Account{Config: schemas.Account{Settings: []schemas.Field{
		schemas.Text("app_id", "7"), schemas.Text("columns.Contact", "Other__c"), schemas.Text("columns.Lead", "Nick__c,Score__c:number,>Sent__c:boolean,>Text__c")}}}
	read, kinds := a.Extra("Lead")
	if want := []string{"Nick__c", "Score__c"}; !slices.Equal(read, want) {
		t.Errorf("read %q", read)
	}
	if want := map[string]string{"Score__c": "number", "Sent__c": "boolean"}; !maps.Equal(kinds, want) {
		t.Errorf("kinds %v", kinds)
	}
	if read, kinds := a.Extra("Task"); read != nil || kinds != nil {
		t.Errorf("of nothing: %q %v", read, kinds)
	}
	if got := With([]string{"B", "D"}, []string{"A", "D"}); !slices.Equal(got, []string{"A", "B", "D"}) {
		t.Errorf("together %q", got)
	}
}
