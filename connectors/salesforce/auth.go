package salesforce

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

const assertionLife = 3 * time.Minute

// skewLimit is how far our clock may be from the CRM's before its own is used.
const skewLimit = time.Minute

// granted is the token endpoint's answer, good or bad.
type granted struct {
	Access      string `json:"access_token"`
	Instance    string `json:"instance_url"`
	ID          string `json:"id"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// login gets an access token by the JWT bearer flow. It is a call of the account's
// budget like any other.
func (c *conn) login(ctx context.Context, leaveBy time.Time) (rest.Token, error) {
	pem, err := c.Secret(ctx, "key")
	if err != nil {
		return rest.Token{}, err
	}
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(pem))
	if err != nil { // the parser's error could quote the key
		return rest.Token{}, base.ErrCredential("auth.key is no RSA private key in PEM form")
	}
	got, skew, err := c.grant(ctx, leaveBy, key, c.Now())
	if e, ok := errors.AsType[*rest.Error](err); ok && e.Code == "invalid_grant" && skew.Abs() > skewLimit {
		// The assertion's end is told by our clock, which is wrong.
		c.Env.Log.Warn("this machine's clock is not the CRM's", "behind", skew.Round(time.Second))
		got, _, err = c.grant(ctx, leaveBy, key, c.Now().Add(skew))
	}
	if err != nil {
		return rest.Token{}, err
	}
	if err := c.pin(got.ID); err != nil {
		return rest.Token{}, err
	}
	instance, err := c.allowed(got.Instance)
	if err != nil {
		return rest.Token{}, err
	}
	return rest.Token{Access: got.Access, Instance: instance}, nil
}

// grant asks the token endpoint once; skew is how far the CRM's clock is ahead of
// ours.
func (c *conn) grant(ctx context.Context, leaveBy time.Time, key *rsa.PrivateKey, now time.Time) (got *granted, skew time.Duration, err error) {
	audience := c.Auth["audience"]
	if audience == "" {
		audience = c.Base
	}
	assertion, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": c.Auth["client_id"], "sub": c.Auth["username"], "aud": audience,
		"exp": now.Add(assertionLife).Unix(),
	}).SignedString(key)
	if err != nil {
		return nil, 0, base.ErrCredential("the assertion can't be signed with auth.key")
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	res, _, err := c.rest.Do(ctx, leaveBy, &rest.Request{
		Method: http.MethodPost, URL: c.Base + "/services/oauth2/token",
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}},
		Body:   []byte(form.Encode()),
	})
	if err != nil {
		return nil, 0, err
	}
	if theirs, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		skew = theirs.Sub(c.Now())
	}
	got = new(granted)
	parsed := json.Unmarshal(res.Body, got) == nil
	fail := &rest.Error{Code: got.Error, Status: res.Status}
	switch {
	case res.Status == http.StatusOK && parsed && got.Access != "":
		return got, skew, nil
	case res.Status >= 300 && res.Status < 400:
		fail.Class, fail.Message = schemas.ErrAuth, "the server sends logins elsewhere: name the address that it has now"
	case res.Status == http.StatusTooManyRequests || rateLimit.MatchString(got.Error+" "+got.Description):
		fail.Class, fail.Message, fail.RetryAfter = schemas.ErrThrottled, "too many logins", max(time.Minute, rest.RetryAfter(res.Header, c.Now()))
	case res.Status >= 500 || res.Status == 420 || res.Status == 406 || got.Error == "unknown_error" || !parsed || res.Status == http.StatusOK:
		fail.Class, fail.Message = schemas.ErrTransient, "the token endpoint has no answer at the moment"
	default:
		fail.Class, fail.Message = schemas.ErrAuth, rest.Redact(got.Description, assertion, got.Access)
	}
	return nil, skew, fail
}

var rateLimit = regexp.MustCompile(`(?i)\brate.?(limit|exceeded)|login.?rate`)

// pin refuses a login that another org answered (B11): …/id/{org}/{user}.
func (c *conn) pin(id string) error {
	parts := strings.Split(strings.TrimSuffix(id, "/"), "/")
	if len(parts) >= 2 {
		if got := NormalizeID(parts[len(parts)-2]); got == NormalizeID(c.Config.ID) {
			return nil
		} else if orgID.MatchString(got) {
			return &rest.Error{Class: schemas.ErrAuth, Code: "other_org", Message: fmt.Sprintf("the login was answered by org %s, configured is %s", got, c.Config.ID)}
		}
	}
	return &rest.Error{Class: schemas.ErrAuth, Code: "other_org", Message: "the login's answer does not name its org"}
}

// allowed returns the instance's base URL if the process may send a token there.
func (c *conn) allowed(instance string) (string, error) {
	refused := &rest.Error{Class: schemas.ErrAuth, Code: "foreign_instance", Message: "the login names an instance that is not on the list of allowed servers"}
	u, err := url.Parse(instance)
	if err != nil || u.Host == "" || u.User != nil {
		return "", refused
	}
	server, err := url.Parse(c.Base)
	if err != nil {
		return "", refused
	}
	origin := u.Scheme + "://" + u.Host
	if u.Scheme == server.Scheme && u.Host == server.Host {
		return origin, nil
	}
	if vendor(server.Hostname()) && vendor(u.Hostname()) && u.Scheme == "https" && u.Port() == "" {
		return origin, nil
	}
	return "", refused
}

func vendor(host string) bool { return strings.HasSuffix(strings.ToLower(host), ".salesforce.com") }
