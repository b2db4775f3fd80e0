package hubspot

import (
	"regexp"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/base"
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
	var c base.Checks
	if !number.MatchString(a.ID) {
		c.Add("id", "is no portal id", "use the number that HubSpot shows beside the account's name")
	}
	c.Flow(a.AuthFlow, "token")
	auth, settings := base.Map(a.Auth), base.Map(a.Settings)
	c.Need(auth, "token", "set a reference to the private app's token: env:NAME or file:PATH")
	c.Reference(auth, "token", "the token")
	c.Unknown(auth, "token")
	if v := settings["call_identity"]; v != "" && !property.MatchString(v) {
		c.Add("settings.call_identity", "is no name of a property", "use the internal name of the unique property on calls, such as dialer_call_id")
	}
	if v := settings["app_id"]; v != "" && !number.MatchString(v) {
		c.Add("settings.app_id", "is no app id", "use the number of the app that sends the webhooks")
	}
	return c
}
