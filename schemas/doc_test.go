package schemas_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/crmstream/crmstream/schemas"
)

// personalMark ends the doc of a field that holds, or may hold, personal data.
const personalMark = "Personal data."

// units are the words that must stand in the doc of a number whose name, or a part of
// it between underscores, is one of these.
var units = map[string]string{
	"seconds": "seconds", "ms": "milliseconds", "24h": "24 hours", "rate": "percent",
}

// docLacks says what a field's doc lacks for somebody who has nothing else, "" if it
// has all: what the field is, its unit, an example, whether it is personal.
func docLacks(f avroFld) string {
	kind, logical := leaf(f.Type)
	switch text := strings.TrimSpace(strings.TrimSuffix(f.Doc, personalMark)); {
	case len(text) < 12:
		return "fewer than 12 characters say nothing"
	case letters(text) == letters(f.Name):
		return "the name says as much"
	case !strings.HasSuffix(f.Doc, "."):
		return "no sentence"
	case strings.HasSuffix(f.Doc, personalMark) != f.Personal:
		return fmt.Sprintf("the property personal is %v, the doc says otherwise", f.Personal)
	case logical != "" && !strings.Contains(text, "ms since 1970 UTC"):
		return "an instant without its unit, ms since 1970 UTC"
	case kind == "boolean" && !(strings.Contains(text, "True:") && strings.Contains(text, "False:")):
		return "a boolean says what True: and False: mean"
	case slices.Contains([]string{"string", "bytes", "int", "long", "double"}, kind) && !strings.Contains(strings.ToLower(text), "e.g. "):
		return "no example: e.g. …"
	case kind == "int" || kind == "long" || kind == "double":
		for _, part := range strings.Split(f.Name, "_") {
			if unit := units[part]; !strings.Contains(text, unit) {
				return "a number without its unit: " + unit
			}
		}
	}
	return ""
}

// leaf is a field's kind, of a nullable one that of its value.
func leaf(typ any) (kind, logical string) {
	switch t := typ.(type) {
	case string:
		return t, ""
	case []any:
		return leaf(t[len(t)-1])
	case map[string]any:
		kind, _ = t["type"].(string)
		logical, _ = t["logicalType"].(string)
	}
	return kind, logical
}

func letters(s string) string {
	return regexp.MustCompile(`[^a-z0-9]`).ReplaceAllString(strings.ToLower(s), "")
}

// The check itself sees each thing that a doc may lack.
func TestWhatADocLacks(t *testing.T) {
	instant := map[string]any{"type": "long", "logicalType": "timestamp-millis"}
	for name, tt := range map[string]struct {
		field avroFld
		want  string // a part of the answer; "" = it lacks nothing
	}{
		"whole":                {avroFld{Name: "id", Type: "string", Doc: `The record's id, e.g. "51".`}, ""},
		"short":                {avroFld{Name: "at", Type: instant, Doc: "Ms."}, "12 characters"},
		"short but for a mark": {avroFld{Name: "by", Type: "string", Doc: "Who. Personal data.", Personal: true}, "12 characters"},
		"its name":             {avroFld{Name: "crm_record_id", Type: "string", Doc: "CRM record id."}, "name"},
		"no sentence":          {avroFld{Name: "id", Type: "string", Doc: `The record's id, e.g. "51"`}, "sentence"},
		"an instant":           {avroFld{Name: "at", Type: instant, Doc: "When it was given up, e.g. 1772386201000."}, "ms since 1970"},
		"a nullable instant":   {avroFld{Name: "at", Type: []any{"null", instant}, Doc: "When it was given up, in ms, e.g. 1772386201000."}, "ms since 1970"},
		"seconds":              {avroFld{Name: "min_call_seconds", Type: "int", Doc: "Shortest call that is logged, e.g. 10."}, "seconds"},
		"milliseconds":         {avroFld{Name: "retry_after_ms", Type: "long", Doc: "How long to wait, e.g. 5000."}, "milliseconds"},
		"a share":              {avroFld{Name: "error_rate", Type: "double", Doc: "Share of what failed, e.g. 1.5."}, "percent"},
		"no example":           {avroFld{Name: "id", Type: []any{"null", "string"}, Doc: "The record's id in the CRM."}, "example"},
		"half a boolean":       {avroFld{Name: "deleted", Type: "boolean", Doc: "True: it was deleted."}, "False:"},
		"a mark alone":         {avroFld{Name: "by", Type: "string", Doc: `Who decided it, e.g. "ann". Personal data.`}, "personal is false"},
		"a property alone":     {avroFld{Name: "by", Type: "string", Doc: `Who decided it, e.g. "ann".`, Personal: true}, "personal is true"},
	} {
		if got := docLacks(tt.field); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// records are all records of the catalogue by name, those inside others too.
func records(t *testing.T) map[string]node {
	t.Helper()
	all := make(map[string]node)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if v["type"] == "record" {
				n := parse(t, v)
				all[n.Name] = n
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	for _, record := range travelling() {
		text, _ := schemas.AVSC(record)
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		walk(v)
	}
	return all
}

// What a person must be able to find out from the schema alone: which fields hold
// personal data. These do for certain.
func TestPersonalDataIsMarked(t *testing.T) {
	all := records(t)
	for record, fields := range map[string][]string{
		"CallEvent":       {"from_number", "to_number", "agent_email", "notes"},
		"Field":           {"value"},
		"SyncContact":     {"fields"},
		"ContactChange":   {"fields"},
		"AttemptItem":     {"fields"},
		"SyncCall":        {"reason"},
		"FieldChange":     {"old", "new"},
		"SyncConflict":    {"dialer_value", "crm_value"},
		"DeadLetter":      {"key", "value", "headers", "message", "record_key"},
		"Header":          {"value"},
		"TenantConfig":    {"default_owner_email", "document"},
		"ControlAction":   {"by"},
		"SyncOpportunity": {"name"},
	} {
		for _, name := range fields {
			i := slices.IndexFunc(all[record].Fields, func(f avroFld) bool { return f.Name == name })
			if i < 0 || !all[record].Fields[i].Personal {
				t.Errorf("%s.%s is not marked as personal data", record, name)
			}
		}
	}
}

// An inbound call may hide its number: a producer leaves the field out.
func TestACallMayHaveNoNumberOfItsOwn(t *testing.T) {
	for _, f := range records(t)["CallEvent"].Fields {
		if f.Name == "from_number" && string(f.Default) != `""` {
			t.Errorf("from_number has the default %s, want \"\"", f.Default)
		}
	}
}

// docs/topics.md says of every field whether it is personal: people decide by the
// page, tools by the property.
func TestThePageSaysWhatIsPersonal(t *testing.T) {
	page, err := os.ReadFile("../docs/topics.md")
	if err != nil {
		t.Fatal(err)
	}
	type column struct{ record, field string }
	says := make(map[column]string)
	record := ""
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "### "); ok {
			record = heading // a topic's is replaced by that of its value
		}
		if value, ok := strings.CutPrefix(line, "- Value: "); ok {
			record = value
		}
		cells := strings.Split(strings.ReplaceAll(line, `\|`, ""), "|")
		if strings.HasPrefix(line, "| ") && len(cells) == 6 {
			says[column{record, strings.TrimSpace(cells[1])}] = strings.TrimSpace(cells[4])
		}
	}
	marked := 0
	for name, n := range records(t) {
		for _, f := range n.Fields {
			want := ""
			if f.Personal {
				want = "yes"
				marked++
			}
			if got, there := says[column{name, f.Name}]; !there || got != want {
				t.Errorf("%s.%s: the page says %q (there: %v), the schema %q", name, f.Name, got, there, want)
			}
		}
	}
	if marked == 0 {
		t.Error("no field is marked: the test judges nothing")
	}
}

// Every topic can be used by somebody who has the catalogue alone.
func TestEveryTopicIsExplained(t *testing.T) {
	for _, topic := range schemas.Topics() {
		for what, text := range map[string]string{"doc": topic.Doc, "key": topic.Key, "example of a key": topic.Example, "writers": topic.Writers, "readers": topic.Readers} {
			if text == "" {
				t.Errorf("%s has no %s", topic.Name, what)
			}
		}
		if !strings.HasSuffix(topic.Doc, ".") || topic.Notes != "" && !strings.HasSuffix(topic.Notes, ".") {
			t.Errorf("%s: doc and notes are sentences", topic.Name)
		}
		if topic.Role == schemas.RoleInternal {
			continue
		}
		tenant, rest, _ := strings.Cut(topic.Example, "/")
		if got, err := schemas.TenantOf([]byte(topic.Example)); err != nil || got != "acme" || tenant != got {
			t.Errorf("%s: the key %q is of tenant %q, %v", topic.Name, topic.Example, got, err)
		}
		if strings.HasPrefix(topic.Key, "tenant/") != (rest != "") {
			t.Errorf("%s: the key %q is not of the form %q", topic.Name, topic.Example, topic.Key)
		}
	}
}
