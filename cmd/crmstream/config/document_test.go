package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmstream/crmstream/connectors/all"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
)

// head is a tenant with one CRM, or with two.
const (
	head = "tenant: acme\ntimezone: America/Los_Angeles\ncrm:\n  salesforce:\n    account: 00D5g000004abcdEAA\n    server: sandbox\n    auth: {flow: jwt, username: sync@acme.example, client_id: 3MVG9, key: \"file:/run/secrets/k.pem\"}\n"
	both = head + "  hubspot:\n    account: \"4242\"\n    auth: {flow: token, token: \"env:ACME_TOKEN\"}\n"
)

func read(t *testing.T, text string) ([]Document, string) {
	t.Helper()
	docs, err := Documents("acme.yaml", []byte(text), map[string]string{"sandbox": "http://127.0.0.1:1"}, all.Providers())
	if err != nil {
		return docs, err.Error()
	}
	return docs, ""
}

func mustRead(t *testing.T, text string) *Document {
	t.Helper()
	docs, wrong := read(t, text)
	if wrong != "" {
		t.Fatal(wrong)
	}
	return &docs[0]
}

func text(s string) *string { return &s }

// All that a document may say arrives in the record, in its order.
func TestWholeDocument(t *testing.T) {
	d := mustRead(t, both+`    scope:
      contacts: {where: "lifecyclestage IN ('lead', customer) AND email IS SET"}
primary: salesforce
country: gb
currency: gbp
locale: en-GB
mapping:
  contact:
    score: {to: Lead.Rating_Score__c, direction: outbound, type: number}
    nickname: {to: Lead.Nick__c, direction: inbound, transform: {custom: "value.split(' ')[0]"}, tests: [{in: Ann Lee, out: Ann}]}
    lead_status:
      to: [Lead, hubspot.contacts.hs_lead_status]
      transform: {picklist_map: {New: [OPEN, NEW], Working: IN_PROGRESS}}
      validate: [{enum: [New, Working], message: Invalid status}]
    title: off
    source: {to: salesforce.Lead.LeadSource, direction: outbound, required: true, default: Dialer, validate: [required, {length: {min: 1, max: 40}}]}
    birthday: {to: [Lead.Birthday__c, Contact.Birthday__c], transform: {date_sfdc: {format: DD/MM/YYYY}}, clears_crm: true, conflict: manual}
  call:
    "+type": {to: Task.Type, default: Call}
conflicts: {default: crm_wins, lead_status: last_write_wins}
dedupe: [crm_id, email, {phone: suggest}, {fuzzy_name_company: {action: link, threshold: 0.95}}]
dispositions:
  Meeting Booked: {salesforce: {CallDisposition: Meeting Booked, stage: Opportunity.Demo}, hubspot: {hs_call_status: COMPLETED, stage: never}}
calls: {min_seconds: 10, default_owner: desk@acme.example, skip: [voicemail, missed], skip_directions: [inbound], log_before: true, create_lead: true, look_up: false, notes: plain, recording: signed, recording_base: "https://dialer.example.com/"}
owners: {ann@dialer.example: a.lee@acme.example}
events:
  meeting_booked: {salesforce: event, hubspot: off}
  session_ended: {salesforce: {target: record, object: Dialer_Session__c, fields: {"@identity": Dialer_Event_Id__c, Calls__c: calls}}}
stages:
  - {crm: hubspot, object: deals, when: {disposition: Meeting Booked}, to: presentationscheduled, from: [b, a]}
`)
	c := d.Config
	c.Document, c.Accounts = "", nil
	sf, hs := "salesforce", "hubspot"
	statuses := []schemas.PicklistPair{{Dialer: "New", CRM: "OPEN"}, {Dialer: "New", CRM: "NEW"}, {Dialer: "Working", CRM: "IN_PROGRESS"}}
	enum := []schemas.Validation{{Type: "enum", Values: []string{"New", "Working"}, Message: "Invalid status"}}
	one, forty := 1.0, 40.0
	format := []schemas.Field{schemas.Text("format", "DD/MM/YYYY")}
	want := schemas.TenantConfig{Tenant: "acme", TimeZone: "America/Los_Angeles", Country: "GB", Currency: "GBP", Locale: "en-GB", PrimaryCRM: sf, MinCallSeconds: 10, DefaultOwnerEmail: "desk@acme.example",
		Mappings: []schemas.FieldMapping{
			{Entity: "call_activity", Provider: sf, Object: "Task", CRMField: "Type", Default: text("Call")},
			{Entity: "contact", Field: "birthday", Provider: sf, Object: "Contact", CRMField: "Birthday__c", Transform: "date_sfdc", Args: format, ClearsCRM: true, Conflict: "manual"},
			{Entity: "contact", Field: "birthday", Provider: sf, Object: "Lead", CRMField: "Birthday__c", Transform: "date_sfdc", Args: format, ClearsCRM: true, Conflict: "manual"},
			{Entity: "contact", Field: "lead_status", Provider: hs, Object: "contacts", CRMField: "hs_lead_status", Transform: "picklist_map", Picklist: statuses, Validations: enum},
			{Entity: "contact", Field: "lead_status", Provider: sf, Object: "Lead", Transform: "picklist_map", Picklist: statuses, Validations: enum},
			{Entity: "contact", Field: "nickname", Provider: sf, Object: "Lead", CRMField: "Nick__c", Direction: "inbound", Transform: "custom", Script: "value.split(' ')[0]"},
			{Entity: "contact", Field: "score", Provider: sf, Object: "Lead", CRMField: "Rating_Score__c", Direction: "outbound", Kind: "number"},
			{Entity: "contact", Field: "source", Provider: sf, Object: "Lead", CRMField: "LeadSource", Direction: "outbound", Required: true, Default: text("Dialer"),
				Validations: []schemas.Validation{{Type: "required"}, {Type: "length", Min: &one, Max: &forty}}},
			{Entity: "contact", Field: "title", Off: true},
		},
		ConflictDefault: "crm_wins", ConflictFields: []schemas.Field{schemas.Text("lead_status", "last_write_wins")},
		Dedupe: []schemas.DedupeRule{{Strategy: "crm_id", Action: "link"}, {Strategy: "email", Action: "link"}, {Strategy: "phone", Action: "suggest"}, {Strategy: "fuzzy_name_company", Action: "link", Threshold: 0.95}},
		Dispositions: []schemas.DispositionRule{{Provider: hs, Label: "Meeting Booked", Fields: []schemas.Field{schemas.Text("hs_call_status", "COMPLETED")}, KeepsStage: true},
			{Provider: sf, Label: "Meeting Booked", Fields: []schemas.Field{schemas.Text("CallDisposition", "Meeting Booked")}, StageObject: "Opportunity", Stage: "Demo"}},
		Calls:  schemas.CallPolicy{SkipKinds: []string{"missed", "voicemail"}, SkipDirections: []string{"inbound"}, LogBefore: true, CreateLead: true, NoLookup: true, NotesLayout: "plain", Recording: "signed", RecordingBase: "https://dialer.example.com"},
		Owners: []schemas.Field{schemas.Text("ann@dialer.example", "a.lee@acme.example")},
		Scopes: []schemas.ObjectScope{{Provider: hs, Object: "contacts", Filters: []schemas.Filter{{Field: "lifecyclestage", Op: "in", Values: []string{"lead", "customer"}}, {Field: "email", Op: "set"}}}},
		Events: []schemas.EventTarget{{Type: "meeting_booked", Provider: hs, Target: "off"}, {Type: "meeting_booked", Provider: sf, Target: "event"},
			{Type: "session_ended", Provider: sf, Target: "record", Object: "Dialer_Session__c", Fields: []schemas.Field{schemas.Text("@identity", "Dialer_Event_Id__c"), schemas.Text("Calls__c", "calls")}}},
		Stages: []schemas.StageRule{{Provider: hs, Object: "deals", When: []schemas.Field{schemas.Text("disposition", "Meeting Booked")}, To: "presentationscheduled", From: []string{"a", "b"}}},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(- wanted, + read)\n%s", diff)
	}
	if failed, ran := RunTests(d, all.Providers()); ran != 1 || len(failed) > 0 {
		t.Errorf("%d examples, %v", ran, failed)
	}
}

// Each mistake is named with its place, what it is and how to mend it.
func TestMistakesOfAMapping(t *testing.T) {
	for _, tt := range []struct {
		doc, want string // want: place, then words that must stand in it, with | between them
	}{
		{"mapping:\n  contact:\n    phone: {transform: phone_e146}\n", "10:13|unknown transform \"phone_e146\" for contact.phone|did you mean phone_e164?"},
		{"mapping:\n  contact:\n    nickname: {to: Lead.Nick__c, transform: {custom: \"value.trim()\"}}\n", "10:|contact.nickname is bidirectional, but its custom transform has no inverse|direction: inbound, or give inverse:"},
		{"mapping:\n  contact:\n    nickname: {to: Lead.Nick__c, direction: inbound, transform: {custom: \"value.(\"}}\n", "10:|the script of nickname can't be read: SyntaxError|called value"},
		{"mapping:\n  contact:\n    nickname: {to: Lead.Nick__c, direction: inbound, transform: {custom: \"(() => { try { x() } catch { } })()\"}}\n", "10:|try can't be used"},
		{"mapping:\n  contact:\n    nickname: {to: Leed.Nick__c}\n", "10:20|no CRM of the tenant has the kind of record \"Leed\"|did you mean Lead?"},
		{"mapping:\n  contact:\n    nikname: {direction: inbound}\n", "10:5|no default mapping has the field \"nikname\"|to: OBJECT.FIELD"},
		{"mapping:\n  contact:\n    fone: {direction: inbound}\n", "did you mean phone?"},
		{"mapping:\n  contacts:\n    phone: off\n", "9:3|unknown entity \"contacts\"|did you mean contact?"},
		{"mapping:\n  contact:\n    phone: {directoin: inbound}\n", "10:13|unknown setting \"mapping.contact.phone.directoin\"|did you mean direction?"},
		{"mapping:\n  contact:\n    phone: {direction: inwards}\n", "unknown direction \"inwards\"|inbound"},
		{"mapping:\n  contact:\n    company: {to: Contact, direction: bidirectional}\n", "Account.Name can't be written|direction: inbound"},
		{"mapping:\n  contact:\n    manager: {to: Lead.Owner.Email, direction: outbound}\n", "Lead.Owner.Email can't be written|direction: inbound"},
		{"mapping:\n  contact:\n    owner_email: {transform: lowercase}\n", "takes no transform|leave it out"},
		{"mapping:\n  contact:\n    other: {to: Lead.Phone, direction: outbound}\n", "both write salesforce.Lead.Phone|direction: inbound"},
		{"mapping:\n  contact:\n    lead_status: {transform: picklist_map}\n", "no picklist|transform: {picklist_map: {DIALER: CRM}}"},
		{"mapping:\n  contact:\n    lead_status: {transform: {picklist_map: {a: x, b: x, c: \"\"}}}\n", "has an empty value"},
		{"mapping:\n  contact:\n    birthday: {to: Lead.B__c, transform: {date_iso: {locale: english}}}\n", "locale is \"english\"|en-GB"},
		{"mapping:\n  contact:\n    birthday: {to: Lead.B__c, transform: {date_iso: {locle: en-GB}}}\n", "takes no \"locle\"|did you mean locale?"},
		{"mapping:\n  contact:\n    deal: {to: Lead.D__c, transform: {currency_cents: {currency: dollars}}}\n", "currency is \"DOLLARS\"|USD"},
		{"mapping:\n  contact:\n    email: {validate: [{format: \"(\"}]}\n", "the pattern can't be read|RE2"},
		{"mapping:\n  contact:\n    email: {validate: [{frmat: x}]}\n", "unknown validation \"frmat\"|did you mean format?"},
		{"mapping:\n  contact:\n    email: {validate: [{range: {min: 3, max: 1}}]}\n", "min that is greater than its max"},
		{"mapping:\n  contact:\n    email: {conflict: crm_winz}\n", "unknown conflict strategy \"crm_winz\"|did you mean crm_wins?"},
		{"mapping:\n  contact:\n    - x\n", "mapping.contact must be a mapping"},
		{"mapping:\n  contact:\n    title: [{to: Lead}, {to: Lead.Other__c}]\n", "title is mapped twice for salesforce.Lead|one line for each field"},
		{"mapping:\n  call:\n    notes: {to: Lead.Notes__c}\n", "no CRM of the tenant has the kind of record \"Lead\"|Task"},
		{"mapping:\n  call:\n    notes: {to: Task.Notes__c, direction: inbound}\n", "calls go to the CRM only|direction: outbound"},
		{"conflicts: {default: crm_winz}\n", "8:13|unknown conflict strategy \"crm_winz\"|did you mean crm_wins?"},
		{"conflicts: {phone: manul}\n", "8:13|did you mean manual?"},
		{"dedupe: [emale]\n", "8:10|unknown dedupe strategy \"emale\"|did you mean email?"},
		{"dedupe: [{fuzzy_name_company: {action: link, threshold: 7}}]\n", "threshold of fuzzy_name_company is 7|from 0 to 1"},
		{"dedupe: [email, email]\n", "email stands twice"},
		{"primary: hubspot\n", "8:1|the tenant has no CRM \"hubspot\""},
		{"locale: en\n", "8:1|locale is \"en\"|en-GB"},
		{"currency: euro\n", "8:1|currency is \"EURO\""},
		{"calls: {notes: fancy}\n", "8:9|unknown notes layout \"fancy\"|plain"},
		{"events: {meeting_booked: {salesforce: evnt}}\n", "8:27|unknown target \"evnt\"|did you mean event?"},
		{"events: {meeting_booked: {salesforce: timeline}}\n", "8:27|salesforce has no timeline|off"},
		{"events: {session_ended: {salesforce: {target: record, object: Session__c, fields: {Calls__c: calls}}}}\n", "8:55|can't be told from another|@identity"},
		{"events: {voicemail_dropped: {salesforce: {target: field, object: Leed, fields: {Status: outcome}}}}\n", "unknown kind of record of persons in salesforce \"Leed\"|did you mean Lead?"},
		{"events: {voicemail_dropped: {salesforce: field}}\n", "a field that is not named|fields: {"},
		{"events: {meeting_booked: {salesfroce: event}}\n", "unknown CRM \"salesfroce\"|did you mean salesforce?"},
		{"stages: [{object: Opportunity, to: Demo}]\n", "8:11|move every deal|when:"},
		{"dispositions: {Busy: {CallDisposition: Busy, stage: Demo}}\n", "OBJECT.STAGE, or never"},
		{"dispositions: {Busy: {stage: Lead.Demo}}\n", "8:23|the deals of salesforce are Opportunity, not \"Lead\"|Opportunity"},
		{"stages: [{object: Oppty, when: {disposition: Busy}, to: Demo}]\n", "8:11|the deals of salesforce are Opportunity, not \"Oppty\"|Opportunity"},
		{"stages: [{crm: hubspot, object: deals, when: {disposition: Busy}, to: x}]\n", "8:11|the tenant has no CRM \"hubspot\"|one of those under crm: salesforce"},
		{"dispositions: {Busy: Connected}\n", "is a mapping of the CRM's fields"},
		{"dispositions: {Busy: {hubspot: {x: y}}}\n", "the tenant has no CRM \"hubspot\"|one of those under crm: salesforce"},
		{"events: {meeting_booked: {hubspot: event}}\n", "8:36|the tenant has no CRM \"hubspot\"|salesforce"},
		{"mapping:\n  contact:\n    nickname: {to: hubspot.contacts.nick}\n", "10:20|the tenant has no CRM \"hubspot\"|salesforce"},
		{"mapping:\n  contact:\n    email: {validate: [required, {enum: []}]}\n", "10:35|enum names no value|enum: [New, Working]"},
		{"mapping:\n  contact:\n    title: {transform: {lowercase: {x: y}}}\n", "takes no \"x\"|it takes nothing"},
		{"mapping:\n  contact:\n    phone: {transform: {phone_e164: {country: UK}}}\n", "country is \"UK\"|GB"},
		{"mapping:\n  contact:\n    title: {required: maybe}\n    email: 7\ncalls: {skip: missed}\n", "10:23|neither true nor false|11:12|off, on, or a mapping|12:15|must be a list"},
		{"mapping:\n  contact:\n    nickname: {to: Lead.Nick__c, direction: inbound, transform: {custom: \"(() => { while (true) {} })()\"}}\n", "10:54|it took too long|ends soon"},
		{"mapping:\n  contact:\n    nickname: {to: Lead.Nick__c, direction: inbound, transform: {custom: \"(() => { let a = []; while (true) a.push(new Array(100000).fill(value)) })()\"}}\n", "out of memory"},
		{"conflicts: {emial: crm_wins}\n", "8:13|no mapping has the field \"emial\"|did you mean email?"},
		{"country: UK\n", "8:1|country is \"UK\"|such as US or GB"},
		{"dedupe: [{fuzzy_name_company: {threshold: 200%}}]\n", "threshold is no number: \"200%\"|such as 0.95"},
		{"calls: {default_owner: bob, recording_base: ftp//x}\n", "calls.default_owner is \"bob\"|e-mail|calls.recording_base is \"ftp//x\"|https://"},
		{"owners: {ann: bob}\n", "8:10|\"ann\" is \"bob\"|ann@"},
		{"owners: &o {a@x: b@y}\nconflicts: *o\n", "9:12|references (*NAME and <<) are not read here|write it out"},
		{"mapping:\n  contact:\n    title: {<<: *o}\n", "references (*NAME and <<) are not read here"},
		{"owners:\n\ta: b\n", "9:1|a tab where blanks are expected|indent by blanks"},
		{"tenant: beta\n", "8:1|\"tenant\" stands here twice, first at 1:1|keep one"},
		{"owners: [\n", "can't be read as YAML|look at the quotes"},
	} {
		_, got := read(t, head+tt.doc)
		for i, part := range strings.Split(tt.want, "|") {
			if i == 0 && part[0] >= '0' && part[0] <= '9' {
				part = "acme.yaml:" + part
			}
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q is missing in\n%s", tt.doc, part, got)
			}
		}
	}
	if _, got := read(t, strings.Replace(head, "    account:", "    scope: {Lead: {where: \"Status IN (New\"}, Leed: off}\n    account:", 1)); !strings.Contains(got, "acme.yaml:5:27") || !strings.Contains(got, "a comma or ) is missing") || !strings.Contains(got, "did you mean Lead?") {
		t.Errorf("scope: %s", got)
	}
}

// What no parser should see is said in a line; what only looks foreign is read.
func TestForeignFiles(t *testing.T) {
	for name, tt := range map[string]struct{ src, want string }{
		"empty":           {"", "no tenant in it"},
		"only a comment":  {"# acme\n", "no tenant in it"},
		"UTF-16":          {"t\x00e\x00n\x00", "no text in UTF-8"},
		"Latin 1":         {head + "owners: {\xe4@x: b@y}\n", "no text in UTF-8"},
		"many lines":      {head + strings.Repeat("# x\n", 5000), "acme.yaml:1:1 the document has more than 5000 lines or 256 KiB → one document for each tenant"},
		"a long line":     {head + "---\ntenant: " + strings.Repeat("x", 256<<10), "acme.yaml:9:1"},
		"byte order mark": {"\ufeff" + head, ""},
		"CR LF":           {strings.ReplaceAll(head, "\n", "\r\n"), ""},
		"many documents":  {head + strings.Repeat("---\n"+strings.Repeat("# x\n", 4000), 3), ""},
	} {
		_, got := read(t, tt.src)
		if got = strings.Join(strings.Fields(got), " "); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %q", name, got, tt.want)
		}
	}
}

// Alike names link nobody unless the tenant says so, in whatever form the step stands (B2).
func TestFuzzyStepSuggests(t *testing.T) {
	for doc, want := range map[string]string{"fuzzy_name_company": "suggest", "{fuzzy_name_company: {threshold: 0.9}}": "suggest",
		"{fuzzy_name_company: {action: link}}": "link", "{fuzzy_name_company: link}": "link", "{email: {}}": "link"} {
		if got := mustRead(t, head+"dedupe: ["+doc+"]\n").Config.Dedupe[0].Action; got != want {
			t.Errorf("%s: %s, want %s", doc, got, want)
		}
	}
}

// A loop of picklists is found wherever it begins; a list with several ways in and one
// way out is none.
func TestLoopOfPicklists(t *testing.T) {
	if _, got := read(t, head+"mapping:\n  contact:\n    lead_status: {transform: {picklist_map: {New: [OPEN, NEW], Working: OPEN2}}}\n"); got != "" {
		t.Errorf("several ways in: %s", got)
	}
	// Working goes there as OPEN, and comes back as New.
	base := Base(all.Providers())
	c := mustRead(t, head).Config
	c.Mappings = []schemas.FieldMapping{{Entity: "contact", Field: "lead_status", Transform: "picklist_map",
		Picklist: []schemas.PicklistPair{{Dialer: "New", CRM: "NEW"}, {Dialer: "Working", CRM: "OPEN"}, {Dialer: "New", CRM: "OPEN"}}}}
	if _, ps := base.Compile(&c); len(mapping.Errors(ps)) != 0 {
		t.Errorf("OPEN is Working and goes back as OPEN: %v", ps)
	}
	c.Mappings[0].Picklist = []schemas.PicklistPair{{Dialer: "New", CRM: "open"}, {Dialer: "new", CRM: "OPEN"}, {Dialer: "other", CRM: "OPEN"}}
	if _, ps := base.Compile(&c); len(mapping.Errors(ps)) != 0 {
		t.Errorf("each has its own way back: %v", ps)
	}
	c.Mappings[0].Picklist = []schemas.PicklistPair{{Dialer: "a", CRM: "x"}, {Dialer: "b", CRM: "x"}, {Dialer: "b", CRM: "y"}}
	if _, ps := base.Compile(&c); !strings.Contains(join(ps), "loop") {
		t.Errorf("y is b, which goes back as x, which is a: %v", ps)
	}
	c.Mappings[0].Direction = "inbound"
	if _, ps := base.Compile(&c); len(mapping.Errors(ps)) != 0 {
		t.Errorf("nothing goes back: %v", ps)
	}
}

func join(ps []mapping.Problem) string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// A field that nobody knows is a warning: only the CRM can say whether it has it.
func TestWarnings(t *testing.T) {
	d := mustRead(t, head+"mapping:\n  contact:\n    nickname: {to: Lead.Nick__c}\n    title: {to: Lead.Title, direction: inbound, required: true}\n")
	got := strings.Join(strings.Fields(d.Warnings.Error()), " ")
	for _, want := range []string{"acme.yaml:10:16 salesforce.Lead.Nick__c is none of the defaults' fields, and is not checked here", "title is inbound: required and clears_crm have no effect"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
	if d := mustRead(t, head+"mapping:\n  contact:\n    title: {to: Lead.Title, direction: inbound}\n"); len(d.Warnings) > 0 {
		t.Errorf("a field of the defaults: %v", d.Warnings)
	}
	for doc, want := range map[string]string{
		"meeting_bookd: {salesforce: event}":       "not known to send events of the type \"meeting_bookd\" → did you mean meeting_booked?",
		"score_ready: {salesforce: task}":          "a target of it has no effect → leave it out",
		"meeting_booked: {salesforce: event}":      "",
		"contract_signed: {salesforce: task}":      "", // of the dialer's own
		"voicemail_dropped: {salesforce: \"off\"}": "",
	} {
		got := mustRead(t, head+"events:\n  "+doc+"\n").Warnings
		if len(got) > 0 != (want != "") || want != "" && !strings.Contains(strings.Join(strings.Fields(got.Error()), " "), want) {
			t.Errorf("%s: %v, want %q", doc, got, want)
		}
	}
	for doc, want := range map[string]string{
		"{default: crm_wins, phone: crm_wins, email: crm_wins, disposition: dialer_wins, call_notes: dialer_wins, lead_status: last_write_wins}": "",
		"{notes: crm_wins}": "notes is of a call, which goes to the CRM only: the dialer's value counts, whatever stands here → dialer_wins, or leave it out",
		"{mood: manual}\nmapping: {call: {mood: {to: Task.Mood__c}}}": "mood is of a call",
	} {
		got := mustRead(t, head+"conflicts: "+doc+"\n").Warnings
		if said := strings.Join(strings.Fields(got.Error()), " "); strings.Contains(said, "of a call") != (want != "") || !strings.Contains(said, want) {
			t.Errorf("%s: %v, want %q", doc, got, want)
		}
	}
	for step, want := range map[string]string{
		"{fuzzy_name_company: link}":                           "alike names link only by a threshold of your own: without one they suggest → fuzzy_name_company: {action: link, threshold: 0.95}",
		"{fuzzy_name_company: {action: link, threshold: 0.9}}": "", "fuzzy_name_company": "", "{crm_id: off}": "crm_id always links, and before all else → leave the step out", "{dialer_link: link}": "",
	} {
		got := mustRead(t, head+"dedupe: ["+step+"]\n").Warnings
		if said := strings.Join(strings.Fields(got.Error()), " "); len(got) > 0 != (want != "") || !strings.Contains(said, want) {
			t.Errorf("%s: %v, want %q", step, got, want)
		}
	}
	for script, want := range map[string]string{
		"({a: value})": "its result is of the type object", "wert.trim()": "'wert' is not defined", "(() => { throw new Error('no') })()": "no",
		"value.trim()": "", "(() => { if (value !== '42') throw new Error('no'); return 'x' })()": "", // what takes some values alone may do so
	} {
		got := mustRead(t, head+"mapping:\n  contact:\n    title: {direction: inbound, transform: {custom: \""+script+"\"}}\n").Warnings
		if len(got) > 0 != (want != "") || want != "" && !strings.Contains(got.Error(), "the script of title fails with each text that was tried") || want != "" && !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %v, want %q", script, got, want)
		}
	}
}

// Examples beside a mapping fail with their place.
func TestExamplesFail(t *testing.T) {
	d := mustRead(t, head+`mapping:
  contact:
    nickname:
      to: Lead.Nick__c
      transform: {custom: "value.split(' ')[0]"}
      inverse: "value + '!'"
      tests:
        - {in: Ann Lee, out: Ann}
        - {in: Ann, out: Bo}
        - {in: "1", error: true}
`)
	failed, ran := RunTests(d, all.Providers())
	got := failed.Error()
	for _, want := range []string{"acme.yaml:15:", `"Ann" goes back as "Ann!"`, "acme.yaml:16:", `"Ann" is "Ann", expected is "Bo"`, "acme.yaml:17:", `"1" is to be refused`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
	if ran != 3 {
		t.Errorf("%d ran", ran)
	}
}

// Whatever is in the file: mistakes or documents, no panic, and what is taken is taken
// by the core, too.
func FuzzDocuments(f *testing.F) {
	f.Add(head)
	f.Add(both + "mapping: {contact: {phone: off, x: [{to: Lead.X}]}}\nstages: [{}]\ndedupe: [{a: {b: 1}}]\n")
	f.Add(head + "mapping:\n  contact:\n    n: {to: [Lead.N], transform: {custom: \"value\"}, inverse: \"value\", validate: [{length: {max: 3}}], tests: [{in: a}]}\n")
	f.Add("tenant: &a {b: *a}")
	base := Base(all.Providers())
	f.Fuzz(func(t *testing.T, src string) {
		docs, err := Documents("f.yaml", []byte(src), nil, all.Providers())
		if err != nil {
			_ = err.Error()
			return
		}
		for i := range docs {
			if _, ps := base.Compile(&docs[i].Config); len(mapping.Errors(ps)) > 0 {
				t.Errorf("it was taken with %v", ps)
			}
			RunTests(&docs[i], all.Providers())
		}
	})
}
