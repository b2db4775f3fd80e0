package salesforce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

const (
	apiPath     = "/services/data/v59.0"
	callOptions = "client=crmstream"
	reserve     = 1000 // calls of the daily allowance that are left to the tenant's other tools
	bodyLimit   = 10 << 20
)

type conn struct {
	env     connectors.Env
	account schemas.Account
	auth    map[string]string
	base    string // the configured server
	now     func() time.Time
	log     *slog.Logger
	rest    *rest.Client
	tokens  *rest.Tokens
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
}

// Open implements connectors.Provider.
func (p provider) Open(env connectors.Env, tenant string, a schemas.Account) (connectors.Conn, error) {
	if ps := p.Check(a); len(ps) > 0 {
		return nil, fmt.Errorf("opening salesforce account of %s: %s %s", tenant, ps[0].Setting, ps[0].What)
	}
	server := a.Server
	if server == "" {
		server = name
	}
	base, ok := env.Servers[server]
	if !ok {
		return nil, fmt.Errorf("opening salesforce account of %s: server %q is not among the process's servers", tenant, server)
	}
	if env.Secret == nil {
		return nil, errors.New("opening salesforce account: no resolver for secrets")
	}
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	c := &conn{env: env, account: a, auth: fieldMap(a.Auth), base: strings.TrimSuffix(base, "/"), now: env.Now,
		log: env.Log.With("tenant", tenant, "account", a.ID)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.rest = rest.New(rest.Config{HTTP: env.HTTP, Base: c.base, Now: env.Now, InFlight: theProfile.Limits.InFlight,
		Reserve: reserve, MaxBody: bodyLimit, Log: c.log})
	c.tokens = rest.NewTokens(env.Now, c.login)
	return c, nil
}

// Close implements connectors.Conn.
func (c *conn) Close() error {
	c.cancel()
	return nil
}

// Do implements connectors.Conn.
func (c *conn) Do(ctx context.Context, at *schemas.Attempt, leaveBy time.Time, emit connectors.Emit) connectors.Answer {
	a := &attempt{conn: c, at: at, leaveBy: leaveBy, emit: emit}
	a.res = schemas.AttemptResult{AttemptID: at.ID, Provider: name, Account: at.Account, Kind: at.Kind, Object: at.Object,
		Items: make([]schemas.ItemResult, len(at.Items))}
	for i, it := range at.Items {
		a.res.Items[i] = schemas.ItemResult{Key: it.Key, ID: it.ID, Outcome: schemas.NotSent}
	}
	switch at.Kind {
	case schemas.KindWrite:
		a.write(ctx)
	case schemas.KindRead:
		a.read(ctx)
	case schemas.KindPage:
		a.readPage(ctx)
	default:
		a.fail(&rest.Error{Class: schemas.ErrPermanent, Message: "attempts of kind " + at.Kind + " are not known"}, schemas.NotSent)
	}
	a.res.FinishedAt = c.now().UnixMilli()
	return connectors.Answer{Result: a.res, Page: a.page}
}

// attempt is one call of Do.
type attempt struct {
	*conn
	at      *schemas.Attempt
	leaveBy time.Time
	emit    connectors.Emit
	res     schemas.AttemptResult
	page    *connectors.Page
}

// fail gives the request as a whole, and each item that has no answer of its own,
// this error.
func (a *attempt) fail(err error, outcome rest.Outcome) {
	e, ok := errors.AsType[*rest.Error](err)
	if !ok {
		e = &rest.Error{Class: schemas.ErrTransient, Message: rest.Redact(err.Error())}
	}
	if e.Class == schemas.ErrBatch && a.at.Kind != schemas.KindWrite {
		e.Class = schemas.ErrPermanent // nothing to bisect
	}
	if e.Class == schemas.ErrBatch && len(a.at.Items) == 1 {
		e.Class = schemas.ErrPermanent
		outcome = schemas.Sent
	}
	a.res.Status, a.res.Error, a.res.Code, a.res.Message = int32(e.Status), e.Class, e.Code, e.Message
	a.res.RetryAfterMs = e.RetryAfter.Milliseconds()
	for i := range a.res.Items {
		it := &a.res.Items[i]
		if it.Error != "" {
			continue // settled before anything was sent
		}
		it.Outcome, it.Error, it.Code, it.Message = outcome, e.Class, e.Code, e.Message
	}
}

// call sends one request with a token. A refused token is replaced once: some
// refusals are not mended by a new one.
func (c *conn) call(ctx context.Context, leaveBy time.Time, r *rest.Request) (*rest.Response, rest.Token, rest.Outcome, error) {
	for again := false; ; again = true {
		tok, err := c.tokens.Get(ctx, leaveBy)
		if err != nil {
			return nil, tok, schemas.NotSent, err
		}
		req := *r
		req.URL = tok.Instance + r.Path
		req.Header = http.Header{"Authorization": {"Bearer " + tok.Access}, "Accept": {"application/json"}, "Sforce-Call-Options": {callOptions}}
		if len(r.Body) > 0 {
			req.Header.Set("Content-Type", "application/json")
		}
		res, outcome, err := c.rest.Do(ctx, leaveBy, &req)
		if err != nil {
			return nil, tok, outcome, err
		}
		c.observe(res)
		if res.Status >= 200 && res.Status < 300 {
			return res, tok, schemas.Sent, nil
		}
		e, applied := whole(res, c.now())
		if e.Class == schemas.ErrAuth {
			c.tokens.Refused(tok)
			if !again {
				continue
			}
		}
		if e.Class == schemas.ErrThrottled {
			c.rest.Hold(e.RetryAfter)
		}
		e.Message = rest.Redact(e.Message, tok.Access)
		return res, tok, applied, e
	}
}

// observe reads the daily allowance: "api-usage=18/5000; per-app-api-usage=…".
func (c *conn) observe(res *rest.Response) {
	for part := range strings.SplitSeq(res.Header.Get("Sforce-Limit-Info"), ";") {
		v, ok := strings.CutPrefix(strings.TrimSpace(part), "api-usage=")
		if !ok {
			continue
		}
		used, limit, _ := strings.Cut(v, "/")
		u, err1 := strconv.Atoi(used)
		l, err2 := strconv.Atoi(limit)
		if err1 == nil && err2 == nil {
			c.rest.Daily(u, l)
		}
	}
}
