package hubspot

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// login resolves the token, also anew after a refusal, for an admin may have rotated
// it, and asks which portal it belongs to (B11). A portal that does not tell (a scope
// or an API version may be missing) is taken at the configuration's word.
func (c *conn) login(ctx context.Context, leaveBy time.Time) (rest.Token, error) {
	secret, err := c.env.Secret(ctx, c.auth["token"])
	secret = strings.TrimSpace(secret)
	if err != nil || secret == "" {
		return rest.Token{}, &rest.Error{Class: schemas.ErrAuth, Message: "the reference of auth.token can't be resolved"}
	}
	tok := rest.Token{Access: secret}
	res, _, err := c.rest.Do(ctx, leaveBy, &rest.Request{Method: http.MethodGet, Path: "/account-info/v3/details", Header: header(tok, false)})
	if err != nil {
		return rest.Token{}, err
	}
	c.observe(res)
	switch {
	case res.Status == http.StatusNotFound || res.Status == http.StatusForbidden:
		c.log.Warn("the portal does not tell its id: the token is used unchecked", "status", res.Status)
		return tok, nil
	case res.Status != http.StatusOK:
		e, _ := whole(res, c.now())
		if e.Class == schemas.ErrThrottled {
			c.rest.Hold(e.RetryAfter)
		}
		e.Message = rest.Redact(e.Message, secret)
		return rest.Token{}, e
	}
	var details struct {
		Portal json.Number `json:"portalId"`
	}
	if err := json.Unmarshal(res.Body, &details); err != nil || details.Portal == "" {
		return rest.Token{}, &rest.Error{Class: schemas.ErrTransient, Status: res.Status, Message: "the account's details do not name its portal"}
	}
	if got := details.Portal.String(); got != c.account.ID {
		return rest.Token{}, &rest.Error{Class: schemas.ErrAuth, Code: "other_portal", Message: fmt.Sprintf("the token belongs to portal %s, configured is %s", got, c.account.ID)}
	}
	return tok, nil
}

func header(tok rest.Token, body bool) http.Header {
	h := http.Header{"Authorization": {"Bearer " + tok.Access}, "Accept": {"application/json"}}
	if body {
		h.Set("Content-Type", "application/json")
	}
	return h
}
