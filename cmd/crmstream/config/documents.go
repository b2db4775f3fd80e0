package config

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/pipeline/near"
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

	places  *strictyaml.Places
	entries entries
}

// entries says where in a document stands what a problem is of.
type entries struct {
	lines []string            // of the mapping
	paths map[string][]string // of the other lists, and of "LIST/whole"
}

func (e *entries) at(pr *mapping.Problem) string {
	paths := e.paths[pr.List]
	switch {
	case pr.List == "mappings" && pr.Index >= 0 && pr.Index < len(e.lines):
		return e.lines[pr.Index] + partOf(pr.Part)
	case pr.Index >= 0 && pr.Index < len(paths):
		return paths[pr.Index] + "." + pr.Part
	case len(e.paths[pr.List+"/whole"]) > 0:
		return e.paths[pr.List+"/whole"][0] + "." + pr.Part
	}
	return ""
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
func (d *tenantDoc) rules(p *strictyaml.Places, tc *schemas.TenantConfig, providers []connectors.Provider, host *script.Host) (*reader, strictyaml.Mistakes) {
	r := &reader{p: p, profiles: profiles(providers), crms: sortedKeys(d.CRM)}
	paths := map[string][]string{"mappings/whole": {"mapping"}, "locale/whole": {"locale"}, "currency/whole": {"currency"}, "primary_crm/whole": {"primary"}, "conflict_default/whole": {"conflicts.default"}, "calls/whole": {"calls"}}
	tc.Locale, tc.Currency, tc.PrimaryCRM = d.Locale, strings.ToUpper(d.Currency), d.Primary
	tc.Mappings = r.mapping(d.Mapping)
	for _, name := range sortedKeys(d.Conflicts) {
		if name == "default" {
			tc.ConflictDefault = d.Conflicts[name]
			continue
		}
		r.conflictField(name, d.Conflicts[name])
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
		r.scripts(i, host)
	}
	r.entries.paths = paths
	for i := range r.lines {
		r.entries.lines = append(r.entries.lines, r.lines[i].path)
	}
	warnings := r.check(mapping.NewBase(r.profiles, zone), tc)
	return r, append(warnings, r.warnings...)
}

// conflictField looks whether a strategy is of a field that there is: a slip would leave
// the field that was meant without one. A call goes to the CRM only, so that of its fields
// nothing but the dialer's own value can count.
func (r *reader) conflictField(name, strategy string) {
	known, ofCalls := mapping.NewBase(r.profiles, zone).Fields(), callFields
	for i := range r.lines {
		switch r.lines[i].v.Entity {
		case schemas.EntityContact:
			known = append(known, r.lines[i].v.Field)
		case schemas.EntityCall:
			ofCalls = append(slices.Clip(ofCalls), r.lines[i].v.Field)
		}
	}
	switch {
	case slices.Contains(known, name):
	case slices.Contains(ofCalls, name):
		if strategy != schemas.DialerWins && slices.Contains(mapping.Strategies, strategy) {
			r.warnings = append(r.warnings, r.p.Mistake("conflicts."+name, name+" is of a call, which goes to the CRM only: the dialer's value counts, whatever stands here", schemas.DialerWins+", or leave it out"))
		}
	default:
		known = append(known, ofCalls...)
		slices.Sort(known)
		r.bad("conflicts."+name, near.DidYouMean(name, slices.Compact(known)), "no mapping has the field "+quote(name))
	}
}

// scripts says what is wrong with the scripts of a line before any value of a CRM is in
// them: what can't be read, what never ends, and what fails whatever it is given.
func (r *reader) scripts(i int, host *script.Host) {
	m := &r.lines[i].v
	if m.Transform != schemas.TransformCustom || i > 0 && r.lines[i-1].path == r.lines[i].path {
		return // the same line for another kind of record was looked at
	}
	for _, part := range []struct{ at, src string }{{".transform", m.Script}, {".inverse", m.Inverse}} {
		if strings.TrimSpace(part.src) == "" || len(part.src) > script.MaxScript {
			continue
		}
		at, what := r.lines[i].path+part.at, "the script of "+m.Field
		if wrong := host.Check(part.src); wrong != "" {
			r.bad(at, "an expression of JavaScript in which the input is called value", what+" can't be read: "+wrong)
			continue
		}
		switch err := tried(host, part.src); {
		case errors.Is(err, mapping.ErrCutOff):
			r.bad(at, "an expression that ends soon, and without much memory, for any text", what+" was tried: "+err.Error())
		case err != nil:
			r.warnings = append(r.warnings, r.p.Mistake(at, what+" fails with each text that was tried, such as "+quote(trials[0])+": "+err.Error(),
				"an expression of JavaScript that gives a text, a number, true, false or null; examples under tests: show what it does"))
		}
	}
}

// trials are what a script is tried with.
var trials = []string{"Ann Lee", "42", "2024-01-15", "true"}

// tried runs a script on the trials: the error is that it was cut off at one of them, or
// else that of the first if all of them fail.
func tried(host *script.Host, src string) (failed error) {
	worked := false
	for _, v := range trials {
		_, err := host.Run(src, &v)
		if errors.Is(err, mapping.ErrCutOff) {
			return err
		}
		worked = worked || err == nil
		if failed == nil {
			failed = err
		}
	}
	if worked {
		return nil
	}
	return failed
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
		return nil, furtherMistakes(err, docs, places, providers)
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
		r, warnings := d.rules(places[i], &tc, providers, host)
		mistakes = append(append(append(mistakes, ms...), r.mistakes...), places[i].Mistakes()...)
		tc.Document = places[i].Source
		doc := Document{Config: tc, Tests: r.tests, Warnings: warnings, places: places[i], entries: r.entries}
		out = append(out, doc)
	}
	if len(docs) == 0 {
		mistakes = append(mistakes, strictyaml.Mistake{File: file, What: "no tenant in it", Mend: "tenant: NAME"})
	}
	return out, mistakes.Err()
}

// furtherMistakes adds to those of the form what the parts that have several forms show:
// whoever mends a file wants to know all at once. What only the whole tells is not looked
// at, since a part that could not be read would be missed all over it.
func furtherMistakes(err error, docs []*tenantDoc, places []*strictyaml.Places, providers []connectors.Provider) error {
	var all strictyaml.Mistakes
	if !errors.As(err, &all) {
		return err
	}
	for i, p := range places {
		before := len(p.Mistakes())
		if d := docs[i]; len(d.CRM) > 0 {
			r := &reader{p: p, profiles: profiles(providers), crms: sortedKeys(d.CRM)}
			r.mapping(d.Mapping)
			r.dedupe(d.Dedupe)
			r.dispositions(d.Dispositions)
			r.events(d.Events)
			all = append(append(all, r.mistakes...), p.Mistakes()[before:]...)
		}
	}
	return all
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
