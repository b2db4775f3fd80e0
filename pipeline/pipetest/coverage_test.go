package pipetest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A scenario names what it shows in its comments: "# B12: …" a behaviour, "# Row:
// transform custom, transform none" rows of the tables of the domain. behaviours and
// domain list what must be shown; what came out has to have what a row says.
var (
	behaviour = regexp.MustCompile(`\bB(\d+)\b`)
	rowsTag   = regexp.MustCompile(`^# Row: (.*)$`)
)

// behaviours are those that the scenarios have to show.
func behaviours() []string {
	var bs []string
	for n := 1; n <= 34; n++ {
		bs = append(bs, fmt.Sprintf("B%d", n))
	}
	return append(bs, "B38")
}

// tableRow is a row of a table and what must come out where it is shown.
type tableRow struct{ row, line string }

func word(v string) string {
	if strings.Contains(v, " ") {
		v = `"` + v + `"`
	}
	return regexp.QuoteMeta(v)
}

func domain() []tableRow {
	rows := []tableRow{
		{"conflict crm_wins", `\(crm_wins\)`},
		{"conflict dialer_wins", `\(dialer_wins\)`},
		{"conflict last_write_wins", `\(last_write_wins\)`},
		{"conflict field_merge", `\(field_merge: last_write_wins\)`},
		{"conflict manual", `^sync\.conflicts \S+ open value:`},
		{"conflict example", `Email=crm@example\.com Phone=\+14155550122 Status=Working`},

		{"dedupe crm_id", `email=di@example\.com .*contact=d1 sf/Lead/1$`},
		{"dedupe email", `sf/Lead/L1 sf/Contact/C1$`},
		{"dedupe phone", `phone=\+14155551234 sf/Lead/L1 sf/Contact/C1$`},
		{"dedupe fuzzy_name_company", `same_person: the same company, and names alike`},
		{"dedupe composite", `email=desk@example\.com .*phone=\+14155550100 sf/Lead/L1 sf/Contact/C1$`},

		{"transform none", ` nickname=" As It Is "`},
		{"transform phone_e164", ` desk_phone=\+14155551234`},
		{"transform date_iso", ` born=2024-01-15T00:00:00Z`},
		{"transform date_sfdc", ` renews=2024-01-15 `},
		{"transform boolean_yn", ` vip=true`},
		{"transform boolean_checkbox", ` optin=true`},
		{"transform lowercase", ` site=john@example\.com`},
		{"transform picklist_map", ` stage=New`},
		{"transform currency_cents", ` budget=4999`},
		{"transform custom", ` given=Ann `},

		{"validation required", `not written: A first name is wanted`},
		{"validation format", `not written: Begins with a capital letter`},
		{"validation length", `not written: 2 to 4 characters`},
		{"validation range", `not written: 0 to 100`},
		{"validation enum", `not written: Invalid status`},
		{"validation phone", `Invalid E\.164 phone`},
		{"validation email", `Invalid email`},

		{"status pending", `^sync\.records \S+ pending$`},
		{"status synced", `^sync\.records \S+ synced$`},
		{"status error", `^sync\.records \S+ error`},
		{"status conflict", `^sync\.conflicts \S+ open value:`}, // a record in conflict is a question on that topic
		{"status held", `^sync\.records \S+ held`},
		{"status crm_deleted", `^sync\.records \S+ crm_deleted`},
		{"status out_of_scope", `\bout_of_scope\b`},

		{"event call_ended", `attempt \d+: upsert sf Task \(Call_Id=c1\)`},
		{"event call_updated", `Description="--- Call Log \(c1\) ---\\nwants a demo`},
		{"event disposition_changed", `update sf Task T1 CallDisposition=Connected`},
		{"event score_ready", `update sf Task T1 .*AI Score: 87/100`},
		{"event voicemail_dropped", `\(Call_Id=voicemail_dropped:v1\)`},
		{"event session_ended", `\(Session_Id=session_ended:s2\)`},
		{"event ai_coaching", `ai_coaching`},
		{"event meeting_booked", `\(Call_Id=meeting_booked:`},
		{"event dnc_changed", `DO-NOT-CALL`},

		{"target Task", `upsert salesforce Task \(Dialer_Call_Id__c=voicemail_dropped:`},
		{"target Event", `upsert salesforce Event \(Dialer_Call_Id__c=meeting_booked:`},
		{"target timeline event", `upsert hubspot timeline:123456 \(id=ai_coaching:`},
		{"target custom event", `upsert hubspot custom_event:pe123_voicemail \(uuid=voicemail_dropped:`},
		{"target Dialer_Session__c", `upsert salesforce Dialer_Session__c .*Calls__c=41`},
		{"target Dialer_Voicemail_Drop__c", `upsert salesforce Dialer_Voicemail_Drop__c `},
		{"target CampaignMember.Status", `update salesforce CampaignMember 00vA Status=Called`},
		{"target field", `update salesforce Contact 003A Dialer_Coaching__c=`},

		{"notes summary", `--- Call Summary \(AI Generated\) ---\\nSpoke about their current tool\.\\n`},
		{"notes key points", `\\n--- Key Points ---\\n- Contract expires in Q2\\n- Budget is confirmed\\n`},
		{"notes next steps", `\\n--- Next Steps ---\\n- \[ \] Send the case study\\n- \[x\] Invite the team\\n`},
		{"notes metrics", `\\n--- Call Metrics ---\\nDuration: 5:42 \| AI Score: 87/100 \| Sentiment: Positive\\nTalk Ratio: Agent 38% / Prospect 62%\\n`},
	}
	for field, v := range map[string]string{"Subject": "Call - Connected", "Status": "Completed", "Priority": "Normal", "TaskSubtype": "Call", "CallType": "Outbound", "CallDurationInSeconds": "342",
		"CallDisposition": "Connected", "WhoId": "003A", "WhatId": "001A", "OwnerId": "005A", "ActivityDate": "2026-03-15"} {
		rows = append(rows, tableRow{"task " + field, `upsert salesforce Task .* ` + field + "=" + word(v) + `( |$)`})
	}
	rows = append(rows, tableRow{"task Description", `upsert salesforce Task .* Description="[^"]*Wants a demo\.`})
	for field, v := range map[string]string{"hs_timestamp": "2026-03-15T08:59:01.000Z", "hs_call_title": "Call - Connected", "hs_call_duration": "342000", "hs_call_from_number": "+14155550100",
		"hs_call_to_number": "+14155551234", "hs_call_recording_url": "https://dialer.example.com/api/recordings/rec_abc123/play", "hs_call_status": "COMPLETED", "hs_call_direction": "OUTBOUND",
		"hs_call_disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7"} {
		rows = append(rows, tableRow{"hubspot call " + field, `create hubspot calls .* ` + field + "=" + word(v) + `( |$)`})
	}
	rows = append(rows, tableRow{"hubspot call hs_call_body", `hs_call_body="[^"]*Discussed pricing\.<br>Interested in &lt;Enterprise&gt;\.`})
	connected := "f240bbac-87c9-4f6e-bf70-924b57d47db7"
	for _, d := range [][3]string{{"Connected", "Connected", connected}, {"No Answer", "No Answer", "73a0d17f-1163-4015-bdd5-ec830791da20"}, {"Voicemail", "Left Voicemail", "b2cf5968-551e-4856-9783-52b3da59a7d0"},
		{"Meeting Booked", "Meeting Booked", connected}, {"Not Interested", "Not Interested", connected}, {"DNC", "Do Not Call", connected}} {
		title := word("Call - " + d[0])
		rows = append(rows, tableRow{"disposition salesforce " + d[0], `CallDisposition=` + word(d[1]) + ` .*Status=Completed Subject=` + title + ` TaskSubtype=Call`},
			tableRow{"disposition hubspot " + d[0], `hs_call_disposition=` + d[2] + ` .*hs_call_status=COMPLETED hs_call_title=` + title + ` `})
	}
	for _, m := range [][4]string{ // dialer, Lead, contact, value that the dialer sets; "" = it sets none
		{"first_name", "FirstName", "firstname", "Anna"}, {"last_name", "LastName", "lastname", "Roe"}, {"email", "Email", "email", "anna.roe@example.com"},
		{"phone", "Phone", "phone", "+14155550110"}, {"mobile_phone", "MobilePhone", "mobilephone", "+14155550111"}, {"company", "Company", "company", "Other"},
		{"title", "Title", "jobtitle", "CTO"}, {"lead_status", "Status", "hs_lead_status", ""}, {"last_called_at", "Dialer_Last_Called__c", "last_call_date", "2026-03-15T08:59:00.000Z"},
		{"call_count", "Dialer_Call_Count__c", "num_calls", "1"}, {"ai_score", "Dialer_AI_Score__c", "ai_call_score", "87"},
	} {
		sf, hs := m[3], m[3]
		if m[0] == "lead_status" {
			sf, hs = "Qualified", "NEW"
		}
		rows = append(rows, tableRow{"field salesforce " + m[0], `update salesforce Lead 00QA .*\b` + m[1] + "=" + word(sf) + `( |$)`},
			tableRow{"field hubspot " + m[0], `update hubspot contacts 51 .*\b` + m[2] + "=" + word(hs) + `( |$)`})
	}
	for _, crm := range []string{"salesforce", "hubspot"} { // inbound: from the CRM, by its id of the user
		rows = append(rows, tableRow{"field " + crm + " owner_email", `^sync\.contacts .* owner_email=ann@example\.com .*` + crm + "/"})
	}
	return append(rows, tableRow{"field salesforce Contact company", `^sync\.contacts .*company=Example .*salesforce/Contact/003A$`})
}

// Each behaviour and each row is shown by a scenario, and no scenario names what nobody
// listed.
func TestEveryBehaviourAndRowIsShown(t *testing.T) {
	rows := make(map[string]*regexp.Regexp)
	for _, r := range domain() {
		if rows[r.row] != nil {
			t.Errorf("%q is listed twice", r.row)
		}
		rows[r.row] = regexp.MustCompile(`(?m)` + r.line)
	}
	known := behaviours()
	found := make(map[string]bool)
	ours, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	real, err := filepath.Glob("testdata/real/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(ours, real...) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		tags, came := said(string(b))
		for _, tag := range tags {
			switch line, isRow := rows[tag]; {
			case isRow && !line.MatchString(came):
				t.Errorf("%s names %q, but nothing comes out there like %s", f, tag, line)
			case !isRow && !slices.Contains(known, tag):
				t.Errorf("%s names %q, which is no behaviour and no row", f, tag)
			}
			found[tag] = true
		}
	}
	for _, b := range known {
		if !found[b] {
			t.Errorf("no scenario shows %s: one whose comment names it", b)
		}
	}
	for _, r := range domain() {
		if !found[r.row] {
			t.Errorf("no scenario shows %q: one with a comment # Row: %s", r.row, r.row)
		}
	}
}

// said returns what a scenario's comments name, and what came out in it.
func said(script string) (tags []string, came string) {
	var out strings.Builder
	inOutput := false
	for _, line := range strings.Split(script, "\n") {
		switch {
		case line == "" || line == "----":
			inOutput = line != ""
		case inOutput:
			out.WriteString(line + "\n")
		case strings.HasPrefix(line, "#"):
			if m := rowsTag.FindStringSubmatch(line); m != nil {
				tags = append(tags, strings.Split(m[1], ", ")...)
				continue
			}
			for _, m := range behaviour.FindAllStringSubmatch(line, -1) {
				tags = append(tags, "B"+m[1])
			}
		}
	}
	return tags, out.String()
}

// What the test is worth: a tag without its line, a missing one and an unknown one are
// seen.
func TestWhatAScenarioSays(t *testing.T) {
	tags, came := said("# B3, B4: x.\n# Row: a b, c\n09:00:00 wait\n----\nout 1\nout 2\n\n# B5 too\n09:00:01 wait\n----\n")
	if got := strings.Join(tags, "|"); got != "B3|B4|a b|c|B5" || came != "out 1\nout 2\n" {
		t.Errorf("%q %q", got, came)
	}
}
