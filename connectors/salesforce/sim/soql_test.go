package sim

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSOQL(t *testing.T) {
	e := start(t, nil) // 2026-03-10T12:00Z, a Tuesday
	acme := e.create("Account", map[string]any{"Name": "Acme", "AnnualRevenue": 100})
	e.create("Account", map[string]any{"Name": "Zen 100%", "AnnualRevenue": 300.5})
	ada := e.create("Contact", map[string]any{"FirstName": "Ada", "LastName": "O'Neil", "AccountId": acme, "Birthdate": "1990-05-01"})
	bob := e.create("Contact", map[string]any{"LastName": "bob", "DoNotCall": true, "Dialer_Last_Called__c": "2026-03-09T23:59:59Z", "Dialer_Call_Count__c": 3})
	lead := e.create("Lead", map[string]any{"LastName": "Lead", "Company": "L", "Email": "l@x.y"})
	e.create("Task", map[string]any{"Subject": "t1", "WhoId": ada, "WhatId": acme, "Dialer_Call_Id__c": "K1", "ActivityDate": "2026-03-10"})
	e.create("Task", map[string]any{"Subject": "t2", "WhoId": lead, "Dialer_Call_Id__c": "K2", "ActivityDate": "2026-02-28"})

	// The names or subjects a condition finds, in order.
	for _, c := range []struct{ from, where, want string }{
		{"Contact", "", "Ada O'Neil,bob"},
		{"contact", "WHERE LastName = 'BOB'", "bob"},
		{"Contact", `WHERE LastName = 'O\'Neil'`, "Ada O'Neil"},
		{"Contact", "WHERE LastName != 'bob'", "Ada O'Neil"},
		{"Contact", "WHERE FirstName <> 'Ada'", "bob"}, // null is unequal
		{"Contact", "WHERE FirstName = null", "bob"},
		{"Contact", "WHERE FirstName != NULL", "Ada O'Neil"},
		{"Contact", "WHERE (NOT LastName LIKE 'b%')", "Ada O'Neil"},
		{"Contact", "WHERE NOT LastName LIKE 'b%' AND DoNotCall = false", "Ada O'Neil"},
		{"Contact", "WHERE LastName LIKE '_ob'", "bob"},
		{"Account", `WHERE Name LIKE '%100\%'`, "Zen 100%"},
		{"Account", `WHERE Name LIKE 'Acm\_'`, ""},
		{"Account", "WHERE AnnualRevenue > 100", "Zen 100%"},
		{"Account", "WHERE AnnualRevenue >= 1.0 AND (Name = 'acme' OR Name = 'x')", "Acme"},
		{"Contact", "WHERE DoNotCall = TRUE", "bob"},
		{"Contact", "WHERE Id IN ('" + ada[:15] + "','" + bob + "') AND Account.Name = 'Acme'", "Ada O'Neil"},
		{"Contact", "WHERE Id NOT IN ('" + ada + "')", "bob"},
		{"Contact", "WHERE FirstName IN (null, 'x')", "bob"},
		{"Contact", "WHERE AccountId IN (SELECT Id FROM Account WHERE Name LIKE 'a%')", "Ada O'Neil"},
		{"Contact", "WHERE SystemModstamp >= 2021-01-01T00:00:00.000+00:00  AND SystemModstamp < 2030-01-01T00:00:00Z ORDER BY SystemModstamp ASC, Id ASC", "Ada O'Neil,bob"},
		{"Contact", "WHERE SystemModstamp > 2026-03-10T12:00:00Z", ""},
		{"Contact", "WHERE SystemModstamp >= 2026-03-10T14:00:00+02:00", "Ada O'Neil,bob"},
		{"Contact", "WHERE CreatedDate = TODAY", "Ada O'Neil,bob"},
		{"Contact", "WHERE CreatedDate > TODAY", ""},
		{"Contact", "WHERE Dialer_Last_Called__c = YESTERDAY AND Dialer_Last_Called__c = LAST_N_DAYS:1 AND Dialer_Last_Called__c = THIS_WEEK", "bob"},
		{"Contact", "WHERE Birthdate < 1990-05-02", "Ada O'Neil"},
		{"Contact", "WHERE Birthdate > 1990-05-01", ""},
		{"Task", "WHERE ActivityDate = LAST_MONTH", "t2"},
		{"Task", "WHERE ActivityDate >= THIS_QUARTER AND ActivityDate = THIS_YEAR ORDER BY ActivityDate DESC", "t1,t2"},
		{"Task", "WHERE Dialer_Call_Id__c IN ('K2','none')", "t2"},
		{"Task", "WHERE Dialer_Call_Id__c = 'k2'", ""}, // the key is case sensitive
		{"Task", "WHERE Who.Type = 'Lead' AND Who.Email = 'l@x.y'", "t2"},
		{"Task", "WHERE Owner.Username LIKE 'ada@%' LIMIT 1 OFFSET 1", "t2"},
		{"Contact", "ORDER BY FirstName", "bob,Ada O'Neil"},
		{"Contact", "ORDER BY FirstName NULLS LAST", "Ada O'Neil,bob"},
		{"Contact", "ORDER BY FirstName DESC", "Ada O'Neil,bob"},
		{"Contact", "ORDER BY Account.Name DESC NULLS FIRST, LastName FOR VIEW", "bob,Ada O'Neil"},
	} {
		name := "Name"
		if strings.EqualFold(c.from, "Task") {
			name = "Subject"
		}
		var out struct{ Records []map[string]any }
		decode(t, e.query("SELECT "+name+" FROM "+c.from+" "+c.where), &out)
		var got []string
		for _, r := range out.Records {
			got = append(got, r[name].(string))
		}
		if s := strings.Join(got, ","); s != c.want {
			t.Errorf("%s %s: got %q, want %q", c.from, c.where, s, c.want)
		}
	}

	attr := func(object, id string) string {
		return `{"attributes":{"type":"` + object + `","url":"/services/data/v59.0/sobjects/` + object + `/` + id + `"}`
	}
	equal(t, e.query("select Contact.LastName, Account.Name, Account.Owner.Email, Owner.Name from Contact where Id='"+ada+"'"),
		`{"totalSize":1,"done":true,"records":[`+attr("Contact", ada)+`,"LastName":"O'Neil","Account":`+attr("Account", acme)+`,"Name":"Acme","Owner":`+
			attr("User", fixID(testUser))+`,"Email":"ada@example.com"}},"Owner":`+attr("User", fixID(testUser))+`,"Name":"Ada Admin"}}]}`)
	contains(t, e.query("SELECT Who.Type, Who.Company, What.Name FROM Task ORDER BY Subject"), `"Who":`+attr("Contact", ada)+`,"Type":"Contact","Company":null},"What":`+attr("Account", acme)+`,"Name":"Acme"}`)
	contains(t, e.query("SELECT Id, (SELECT Subject FROM Tasks WHERE Subject LIKE 't%'), (SELECT Id FROM Events) FROM Contact WHERE Id = '"+ada+"'"), `"Tasks":{"totalSize":1,"done":true,"records":[{"attributes"`)
	contains(t, e.query("SELECT Id, (SELECT Id FROM Events) FROM Contact LIMIT 1"), `"Events":null`)
	equal(t, e.query("SELECT COUNT() FROM Contact"), `{"totalSize":2,"done":true,"records":[]}`)
	equal(t, e.query("SELECT MAX(AnnualRevenue) m, SUM(AnnualRevenue), COUNT(Id), AVG(AnnualRevenue) FROM Account"),
		`{"totalSize":1,"done":true,"records":[{"attributes":{"type":"AggregateResult"},"m":300.5,"expr0":400.5,"expr1":2,"expr2":200.25}]}`)
	contains(t, e.query("SELECT FIELDS(STANDARD) FROM Task LIMIT 1"), `"Subject":"t1"`)
	if s := e.query("SELECT FIELDS(CUSTOM) FROM Task LIMIT 1"); strings.Contains(s, "Subject") || !strings.Contains(s, "Dialer_Call_Id__c") {
		t.Error(s)
	}
}

func TestSOQLErrors(t *testing.T) {
	e := start(t, nil)
	for _, c := range []struct{ q, code, text string }{
		{"SELECT Id FROM Accout", "INVALID_TYPE", "\nERROR at Row:1:Column:16\nsObject type 'Accout' is not supported. If you are attempting"},
		{"SELECT Nope FROM Account", "INVALID_FIELD", "No such column 'Nope' on entity 'Account'."},
		{"SELECT Id, From Account", "MALFORMED_QUERY", "\nERROR at Row:1:Column:12\nunexpected token: 'From'"},
		{"SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "MALFORMED_QUERY", "unexpected token: 'OR'"},
		{"SELECT Id FROM Account WHERE Name = 'a", "MALFORMED_QUERY", "unexpected token"},
		{"SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD", "must be of type string and should be enclosed in quotes"},
		{"SELECT Id FROM Account WHERE CreatedDate > '2026-01-01T00:00:00Z'", "INVALID_FIELD", "must be of type dateTime and should not be enclosed in quotes"},
		{"SELECT Id FROM Account WHERE CreatedDate > 2026-01-01", "INVALID_FIELD", "must be of type dateTime"},
		{"SELECT Id FROM Account WHERE CreatedDate > 2026-01-01T00:00:00 00:00", "MALFORMED_QUERY", "unexpected token: '00:00'"},
		{"SELECT Id FROM Account WHERE OwnerId = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"},
		{"SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"},
		{"SELECT Nope.Id FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Nope'"},
		{"SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"},
		{"SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "LIMIT of at most 200"},
		{"SELECT Id FROM Account GROUP BY Id", "MALFORMED_QUERY", "unexpected token: 'GROUP'"},
		{"SELECT Id,\nNope FROM Account", "INVALID_FIELD", "ERROR at Row:2:Column:1\n"},
		{"SELECT Id FROM Account WHERE " + strings.Repeat("(", 5000), "MALFORMED_QUERY", "nested too deeply"},
	} {
		var out []struct{ Message, ErrorCode string }
		decode(t, e.want(400, "GET", v59+"/query?q="+url.QueryEscape(c.q), nil), &out)
		if out[0].ErrorCode != c.code || !strings.Contains(out[0].Message, c.text) {
			t.Errorf("%.60s: %s %q", c.q, out[0].ErrorCode, out[0].Message)
		}
	}
}

// FuzzSOQL: whatever the text, the answer is a JSON result or an error that encodes; never a panic.
func FuzzSOQL(f *testing.F) {
	for _, q := range []string{
		"SELECT Id, Owner.Email FROM Task WHERE (NOT Subject LIKE 'x\\_%') AND SystemModstamp >= 2021-01-01T00:00:00.000+00:00 ORDER BY Id DESC NULLS LAST LIMIT 5 OFFSET 1",
		"SELECT COUNT() FROM Lead", "SELECT FIELDS(ALL) FROM Lead LIMIT 200", "SELECT Id,(SELECT Id FROM Tasks) FROM Contact",
		"SELECT MAX(CreatedDate) FROM Lead WHERE Id IN (SELECT WhoId FROM Task WHERE CreatedDate = LAST_N_DAYS:30)", "SELECT Id FROM Lead WHERE DoNotCall != true FOR VIEW",
	} {
		f.Add(q)
	}
	sim, err := New(testConfig())
	if err != nil {
		f.Fatal(err)
	}
	o := sim.orgs[fixID(testOrg)]
	by := actor{user: fixID(testUser)}
	tx := o.begin(by)
	if _, err := tx.insert(leadObject, map[string]any{"LastName": "a", "Company": "b", "Email": "x@y.z"}); err != nil {
		f.Fatal(err)
	}
	if err := tx.commit(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &call{s: sim, o: o, ses: &session{}, base: v59}
		c.r = httptest.NewRequest("GET", "/", nil)
		q, perr := parseSOQL(text)
		if perr != nil {
			if m := perr.answer(text).message; utf8.ValidString(text) && !utf8.ValidString(m) {
				t.Errorf("message is not UTF-8: %q", m)
			}
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if body, err := c.runQuery(q, true, text); err == nil && !json.Valid(body) {
			t.Errorf("%s", body)
		}
	})
}
