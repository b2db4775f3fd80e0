package sim

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Config configures a Server. The zero value is a server in memory without orgs.
type Config struct {
	// Dir is the data folder, one log file per org, created if missing. Empty keeps everything in memory.
	Dir string
	// Orgs are created when they do not yet exist in Dir. For an org that exists, users, apps and limits given here are added
	// to it or replace those of the same id; its records stay.
	Orgs []OrgConfig
	// Now is the clock of the orgs: stamps, token and session ends, retention, the rolling limit. nil is time.Now. The hold of
	// a long poll is real time.
	Now func() time.Time
	// BaseURL is what instance_url and id URLs show, without a trailing slash. Empty derives it from the request's Host.
	BaseURL string
	// Logger receives one line per vendor request at debug level. nil discards.
	Logger *slog.Logger
	// PollHold is the longest hold of a /meta/connect. 0 is the vendor's 110 s, which is also the most.
	PollHold time.Duration
	// ClientExpiry is how long a CometD client may stay away between two connects. 0 is the vendor's 40 s.
	ClientExpiry time.Duration
}

// OrgConfig describes one Salesforce org.
type OrgConfig struct {
	ID         string        `json:"id"`                    // 18 characters, 00D…
	Users      []UserConfig  `json:"users"`                 // become User records
	Apps       []AppConfig   `json:"apps"`                  // connected apps that may log in
	DailyLimit int           `json:"daily_limit,omitempty"` // REST calls per rolling 24 h; 0 is 100,000
	CDC        []string      `json:"cdc,omitempty"`         // entities with change events; nil is Lead, Contact, Account, Opportunity, Task
	SessionTTL time.Duration `json:"session_ttl,omitempty"` // idle life of an access token; 0 is 2 h
}

// UserConfig describes one user of an org.
type UserConfig struct {
	ID       string `json:"id"` // 005…, 15 or 18 characters
	Username string `json:"username"`
	Email    string `json:"email"`
	Name     string `json:"name"`
	TimeZone string `json:"time_zone,omitempty"` // IANA name; as in an org of the United States by default: America/Los_Angeles
}

// AppConfig describes one connected app.
type AppConfig struct {
	ClientID     string `json:"client_id"`
	PublicKeyPEM string `json:"public_key_pem,omitempty"` // RSA public key or certificate, for the JWT bearer flow
	ClientSecret string `json:"client_secret,omitempty"`  // for the refresh token flow
}

const (
	defaultDailyLimit = 100_000
	defaultSessionTTL = 2 * time.Hour
	maxPollHold       = 110 * time.Second
	defaultExpiry     = 40 * time.Second
	eventRetention    = 72 * time.Hour
	cursorLife        = 48 * time.Hour
)

var defaultCDC = []string{"Lead", "Contact", "Account", "Opportunity", "Task"}

// normalize validates an org's configuration and fills in defaults and 18-character ids.
func (c OrgConfig) normalize() (OrgConfig, error) {
	var errs []error
	id, ok := canonicalID(c.ID)
	if !ok || !strings.HasPrefix(id, "00D") {
		return c, fmt.Errorf("org %q: id must be an 18-character id that begins with 00D", c.ID)
	}
	c.ID = id
	c.Users = slices.Clone(c.Users)
	for i, u := range c.Users {
		uid, ok := canonicalID(u.ID)
		if !ok || !strings.HasPrefix(uid, "005") {
			errs = append(errs, fmt.Errorf("org %s: user %q: id %q must begin with 005", c.ID, u.Username, u.ID))
			continue
		}
		if u.Username == "" {
			errs = append(errs, fmt.Errorf("org %s: user %s: username is empty", c.ID, u.ID))
		}
		if u.Name == "" {
			c.Users[i].Name = u.Username
		}
		c.Users[i].ID = uid
	}
	for _, a := range c.Apps {
		if a.ClientID == "" {
			errs = append(errs, fmt.Errorf("org %s: app without client id", c.ID))
		}
		if _, err := a.publicKey(); err != nil {
			errs = append(errs, fmt.Errorf("org %s: app %s: %w", c.ID, a.ClientID, err))
		}
	}
	if c.DailyLimit == 0 {
		c.DailyLimit = defaultDailyLimit
	}
	if c.SessionTTL == 0 {
		c.SessionTTL = defaultSessionTTL
	}
	if c.CDC == nil {
		c.CDC = slices.Clone(defaultCDC)
	}
	for _, e := range c.CDC {
		if o := objectNamed(e); o == nil || o.name != e {
			errs = append(errs, fmt.Errorf("org %s: change events for unknown entity %q", c.ID, e))
		}
	}
	return c, errors.Join(errs...)
}

// publicKey parses the app's key; nil without error when the app has none.
func (a AppConfig) publicKey() (*rsa.PublicKey, error) {
	if a.PublicKeyPEM == "" {
		return nil, nil
	}
	key, err := jwt.ParseRSAPublicKeyFromPEM([]byte(a.PublicKeyPEM))
	if err != nil {
		return nil, fmt.Errorf("reading public key: %w", err)
	}
	return key, nil
}

// merge lays next over c: same users and apps are replaced, new ones added, limits taken from next.
func (c OrgConfig) merge(next OrgConfig) OrgConfig {
	out := next
	out.Users = slices.Clone(next.Users)
	for _, u := range c.Users {
		if !slices.ContainsFunc(next.Users, func(n UserConfig) bool { return n.ID == u.ID }) {
			out.Users = append(out.Users, u)
		}
	}
	out.Apps = slices.Clone(next.Apps)
	for _, a := range c.Apps {
		if !slices.ContainsFunc(next.Apps, func(n AppConfig) bool { return n.ClientID == a.ClientID }) {
			out.Apps = append(out.Apps, a)
		}
	}
	return out
}
