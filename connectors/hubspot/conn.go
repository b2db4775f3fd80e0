package hubspot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

const (
	defaultServer = "https://api.hubapi.com"
	objectsPath   = "/crm/v3/objects/"

	window    = 10 * time.Second
	perWindow = 100 // the smallest that any private app has
	slack     = 300 * time.Millisecond
	perSecond = 4    // searches: the account has 5, other tools search too
	reserve   = 1000 // calls of the daily allowance that are left to the tenant's other tools
	bodyLimit = 10 << 20
)

type conn struct {
	env     connectors.Env
	account schemas.Account
	auth    map[string]string
	base    string
	now     func() time.Time
	log     *slog.Logger
	rest    *rest.Client
	search  *rest.Client // searches have a limit of their own
	tokens  *rest.Tokens
}

// Open implements connectors.Provider.
func (p provider) Open(env connectors.Env, tenant string, a schemas.Account) (connectors.Conn, error) {
	if ps := p.Check(a); len(ps) > 0 {
		return nil, fmt.Errorf("opening hubspot account of %s: %s %s", tenant, ps[0].Setting, ps[0].What)
	}
	server := a.Server
	if server == "" {
		server = name
	}
	base, ok := env.Servers[server]
	switch {
	case ok:
	case a.Server == "":
		base = defaultServer
	default:
		return nil, fmt.Errorf("opening hubspot account of %s: server %q is not among the process's servers", tenant, server)
	}
	if env.Secret == nil {
		return nil, errors.New("opening hubspot account: no resolver for secrets")
	}
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	c := &conn{env: env, account: a, auth: fieldMap(a.Auth), base: strings.TrimSuffix(base, "/"), now: env.Now,
		log: env.Log.With("tenant", tenant, "account", a.ID)}
	cfg := rest.Config{HTTP: env.HTTP, Base: c.base, Now: env.Now, InFlight: theProfile.Limits.InFlight, MaxBody: bodyLimit, Log: c.log,
		Window: window, PerWindow: perWindow, Slack: slack, Reserve: reserve}
	c.rest = rest.New(cfg)
	cfg.Window, cfg.PerWindow, cfg.Slack, cfg.InFlight = time.Second, perSecond, slack, 1
	c.search = rest.New(cfg)
	c.tokens = rest.NewTokens(env.Now, c.login)
	return c, nil
}

// Close implements connectors.Conn. Nothing runs in the background.
func (c *conn) Close() error { return nil }

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

// call sends one request with a token by a client. A refused token is resolved anew
// and tried once more.
func (c *conn) call(ctx context.Context, by *rest.Client, leaveBy time.Time, method, path string, query url.Values, in any) (*rest.Response, rest.Outcome, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, schemas.NotSent, &rest.Error{Class: schemas.ErrPermanent, Message: "the request can't be encoded"}
		}
	}
	for again := false; ; again = true {
		tok, err := c.tokens.Get(ctx, leaveBy)
		if err != nil {
			return nil, schemas.NotSent, err
		}
		res, outcome, err := by.Do(ctx, leaveBy, &rest.Request{Method: method, Path: path, Query: query, Header: header(tok, body != nil), Body: body})
		if err != nil {
			return nil, outcome, err
		}
		c.observe(res)
		if res.Status >= 200 && res.Status < 300 {
			return res, schemas.Sent, nil
		}
		e, applied := whole(res, c.now())
		if e.Class == schemas.ErrAuth {
			c.tokens.Refused(tok)
			if !again {
				continue
			}
		}
		if e.Class == schemas.ErrThrottled {
			by.Hold(e.RetryAfter)
		}
		e.Message = rest.Redact(e.Message, tok.Access)
		return res, applied, e
	}
}

// observe reads what an answer's headers say of the limits; searches say nothing.
func (c *conn) observe(res *rest.Response) {
	get := func(k string) (int, bool) {
		n, err := strconv.Atoi(res.Header.Get("X-HubSpot-RateLimit-" + k))
		return n, err == nil && n >= 0
	}
	if limit, ok := get("Daily"); ok {
		if left, ok := get("Daily-Remaining"); ok && limit > 0 {
			c.rest.Daily(limit-left, limit)
		}
	}
	limit, ok1 := get("Max")
	ms, ok2 := get("Interval-Milliseconds")
	left, ok3 := get("Remaining")
	// Our own log never uses a larger window up: this is a portal that allows less.
	if ok1 && ok2 && ok3 && left == 0 && limit > 0 && res.Status != http.StatusTooManyRequests {
		c.rest.Hold(min(window, time.Duration(ms)*time.Millisecond/time.Duration(min(limit, 10))))
	}
}

// itemURL is where a person sees a record of an object.
func (c *conn) itemURL(object, id string) string {
	types := map[string]string{contacts: "0-1", calls: "0-48"}
	t, ok := types[object]
	if !ok || id == "" {
		return ""
	}
	return "https://app.hubspot.com/contacts/" + c.account.ID + "/record/" + t + "/" + id
}
