package salesforce

import (
	"net/url"
	"regexp"
	"sort"
	"strings"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

type provider struct{}

// Provider returns Salesforce.
func Provider() connectors.Provider { return provider{} }

var (
	_ connectors.Provider = provider{}
	_ connectors.Conn     = (*conn)(nil)
	_ connectors.Streamer = (*conn)(nil)
)

func (provider) Name() string              { return name }
func (provider) Profile() *profile.Profile { return theProfile }

var orgID = regexp.MustCompile(`^00D[A-Za-z0-9]{15}$`)

// Check implements connectors.Provider.
func (provider) Check(a schemas.Account) []connectors.Problem {
	var ps []connectors.Problem
	add := func(setting, what, mend string) {
		ps = append(ps, connectors.Problem{Setting: setting, What: what, Mend: mend})
	}
	if !orgID.MatchString(a.ID) {
		add("id", "is no 18-character organization id", "use the id that Setup shows under Company Information, in its 18-character form: 00D…")
	}
	if a.AuthFlow != "jwt" {
		add("auth_flow", "is not supported", "use jwt")
	}
	auth := fieldMap(a.Auth)
	for _, k := range []string{"client_id", "key", "username"} {
		if auth[k] == "" {
			add("auth."+k, "is missing", map[string]string{
				"client_id": "set the consumer key of the app",
				"key":       "set a reference to the app's private key: env:NAME or file:PATH",
				"username":  "set the user name of the integration's user",
			}[k])
		}
	}
	if k := auth["key"]; k != "" && !strings.HasPrefix(k, "env:") && !strings.HasPrefix(k, "file:") {
		add("auth.key", "is not a reference", "put the key in a file or a variable and write file:PATH or env:NAME")
	}
	if v := auth["audience"]; v != "" {
		if u, err := url.Parse(v); err != nil || u.Scheme == "" || u.Host == "" {
			add("auth.audience", "is not a URL", "use https://login.salesforce.com, https://test.salesforce.com or the site's address")
		}
	}
	var unknown []string
	for k := range auth {
		switch k {
		case "client_id", "key", "username", "audience":
		default:
			unknown = append(unknown, k)
		}
	}
	sort.Strings(unknown)
	for _, k := range unknown {
		add("auth."+k, "is unknown", "remove it")
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
