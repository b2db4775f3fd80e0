package sim

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Config says what a Server simulates and where it keeps it.
type Config struct {
	// Dir is the data folder; "" keeps everything in memory. Every committed change is appended to a
	// log file there before its request is answered, one write(2) per change and no fsync, so the data
	// survives the end of the process by any signal, but not a power cut. One process at a time may
	// have it open.
	Dir string

	// Portals are the accounts to create. For one that already exists in Dir the configuration given here
	// replaces the stored one, but a webhook target and subscriptions left empty keep what is stored.
	Portals []PortalConfig

	// Now is the clock for timestamps, rate limits and the search index; nil is time.Now. The waiting
	// time between webhook deliveries is real time in any case.
	Now func() time.Time

	// WebhookRetry are the delays after the first, second, ... failed delivery; when they are used up
	// the events are dropped. nil is the vendor's promise: ten retries spread at random over 24 hours.
	// Empty but not nil is no retry.
	WebhookRetry []time.Duration

	// SearchLag is how far the search index is behind the records. 0 is three seconds, negative is none.
	SearchLag time.Duration

	// HTTPClient delivers webhooks; nil is one with the vendor's 5 s timeout that follows no redirect.
	HTTPClient *http.Client

	// Logger receives what an operator may want to know (a torn log, a dropped delivery); nil discards.
	// It never receives tokens, secrets or property values.
	Logger *slog.Logger
}

// PortalConfig is one HubSpot account.
type PortalConfig struct {
	ID     int64         `json:"id"`
	Tokens []TokenConfig `json:"tokens,omitempty"`
	App    *AppConfig    `json:"app,omitempty"`
	Owners []OwnerConfig `json:"owners,omitempty"`

	// RateMax is how many requests a token may make in any 10 s; 0 is 190 (Pro and Enterprise).
	RateMax int `json:"rateMax,omitempty"`

	// Daily is how many requests the account may make in a day (UTC); 0 is 650,000.
	Daily int `json:"daily,omitempty"`

	// UniqueCallProperty says whether calls accept a property with hasUniqueValue. No public source
	// shows such a property at work on calls, and none shows it refused, so both worlds can be had.
	UniqueCallProperty bool `json:"uniqueCallProperty,omitempty"`

	// TimelineConflict says whether a timeline event whose id the portal has is a 409, as the newest specification lists it, or
	// takes the other's place, as is told of the older version.
	TimelineConflict bool `json:"timelineConflict,omitempty"`
}

// TokenConfig is an access token of a private app.
type TokenConfig struct {
	// Token is "pat-na1-..."; the log keeps only its SHA-256.
	Token string `json:"token"`
	AppID int64  `json:"appId,omitempty"`
	// Scopes granted to the token; nil grants all.
	Scopes []string `json:"scopes"`
}

// AppConfig is the app whose webhook subscriptions a portal serves.
type AppConfig struct {
	ID           int64  `json:"id"`
	ClientSecret string `json:"clientSecret"`

	// TargetURL receives the webhooks. While it is empty no event is raised. It may be changed at run
	// time by POST /_sim/webhooks.
	TargetURL string `json:"targetUrl,omitempty"`

	// Subscriptions are written "contact.creation", "contact.deletion", "contact.restore",
	// "contact.merge", "contact.associationChange" and
	// "contact.propertyChange:phone" (also company and deal). "call." and an object type id
	// ("0-48.creation") make generic subscriptions, whose events are named "object.creation" and carry
	// an objectTypeId.
	Subscriptions []string `json:"subscriptions,omitempty"`

	// MaxConcurrent is the number of deliveries in flight; 0 is 10.
	MaxConcurrent int `json:"maxConcurrent,omitempty"`
}

// OwnerConfig is a user of the portal who may own records.
type OwnerConfig struct {
	ID        int64  `json:"id"`
	UserID    int64  `json:"userId"`
	Email     string `json:"email"`
	FirstName string `json:"firstName,omitempty"`
	LastName  string `json:"lastName,omitempty"`
}

const (
	defaultRateMax       = 190
	defaultDaily         = 650_000
	defaultMaxConcurrent = 10
	defaultSearchLag     = 3 * time.Second
	webhookTimeout       = 5 * time.Second
)

// withDefaults fills in what the caller left out.
func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.SearchLag == 0 {
		c.SearchLag = defaultSearchLag
	}
	c.SearchLag = max(c.SearchLag, 0)
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{
			Timeout: webhookTimeout,
			// A redirect is not a 2xx: it counts as a failed delivery.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return c
}

// validate reports every mistake in one portal's configuration at once.
func (c PortalConfig) validate() error {
	var errs []error
	if c.ID <= 0 {
		errs = append(errs, fmt.Errorf("portal id %d is not positive", c.ID))
	}
	for i, t := range c.Tokens {
		if t.Token == "" {
			errs = append(errs, fmt.Errorf("portal %d: token %d is empty", c.ID, i))
		}
	}
	if c.RateMax < 0 || c.Daily < 0 {
		errs = append(errs, fmt.Errorf("portal %d: negative limit", c.ID))
	}
	if c.App != nil {
		for _, sub := range c.App.Subscriptions {
			if _, err := parseSubscription(sub); err != nil {
				errs = append(errs, fmt.Errorf("portal %d: %w", c.ID, err))
			}
		}
		if err := validateTarget(c.App.TargetURL); err != nil {
			errs = append(errs, fmt.Errorf("portal %d: %w", c.ID, err))
		}
	}
	return errors.Join(errs...)
}
