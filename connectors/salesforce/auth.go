package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

const assertionLife = 3 * time.Minute

// login gets an access token by the JWT bearer flow. It is a call of the account's
// budget like any other.
func (c *conn) login(ctx context.Context, leaveBy time.Time) (rest.Token, error) {
	pem, err := c.env.Secret(ctx, c.auth["key"])
	if err != nil {
		return rest.Token{}, &rest.Error{Class: schemas.ErrAuth, Message: "the reference of auth.key can't be resolved"}
	}
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(pem))
	if err != nil { // the parser's error could quote the key
		return rest.Token{}, &rest.Error{Class: schemas.ErrAuth, Message: "auth.key is no RSA private key in PEM form"}
	}
	audience := c.auth["audience"]
	if audience == "" {
		audience = c.base
	}
	assertion, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": c.auth["client_id"], "sub": c.auth["username"], "aud": audience,
		"exp": c.now().Add(assertionLife).Unix(),
	}).SignedString(key)
	if err != nil {
		return rest.Token{}, &rest.Error{Class: schemas.ErrAuth, Message: "the assertion can't be signed with auth.key"}
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	res, _, err := c.rest.Do(ctx, leaveBy, &rest.Request{
		Method: http.MethodPost, URL: c.base + "/services/oauth2/token",
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}},
		Body:   []byte(form.Encode()),
	})
	if err != nil {
		return rest.Token{}, err
	}
	var body struct {
		Access      string `json:"access_token"`
		Instance    string `json:"instance_url"`
		ID          string `json:"id"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	parsed := json.Unmarshal(res.Body, &body) == nil
	switch {
	case res.Status == http.StatusOK && parsed && body.Access != "":
	case res.Status >= 500 || res.Status == 420 || res.Status == 406 || body.Error == "unknown_error" || !parsed || res.Status == http.StatusOK:
		return rest.Token{}, &rest.Error{Class: schemas.ErrTransient, Code: body.Error, Message: "the token endpoint has no answer at the moment", Status: res.Status}
	case res.Status == http.StatusTooManyRequests || strings.Contains(body.Error+body.Description, "rate"):
		return rest.Token{}, &rest.Error{Class: schemas.ErrThrottled, Code: body.Error, Message: "too many logins", RetryAfter: time.Minute, Status: res.Status}
	default:
		return rest.Token{}, &rest.Error{Class: schemas.ErrAuth, Code: body.Error, Message: rest.Redact(body.Description, assertion, body.Access), Status: res.Status}
	}
	if err := c.pin(body.ID); err != nil {
		return rest.Token{}, err
	}
	instance, err := c.allowed(body.Instance)
	if err != nil {
		return rest.Token{}, err
	}
	return rest.Token{Access: body.Access, Instance: instance}, nil
}

// pin refuses a login that another org answered (B11): …/id/{org}/{user}.
func (c *conn) pin(id string) error {
	parts := strings.Split(strings.TrimSuffix(id, "/"), "/")
	if len(parts) >= 2 {
		if got := NormalizeID(parts[len(parts)-2]); got == NormalizeID(c.account.ID) {
			return nil
		} else if orgID.MatchString(got) {
			return &rest.Error{Class: schemas.ErrAuth, Code: "other_org", Message: fmt.Sprintf("the login was answered by org %s, configured is %s", got, c.account.ID)}
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
	server, err := url.Parse(c.base)
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
