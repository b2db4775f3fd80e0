package hubspot

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

const (
	defaultServer = "https://api.hubapi.com"
	objectsPath   = "/crm/v3/objects/"

	// What the window is until an answer tells the portal's own.
	window    = 10 * time.Second
	perWindow = 100 // the smallest that any private app has
	slack     = 300 * time.Millisecond
	perSecond = 4 // searches: the account has 5, other tools search too
)

// conn is a connection to one portal.
type conn struct {
	*base.Account
	rest   *rest.Client
	search *rest.Client // searches have a limit of their own
}

// Open implements connectors.Provider.
func (p provider) Open(env connectors.Env, tenant string, a schemas.Account) (connectors.Conn, error) {
	c := new(conn)
	var err error
	c.Account, err = base.Open(p, base.Vendor{Server: defaultServer, Login: c.login, Classify: whole, Limits: limits}, env, tenant, a)
	if err != nil {
		return nil, err
	}
	c.rest = c.Client(rest.Config{InFlight: theProfile.Limits.InFlight, Window: window, PerWindow: perWindow, Slack: slack})
	c.search = c.Client(rest.Config{InFlight: 1, Window: time.Second, PerWindow: perSecond, Slack: slack})
	return c, nil
}

// attempt is one call of Do.
type attempt struct {
	*conn
	*base.Attempt
}

// Do implements connectors.Conn.
func (c *conn) Do(ctx context.Context, at *schemas.Attempt, leaveBy time.Time, emit connectors.Emit) connectors.Answer {
	a := &attempt{c, c.New(at, leaveBy, emit)}
	return a.Run(ctx, a.write, a.read, a.readPage, a.find)
}

// limits reads what an answer's headers say of the limits. Private apps are told the
// window and the day, public ones the window alone, searches of either neither. The
// headers that speak of a second are no longer kept to by the CRM.
func limits(h http.Header) (l rest.Limits) {
	get := func(k string) (int, bool) {
		n, err := strconv.Atoi(h.Get("X-HubSpot-RateLimit-" + k))
		return n, err == nil && n >= 0
	}
	most, ok1 := get("Max")
	ms, ok2 := get("Interval-Milliseconds")
	left, ok3 := get("Remaining")
	if ok1 && ok2 && ok3 {
		l.PerWindow, l.Window, l.Remaining = most, time.Duration(ms)*time.Millisecond, left
	}
	daily, ok1 := get("Daily")
	left, ok2 = get("Daily-Remaining")
	if ok1 && ok2 {
		l.Daily, l.Used = daily, daily-left
	}
	return l
}

// itemURL is where a person sees a record of an object.
func (c *conn) itemURL(object, id string) string {
	types := map[string]string{contacts: "0-1", companies: "0-2", deals: "0-3", calls: "0-48", meetings: "0-47", tasks: "0-27"}
	t, ok := types[object]
	if !ok || id == "" {
		return ""
	}
	return "https://app.hubspot.com/contacts/" + c.Config.ID + "/record/" + t + "/" + id
}
