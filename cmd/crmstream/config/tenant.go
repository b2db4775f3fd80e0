package config

import (
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on the host (P9)

	"github.com/crmstream/crmstream/cmd/crmstream/strictyaml"
	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
)

// tenantDoc is a tenant's document as people write it.
type tenantDoc struct {
	Tenant   string             `yaml:"tenant"`
	TimeZone string             `yaml:"timezone"`
	Country  string             `yaml:"country"`
	Currency string             `yaml:"currency"`
	Locale   string             `yaml:"locale"`
	Primary  string             `yaml:"primary"`
	Calls    callsDoc           `yaml:"calls"`
	CRM      map[string]*crmDoc `yaml:"crm"`

	Mapping      map[string]map[string]strictyaml.Node `yaml:"mapping"`
	Conflicts    map[string]string                     `yaml:"conflicts"`
	Dedupe       []strictyaml.Node                     `yaml:"dedupe"`
	Dispositions map[string]strictyaml.Node            `yaml:"dispositions"`
	Owners       map[string]string                     `yaml:"owners"`
	Events       map[string]map[string]strictyaml.Node `yaml:"events"`
	Stages       []stageDoc                            `yaml:"stages"`
}

type callsDoc struct {
	MinSeconds   int32  `yaml:"min_seconds"`
	DefaultOwner string `yaml:"default_owner"`
	// Skip are kinds of calls that are not logged, SkipDirections directions.
	Skip           []string `yaml:"skip"`
	SkipDirections []string `yaml:"skip_directions"`
	LogBefore      bool     `yaml:"log_before"`
	CreateLead     bool     `yaml:"create_lead"`
	LookUp         *bool    `yaml:"look_up"`
	Notes          string   `yaml:"notes"`
	Recording      string   `yaml:"recording"`
	RecordingBase  string   `yaml:"recording_base"`
}

func (d *callsDoc) policy() schemas.CallPolicy {
	slices.Sort(d.Skip)
	slices.Sort(d.SkipDirections)
	return schemas.CallPolicy{SkipKinds: d.Skip, SkipDirections: d.SkipDirections, LogBefore: d.LogBefore, CreateLead: d.CreateLead, NoLookup: d.LookUp != nil && !*d.LookUp,
		NotesLayout: d.Notes, Recording: d.Recording, RecordingBase: strings.TrimRight(d.RecordingBase, "/")}
}

type crmDoc struct {
	Account  string            `yaml:"account"`
	Server   string            `yaml:"server"`
	Auth     map[string]string `yaml:"auth"`
	Settings map[string]string `yaml:"settings"`
	// Scope says which records are synced, by kind of record.
	Scope map[string]strictyaml.Node `yaml:"scope"`
}

// secretSettings hold secrets whatever the provider: references only.
var secretSettings = map[string]bool{"key": true, "token": true, "client_secret": true, "refresh_token": true, "password": true}

func (d *tenantDoc) config(p *strictyaml.Places, servers map[string]string, providers []connectors.Provider) (schemas.TenantConfig, []strictyaml.Mistake) {
	var ms []strictyaml.Mistake
	bad := func(path, mend, format string, args ...any) {
		ms = append(ms, p.Mistake(path, fmt.Sprintf(format, args...), mend))
	}
	tc := schemas.TenantConfig{
		Tenant: d.Tenant, TimeZone: d.TimeZone, Country: strings.ToUpper(d.Country),
		MinCallSeconds: d.Calls.MinSeconds, DefaultOwnerEmail: d.Calls.DefaultOwner,
	}
	if !schemas.ValidTenant(d.Tenant) {
		bad("tenant", "1 to 128 characters without '/' and blanks", "the tenant's name is %q", d.Tenant)
	}
	if _, err := time.LoadLocation(d.TimeZone); err != nil || d.TimeZone == "Local" {
		bad("timezone", "an IANA name, such as America/Los_Angeles", "unknown time zone %q", d.TimeZone)
	}
	if len(tc.Country) != 2 || !phone.KnownCountry(tc.Country) {
		bad("country", "two letters of ISO 3166, such as US or GB", "country is %q", d.Country)
	}
	if owner := d.Calls.DefaultOwner; owner != "" && !strings.Contains(owner, "@") {
		bad("calls.default_owner", "the e-mail address that the CRM's user has", "calls.default_owner is %q", owner)
	}
	for _, rep := range sortedKeys(d.Owners) {
		if !strings.Contains(rep, "@") || !strings.Contains(d.Owners[rep], "@") {
			bad("owners."+rep, "ann@dialer.example.com: a.lee@acme.example", "owners are an e-mail address in the dialer and the one in the CRM: %q is %q", rep, d.Owners[rep])
		}
	}
	if u, err := url.Parse(d.Calls.RecordingBase); d.Calls.RecordingBase != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		bad("calls.recording_base", "https://dialer.example.com", "calls.recording_base is %q", d.Calls.RecordingBase)
	}
	if d.Calls.MinSeconds < 0 {
		bad("calls.min_seconds", "0, or how many seconds a call has at least", "calls.min_seconds is negative")
	}
	byName := make(map[string]connectors.Provider)
	var names []string
	for _, pr := range providers {
		byName[pr.Name()] = pr
		names = append(names, pr.Name())
	}
	if len(d.CRM) == 0 {
		bad("crm", "crm: with one of "+strings.Join(names, ", "), "no CRM")
	}
	for _, name := range sortedKeys(d.CRM) {
		c, path := d.CRM[name], "crm."+name
		pr, ok := byName[name]
		if !ok {
			bad(path, "known: "+strings.Join(names, ", "), "unknown CRM %q", name)
			continue
		}
		if c == nil {
			bad(path, "", "%s is empty", path)
			continue
		}
		if _, ok := servers[c.Server]; c.Server != "" && !ok {
			mend := "name it under servers: in the process's configuration"
			if len(servers) == 0 {
				mend = "no servers are configured: name the process's configuration with -c FILE, and the server in it under servers:"
			}
			bad(path+".server", mend, "unknown server %q", c.Server)
		}
		a := schemas.Account{Provider: name, ID: c.Account, Server: c.Server}
		said := make(map[string]bool) // a setting that was left out for a mistake is not missing, too
		for _, k := range sortedKeys(c.Auth) {
			switch {
			case k == "flow":
				a.AuthFlow = c.Auth[k]
			case secretSettings[k] && !IsReference(c.Auth[k]):
				bad(path+".auth."+k, "env:NAME or file:PATH", "%s.auth.%s must be a reference to the secret, not the secret", path, k)
				said[path+".auth."+k] = true
			default:
				a.Auth = append(a.Auth, schemas.Text(k, c.Auth[k]))
			}
		}
		for _, k := range sortedKeys(c.Settings) {
			a.Settings = append(a.Settings, schemas.Text(k, c.Settings[k]))
		}
		for _, problem := range pr.Check(a) {
			at := path + "." + documentName(problem.Setting)
			if !said[at] {
				bad(at, problem.Mend, "%s %s", at, problem.What)
			}
		}
		tc.Accounts = append(tc.Accounts, a)
	}
	return tc, ms
}

// documentName is what a setting of schemas.Account is called in the document.
func documentName(setting string) string {
	switch setting {
	case "id":
		return "account"
	case "auth_flow":
		return "auth.flow"
	}
	return setting
}

func sortedKeys[V any](m map[string]V) []string {
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	sort.Strings(ks)
	return ks
}
