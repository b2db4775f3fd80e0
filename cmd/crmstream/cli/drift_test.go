package cli

import (
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

// What a CRM says of its fields is shown whole, with how it is mended, and is accepted by
// the CRM's side alone.
func TestDriftIsShownAndAccepted(t *testing.T) {
	c := newCluster(t)
	what, mend, line := "its type was string and is double", "rating: {type: number}; or accept it: crmstream conflicts resolve acme drift:salesforce:Lead:Rating__c --take crm", "call_count: {to: salesforce.Lead.Calls__c, type: number}"
	drift := schemas.SyncConflict{Tenant: "acme", ConflictID: "drift:salesforce:Lead:Rating__c", Kind: "drift", Field: "rating", DialerValue: &mend, CRMValue: &what,
		Record: schemas.Link{Provider: "salesforce", Object: "Lead"}, Status: "open", OpenedAt: 2000}
	made := drift
	made.ConflictID, made.Kind, made.Field, made.DialerValue = "new_field:salesforce:Lead:Calls__c", "new_field", "call_count", &line
	// What a line can't live with is not accepted away: it is said at once, not by a dead letter.
	gone, instead := drift, "show it to the integration's user, or leave the line out: nick: off"
	gone.ConflictID, gone.DialerValue = "drift:salesforce:Lead:Nick__c", &instead
	for _, x := range []schemas.SyncConflict{drift, made, gone} {
		c.put(x)
	}
	c.wantOf(0, `drift:salesforce:Lead:Rating__c open (drift, since TIME)
SIDE    WHERE                      WHAT
dialer  rating                     mapped to it
CRM     salesforce/Lead/Rating__c  its type was string and is double
next: rating: {type: number}; or accept it: crmstream conflicts resolve acme drift:salesforce:Lead:Rating__c --take crm
`, "show", "acme", drift.ConflictID)
	c.wantOf(0, `new_field:salesforce:Lead:Calls__c open (new_field, since TIME)
SIDE    WHERE                     WHAT
dialer  call_count                may be mapped to it
CRM     salesforce/Lead/Calls__c  its type was string and is double
next: map it, under mapping: contact: call_count: {to: salesforce.Lead.Calls__c, type: number}; or put it aside: crmstream conflicts resolve acme new_field:salesforce:Lead:Calls__c --take crm
`, "show", "acme", made.ConflictID)
	for _, wrong := range [][]string{{}, {"--take", "dialer"}, {"--take", "value", "--value", "x"}, {"--same"}} {
		c.wantOf(exitInput, "crmstream: say --take crm: the CRM's field is as it is meant; or mend what conflicts show says\n", append([]string{"resolve", "acme", drift.ConflictID}, wrong...)...)
	}
	c.wantOf(exitFound, "crmstream: drift:salesforce:Lead:Nick__c can't be accepted as it is: "+instead+"\n", "resolve", "acme", gone.ConflictID, "--take", "crm")
	// It goes to the pipeline, which none is here.
	c.wantOf(exitFound, "crmstream: acme \"drift:salesforce:Lead:Rating__c\": it is sent and not done yet (does the pipeline run?); if it can't be done, a dead letter of control.actions says why\n",
		"resolve", "acme", drift.ConflictID, "--take", "crm", "--wait", "300ms")
}
