package salesforce

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/base"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

const (
	apiPath     = "/services/data/v59.0"
	callOptions = "client=crmstream"
)

// conn is a connection to one org.
type conn struct {
	*base.Account
	rest    *rest.Client
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	lacking lacking
}

// Open implements connectors.Provider.
func (p provider) Open(env connectors.Env, tenant string, a schemas.Account) (connectors.Conn, error) {
	c := new(conn)
	var err error
	c.Account, err = base.Open(p, base.Vendor{Login: c.login, Classify: whole, Limits: limits, Header: http.Header{"Sforce-Call-Options": {callOptions}}}, env, tenant, a)
	if err != nil {
		return nil, err
	}
	c.rest = c.Client(rest.Config{InFlight: theProfile.Limits.InFlight})
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Close implements connectors.Conn.
func (c *conn) Close() error {
	c.cancel()
	return c.Account.Close()
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

// limits reads the daily allowance: "api-usage=18/5000; per-app-api-usage=…".
func limits(h http.Header) (l rest.Limits) {
	for part := range strings.SplitSeq(h.Get("Sforce-Limit-Info"), ";") {
		v, ok := strings.CutPrefix(strings.TrimSpace(part), "api-usage=")
		if !ok {
			continue
		}
		used, limit, _ := strings.Cut(v, "/")
		u, err1 := strconv.Atoi(used)
		n, err2 := strconv.Atoi(limit)
		if err1 == nil && err2 == nil {
			l.Used, l.Daily = u, n
		}
	}
	return l
}
