package config

import (
	"strings"
	"time"

	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/pipeline/script"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Document is one tenant's document, read.
type Document struct {
	Config schemas.TenantConfig
	// Tests are the examples that stand beside the mapping.
	Tests []Test
	// Warnings are what works but is probably not meant.
	Warnings strictyaml.Mistakes

	places *strictyaml.Places
	lines  []string // where the entries of the mapping stand
}

// Base returns what every tenant's mapping starts from.
func Base(providers []connectors.Provider) *mapping.Base {
	return mapping.NewBase(profiles(providers), zone)
}

func profiles(providers []connectors.Provider) []*profile.Profile {
	var ps []*profile.Profile
	for _, p := range providers {
		ps = append(ps, p.Profile())
	}
	return ps
}

func zone(name string) *time.Location {
	if name == "Local" {
		return nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return loc
}

// rules reads what a document says beside accounts, and checks all of it.
func (d *tenantDoc) rules(p *strictyaml.Places, tc *schemas.TenantConfig, providers []connectors.Provider, check func(script string) string) (*reader, strictyaml.Mistakes) {
	r := &reader{p: p, profiles: profiles(providers), crms: sortedKeys(d.CRM)}
	paths := map[string][]string{"locale/whole": {"locale"}, "currency/whole": {"currency"}, "primary_crm/whole": {"primary"}, "conflict_default/whole": {"conflicts.default"}, "calls/whole": {"calls"}}
	tc.Locale, tc.Currency, tc.PrimaryCRM = d.Locale, strings.ToUpper(d.Currency), d.Primary
	tc.Mappings = r.mapping(d.Mapping)
	for _, name := range sortedKeys(d.Conflicts) {
		if name == "default" {
			tc.ConflictDefault = d.Conflicts[name]
			continue
		}
		tc.ConflictFields = append(tc.ConflictFields, schemas.Text(name, d.Conflicts[name]))
		paths["conflict_fields"] = append(paths["conflict_fields"], "conflicts."+name)
	}
	tc.Dedupe, paths["dedupe"] = r.dedupe(d.Dedupe)
	tc.Dispositions, paths["dispositions"] = r.dispositions(d.Dispositions)
	tc.Calls = d.Calls.policy()
	tc.Owners = fieldsOf(d.Owners)
	for _, crm := range r.crms {
		if d.CRM[crm] != nil {
			scopes, at := r.scopes(crm, d.CRM[crm].Scope)
			tc.Scopes, paths["scopes"] = append(tc.Scopes, scopes...), append(paths["scopes"], at...)
		}
	}
	tc.Events, paths["events"] = r.events(d.Events)
	tc.Stages, paths["stages"] = r.stages(d.Stages)
	for i := range r.lines {
		r.scripts(i, check)
	}
	return r, r.check(mapping.NewBase(r.profiles, zone), tc, paths)
}

// scripts says what is wrong with the scripts of a line before they are ever run.
func (r *reader) scripts(i int, check func(script string) string) {
	m := &r.lines[i].v
	if m.Transform != schemas.TransformCustom {
		return
	}
	for part, src := range map[string]string{".transform": m.Script, ".inverse": m.Inverse} {
		if strings.TrimSpace(src) == "" {
			continue
		}
		if wrong := check(src); wrong != "" {
			r.bad(r.lines[i].path+part, "an expression of JavaScript in which the input is called value", "the script of "+m.Field+" can't be read: "+wrong)
		}
	}
}

// Documents reads the tenants of a file: one document each. Version and AppliedAt of
// the configurations are the caller's to set. The error is strictyaml.Mistakes, all of
// them; the documents are then what could be read.
func Documents(file string, src []byte, servers map[string]string, providers []connectors.Provider) ([]Document, error) {
	var docs []*tenantDoc
	places, err := strictyaml.DecodeAll(file, src, func() any {
		docs = append(docs, &tenantDoc{TimeZone: "UTC", Country: "US", Currency: "USD"})
		return docs[len(docs)-1]
	})
	if err != nil {
		return nil, err
	}
	host := script.New(script.Options{})
	defer host.Close()
	var mistakes strictyaml.Mistakes
	out := make([]Document, 0, len(docs))
	seen := make(map[string]bool)
	for i, d := range docs {
		tc, ms := d.config(places[i], servers, providers)
		if seen[d.Tenant] {
			ms = append(ms, places[i].Mistake("tenant", "the tenant "+quote(d.Tenant)+" stands in this file twice", ""))
		}
		seen[d.Tenant] = true
		r, warnings := d.rules(places[i], &tc, providers, host.Check)
		mistakes = append(append(append(mistakes, ms...), r.mistakes...), places[i].Mistakes()...)
		tc.Document = places[i].Source
		doc := Document{Config: tc, Tests: r.tests, Warnings: warnings, places: places[i]}
		for k := range r.lines {
			doc.lines = append(doc.lines, r.lines[k].path)
		}
		out = append(out, doc)
	}
	if len(docs) == 0 {
		mistakes = append(mistakes, strictyaml.Mistake{File: file, What: "no tenant in it", Mend: "tenant: NAME"})
	}
	return out, mistakes.Err()
}

// Tenants are the configurations of Documents.
func Tenants(file string, src []byte, servers map[string]string, providers []connectors.Provider) ([]schemas.TenantConfig, error) {
	docs, err := Documents(file, src, servers, providers)
	if err != nil {
		return nil, err
	}
	configs := make([]schemas.TenantConfig, len(docs))
	for i := range docs {
		configs[i] = docs[i].Config
	}
	return configs, nil
}
