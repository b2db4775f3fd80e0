package sim

import (
	"net/url"
	"testing"
)

// A search finds numbers whatever their punctuation, by their last digits too, and nothing that is deleted or in another field.
func TestSearch(t *testing.T) {
	e := start(t, nil)
	make := func(object string, fields map[string]any) string {
		var made struct{ ID string }
		decode(t, e.want(201, "POST", v59+"/sobjects/"+object, fields), &made)
		return made.ID
	}
	lead := make("Lead", map[string]any{"LastName": "Lee", "Company": "Acme", "Phone": "+1 (415) 555-0100"})
	contact := make("Contact", map[string]any{"LastName": "Kim", "MobilePhone": "415.555.0100", "Email": "kim@example.com"})
	gone := make("Lead", map[string]any{"LastName": "4155550100", "Company": "Acme", "Phone": "4155550100"})
	e.want(204, "DELETE", v59+"/sobjects/Lead/"+gone, nil)
	make("Lead", map[string]any{"LastName": "Noh", "Company": "4155550100", "Phone": "+14155550101"})
	find := func(status int, q string) string {
		t.Helper()
		return e.want(status, "GET", v59+"/search/?q="+url.QueryEscape(q), nil)
	}
	attributes := func(object, id string) string {
		return `{"attributes":{"type":"` + object + `","url":"` + v59 + `/sobjects/` + object + `/` + id + `"}`
	}
	equal(t, find(200, "FIND {4155550100} IN PHONE FIELDS RETURNING Lead(Id, Phone), Contact(Id, Account.Name) LIMIT 50"),
		`{"searchRecords":[`+attributes("Lead", lead)+`,"Id":"`+lead+`","Phone":"+1 (415) 555-0100"},`+attributes("Contact", contact)+`,"Id":"`+contact+`","Account":null}]}`)
	equal(t, find(200, "FIND {4155550100} IN PHONE FIELDS RETURNING Lead(Id WHERE LastName = 'Nobody'), Contact"), `{"searchRecords":[`+attributes("Contact", contact)+`,"Id":"`+contact+`"}]}`)
	equal(t, find(200, "FIND {5550100} IN PHONE FIELDS RETURNING Lead(Id), Contact(Id) LIMIT 1"), `{"searchRecords":[`+attributes("Lead", lead)+`,"Id":"`+lead+`"}]}`)
	equal(t, find(200, "FIND {415 ki*} RETURNING Contact(Id)"), `{"searchRecords":[]}`)
	equal(t, find(200, "find {kim@example.com} in email fields returning Contact(Id)"), `{"searchRecords":[`+attributes("Contact", contact)+`,"Id":"`+contact+`"}]}`)
	contains(t, find(400, "FIND 415"), "MALFORMED_SEARCH")
	contains(t, find(400, "FIND {4}"), "MALFORMED_SEARCH")
	contains(t, find(400, "FIND {4155550100} RETURNING Lead(Nope)"), "INVALID_FIELD")
	contains(t, find(400, "FIND {4155550100} RETURNING Nope(Id)"), "INVALID_TYPE")
	e.want(405, "POST", v59+"/search", nil)
}
