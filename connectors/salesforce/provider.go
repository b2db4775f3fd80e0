package salesforce

import (
	"net/url"
	"regexp"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/base"
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
	var c base.Checks
	if !orgID.MatchString(a.ID) {
		c.Add("id", "is no 18-character organization id", "use the id that Setup shows under Company Information, in its 18-character form: 00D…")
	}
	c.Flow(a.AuthFlow, "jwt")
	auth := base.Map(a.Auth)
	c.Need(auth, "client_id", "set the consumer key of the app")
	c.Need(auth, "key", "set a reference to the app's private key: env:NAME or file:PATH")
	c.Need(auth, "username", "set the user name of the integration's user")
	c.Reference(auth, "key", "the key")
	if v := auth["audience"]; v != "" {
		if u, err := url.Parse(v); err != nil || u.Scheme == "" || u.Host == "" {
			c.Add("auth.audience", "is not a URL", "use https://login.salesforce.com, https://test.salesforce.com or the site's address")
		}
	}
	c.Unknown(auth, "client_id", "key", "username", "audience")
	return c
}
