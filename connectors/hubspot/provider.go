package hubspot

import (
	"regexp"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

type provider struct{}

// Provider returns HubSpot.
func Provider() connectors.Provider { return provider{} }

var (
	_ connectors.Provider        = provider{}
	_ connectors.WebhookReceiver = provider{}
	_ connectors.Conn            = (*conn)(nil)
)

func (provider) Name() string              { return name }
func (provider) Profile() *profile.Profile { return theProfile }

var (
	number   = regexp.MustCompile(`^[0-9]{1,20}$`)
	property = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)
)

// Check implements connectors.Provider.
func (provider) Check(a schemas.Account) []connectors.Problem {
	var ps []connectors.Problem
	add := func(setting, what, mend string) {
		ps = append(ps, connectors.Problem{Setting: setting, What: what, Mend: mend})
	}
	if !number.MatchString(a.ID) {
		add("id", "is no portal id", "use the number that HubSpot shows beside the account's name")
	}
	if a.AuthFlow != "token" {
		add("auth_flow", "is not supported", "use token")
	}
	auth, settings := fieldMap(a.Auth), fieldMap(a.Settings)
	switch t := auth["token"]; {
	case t == "":
		add("auth.token", "is missing", "set a reference to the private app's token: env:NAME or file:PATH")
	case !strings.HasPrefix(t, "env:") && !strings.HasPrefix(t, "file:"):
		add("auth.token", "is not a reference", "put the token in a file or a variable and write file:PATH or env:NAME")
	}
	var unknown []string
	for k := range auth {
		if k != "token" {
			unknown = append(unknown, k)
		}
	}
	slices.Sort(unknown)
	for _, k := range unknown {
		add("auth."+k, "is unknown", "remove it")
	}
	if v := settings["call_identity"]; v != "" && !property.MatchString(v) {
		add("settings.call_identity", "is no name of a property", "use the internal name of the unique property on calls, such as dialer_call_id")
	}
	if v := settings["app_id"]; v != "" && !number.MatchString(v) {
		add("settings.app_id", "is no app id", "use the number of the app that sends the webhooks")
	}
	return ps
}

func fieldMap(fs []schemas.Field) map[string]string {
	m := make(map[string]string, len(fs))
	for _, f := range fs {
		if f.Value != nil {
			m[f.Name] = *f.Value
		} else {
			m[f.Name] = ""
		}
	}
	return m
}
