package config

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/xeipuuv/gojsonschema"

	"github.com/crmstream/crmstream/connectors/all"
)

const schemaFile = "../../../docs/tenant.schema.json"

func TestSchemaIsFresh(t *testing.T) {
	got, err := os.ReadFile(schemaFile)
	if err != nil || string(got) != string(Schema(all.Providers())) {
		t.Errorf("docs/tenant.schema.json is stale: go run ./cmd/crmstream tenants schema > docs/tenant.schema.json (%v)", err)
	}
}

// validate says what a document breaks of the schema.
func validate(t *testing.T, doc string) []gojsonschema.ResultError {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gojsonschema.Validate(gojsonschema.NewBytesLoader(Schema(all.Providers())), gojsonschema.NewBytesLoader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return r.Errors()
}

// Every setting that is read stands in the schema, and no other.
func TestSchemaHasEverySetting(t *testing.T) {
	var s struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(Schema(all.Providers()), &s); err != nil {
		t.Fatal(err)
	}
	settings := func(v any) map[string]bool {
		names := make(map[string]bool)
		for i := range reflect.TypeOf(v).NumField() {
			names[reflect.TypeOf(v).Field(i).Tag.Get("yaml")] = true
		}
		return names
	}
	text := string(Schema(all.Providers()))
	for name := range settings(tenantDoc{}) {
		if _, ok := s.Properties[name]; !ok {
			t.Errorf("%s is read and not in the schema", name)
		}
		delete(s.Properties, name)
	}
	for name := range s.Properties {
		t.Errorf("%s is in the schema and not read", name)
	}
	for _, v := range []any{lineDoc{}, testDoc{}, callsDoc{}, crmDoc{}, stageDoc{}, eventDoc{}} {
		for name := range settings(v) {
			if !strings.Contains(text, `"`+name+`": {`) {
				t.Errorf("%s is read and not in the schema", name)
			}
		}
	}
}

// An editor marks what lint would refuse, as far as a form can tell.
func TestSchemaSeesMistakes(t *testing.T) {
	for _, doc := range []string{
		"tenant: a\n", head + "contry: US\n", head + "mapping: {contacts: {}}\n", head + "mapping: {contact: {phone: {transform: phone_e146}}}\n",
		head + "mapping: {contact: {phone: {direction: inwards}}}\n", head + "mapping: {contact: {phone: {transform: {date_iso: {locle: x}}}}}\n",
		head + "dedupe: [emale]\n", head + "conflicts: {default: crm_winz}\n", head + "calls: {min_seconds: soon}\n", head + "events: {a: {salesforce: evnt}}\n",
		head + "stages: [{to: x}]\n", head + "mapping: {contact: {phone: {validate: [{frmat: x}]}}}\n",
	} {
		if len(validate(t, doc)) == 0 {
			t.Errorf("nothing is wrong with\n%s", doc)
		}
		if _, wrong := read(t, doc); wrong == "" {
			t.Errorf("lint finds nothing in\n%s", doc)
		}
	}
	if errs := validate(t, both); len(errs) > 0 {
		t.Errorf("%v", errs)
	}
}
