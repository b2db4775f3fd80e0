package demo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// mixedCount is the number of tenants of a mixed demo.
const mixedCount = 3

// mixedTenants are three customers who have each their own idea of it: acme reads titles
// through a script, globex keeps sessions and voicemail drops in custom objects and counts
// calls on its leads, initech has its people in two CRMs.
func mixedTenants() []*tenant {
	return []*tenant{
		{name: "acme", provider: salesforce, account: "00D5g0000000001EAA", shown: strings.ToUpper, rules: `mapping:
  contact:
    title: {direction: inbound, transform: {custom: "value.toUpperCase()"}, tests: [{in: Head of Sales, out: HEAD OF SALES}]}
`},
		{name: "globex", provider: salesforce, account: "00D5g0000000002EAA", rules: `mapping:
  contact:
    call_count: {to: Lead.Dialer_Call_Count__c, type: number, direction: outbound}
events:
  session_ended: {salesforce: {target: record, object: Dialer_Session__c, fields: {"@identity": Dialer_Event_Id__c, Rep__c: agent_email, Calls__c: calls}}}
  voicemail_dropped: {salesforce: {target: record, object: Dialer_Voicemail_Drop__c, fields: {"@identity": Dialer_Event_Id__c, Template__c: name, Phone__c: phone}}}
`},
		{name: "initech", provider: salesforce, account: "00D5g0000000003EAA", rules: `primary: salesforce
mapping:
  contact:
    lead_status:
      - {to: salesforce.Lead.Status, transform: {picklist_map: {New: Open - Not Contacted, Working: Working - Contacted}}}
      - {to: hubspot.contacts.hs_lead_status, transform: {picklist_map: {New: NEW, Working: IN_PROGRESS}}}
`},
		{name: "initech", provider: hubspot, account: "50000003"},
	}
}

// Events of a mixed demo's end, each said twice.
const (
	sessions = 5
	drops    = 10
)

// mixed says what a dialer says beside calls, and counts what became of it. It waits
// until the CRMs have all of it, or no longer.
func (s *show) mixed(ctx context.Context, v *view) ([]Check, error) {
	var recs []*kgo.Record
	for i := range sessions + drops {
		e := &schemas.DialerEvent{EventID: fmt.Sprintf("%s-%d", s.run, i), Type: "session_ended", At: time.Now().UnixMilli(),
			Fields: []schemas.Field{schemas.Text("agent_email", rep), schemas.Text("calls", strconv.Itoa(10+i))}}
		if i >= sessions {
			e.Type, e.Fields = "voicemail_dropped", []schemas.Field{schemas.Text("name", "Spring offer"), schemas.Text("phone", "+14155550100")}
		}
		value, err := s.process.Codec().Append(nil, schemas.TopicDialerEvents, e)
		if err != nil {
			return nil, err
		}
		r := kgo.Record{Topic: schemas.TopicDialerEvents, Key: []byte("globex"), Value: value}
		again := r
		recs = append(recs, &r, &again)
	}
	if err := s.cl.ProduceSync(ctx, recs...).FirstErr(); err != nil {
		return nil, fmt.Errorf("producing events: %w", err)
	}
	var checks []Check
	var asked error
	err := s.await(ctx, settled, v, "custom records, counters and two CRMs to agree", func() bool {
		if checks, asked = s.counted(ctx); asked != nil {
			return true
		}
		for _, c := range checks {
			if c.Got != c.Want {
				return false
			}
		}
		return true
	})
	if asked != nil {
		return nil, asked
	}
	return checks, err
}

// counted asks the CRMs.
func (s *show) counted(ctx context.Context) ([]Check, error) {
	globex, initech := s.w.accounts("globex")[0], s.w.accounts("initech")
	checks := []Check{{Of: "sessions in Dialer_Session__c of globex", Want: sessions}, {Of: "calls that those sessions say", Want: 10 + 11 + 12 + 13 + 14},
		{Of: "drops in Dialer_Voicemail_Drop__c of globex", Want: drops}, {Of: "calls that the leads of globex count"}, {Of: "people of initech who are the same in both CRMs", Want: peoplePerTenant}}
	rows, err := s.sim.records(ctx, globex, "Dialer_Session__c")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if n, err := strconv.Atoi(r["Calls__c"]); err == nil && r["Rep__c"] == rep && strings.Contains(r["Dialer_Event_Id__c"], s.run) {
			checks[0].Got++
			checks[1].Got += n
		}
	}
	if rows, err = s.sim.records(ctx, globex, "Dialer_Voicemail_Drop__c"); err != nil {
		return nil, err
	}
	for _, r := range rows {
		if strings.Contains(r["Dialer_Event_Id__c"], s.run) && r["Template__c"] == "Spring offer" {
			checks[2].Got++
		}
	}
	if rows, err = s.sim.records(ctx, globex, "Task"); err != nil {
		return nil, err
	}
	checks[3].Want = len(rows)
	if rows, err = s.sim.records(ctx, globex, "Lead"); err != nil {
		return nil, err
	}
	for _, r := range rows {
		if n, err := strconv.Atoi(r["Dialer_Call_Count__c"]); err == nil {
			checks[3].Got += n
		}
	}
	titles := make(map[string]string) // by e-mail
	for _, t := range initech {
		email, title, last := "Email", "Title", "LastName"
		if t.provider == hubspot {
			email, title, last = "email", "jobtitle", "lastname"
		}
		if rows, err = s.sim.records(ctx, t, t.personObject()); err != nil {
			return nil, err
		}
		for _, r := range rows {
			key := strings.ToLower(r[email])
			is := r[last] + " " + r[title]
			if was, both := titles[key]; both && was == is {
				checks[4].Got++
			}
			titles[key] = is
		}
	}
	return checks, nil
}
