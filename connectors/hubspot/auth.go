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
	secret, err := c.Secret(ctx, "token")
	if err != nil {
		return rest.Token{}, err
	}
	tok := rest.Token{Access: strings.TrimSpace(secret)}
	res, _, err := c.rest.Do(ctx, leaveBy, &rest.Request{Method: http.MethodGet, Path: "/account-info/v3/details", Header: c.Header(tok)})
	if err != nil {
		return rest.Token{}, err
	}
	switch {
	case res.Status == http.StatusNotFound || res.Status == http.StatusForbidden:
		c.Env.Log.Warn("the portal does not tell its id: the token is used unchecked", "status", res.Status)
		return tok, nil
	case res.Status != http.StatusOK:
		e, _ := whole(res, c.Now())
		if res.Status == 530 { // the edge answers so to what has not the form of a token
			e.Class, e.Message = schemas.ErrAuth, "the token is not whole, or the server's edge is down"
		}
		e.Message = rest.Redact(e.Message, tok.Access)
		return rest.Token{}, e
	}
	var details struct {
		Portal json.Number `json:"portalId"`
	}
	if err := json.Unmarshal(res.Body, &details); err != nil || details.Portal == "" {
		return rest.Token{}, &rest.Error{Class: schemas.ErrTransient, Status: res.Status, Message: "the account's details do not name its portal"}
	}
	if got := details.Portal.String(); got != c.Config.ID {
		return rest.Token{}, &rest.Error{Class: schemas.ErrAuth, Code: "other_portal", Message: fmt.Sprintf("the token belongs to portal %s, configured is %s", got, c.Config.ID)}
	}
	return tok, nil
}
