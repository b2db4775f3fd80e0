package base

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas"
)

// BodyLimit bounds the bodies of a CRM's requests and answers, in bytes.
const BodyLimit = 10 << 20

// Reserve is how many calls of a daily allowance are left to the tenant's other
// tools.
const Reserve = 1000

// Vendor is how a CRM differs as a server.
type Vendor struct {
	// Server is the base URL where neither the account nor the process names one; ""
	// = the process must.
	Server string
	// Login gets an access token. Its error is a *rest.Error.
	Login func(ctx context.Context, leaveBy time.Time) (rest.Token, error)
	// Classify says what an answer that is no 2xx means for the request as a whole,
	// and whether it was certainly not applied.
	Classify func(res *rest.Response, now time.Time) (*rest.Error, rest.Outcome)
	// Limits reads what an answer's headers say of the limits; nil reads nothing.
	Limits func(http.Header) rest.Limits
	// Header goes with every request; nil is none.
	Header http.Header
}

// Account is a connection to one account, as far as all CRMs have it. It is safe for
// concurrent use.
type Account struct {
	Env    connectors.Env // Now and Log are set
	Config schemas.Account
	Auth   map[string]string
	Base   string // URL of the configured server, without a slash at its end
	Tokens *rest.Tokens

	provider string
	vendor   Vendor
	daily    *rest.Allowance
	clients  []*rest.Client
}

// Open checks the account and finds its server. It contacts nobody.
func Open(p connectors.Provider, v Vendor, env connectors.Env, tenant string, a schemas.Account) (*Account, error) {
	fail := func(format string, args ...any) (*Account, error) {
		return nil, fmt.Errorf("opening %s account of %s: %s", p.Name(), tenant, fmt.Sprintf(format, args...))
	}
	if ps := p.Check(a); len(ps) > 0 {
		return fail("%s %s", ps[0].Setting, ps[0].What)
	}
	server := a.Server
	if server == "" {
		server = p.Name()
	}
	base, ok := env.Servers[server]
	if !ok && (a.Server != "" || v.Server == "") {
		return fail("server %q is not among the process's servers: name it under servers: in the file that it takes by -c", server)
	}
	if !ok {
		base = v.Server
	}
	if env.Secret == nil {
		return fail("no resolver for secrets")
	}
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	env.Log = env.Log.With("tenant", tenant, "account", a.ID)
	return &Account{Env: env, Config: a, Auth: Map(a.Auth), Base: strings.TrimSuffix(base, "/"), Tokens: rest.NewTokens(env.Now, v.Login),
		provider: p.Name(), vendor: v, daily: rest.NewAllowance(env.Now, Reserve)}, nil
}

// Client makes a client of the account's from what the limits are; the rest of cfg is
// filled in. All clients share the daily allowance. It is called in Open only.
func (a *Account) Client(cfg rest.Config) *rest.Client {
	cfg.HTTP, cfg.Base, cfg.Now, cfg.Log = a.Env.HTTP, a.Base, a.Env.Now, a.Env.Log
	cfg.MaxBody, cfg.Daily, cfg.Limits = BodyLimit, a.daily, a.vendor.Limits
	c := rest.New(cfg)
	a.clients = append(a.clients, c)
	return c
}

// Close implements connectors.Conn: nothing leaves any more.
func (a *Account) Close() error {
	for _, c := range a.clients {
		c.Close()
	}
	return nil
}

// Now is the process's clock.
func (a *Account) Now() time.Time { return a.Env.Now() }

// Reply is an answer and the server that gave it.
type Reply struct {
	*rest.Response
	Base string
}

// ServerTime is the CRM's clock at the moment of its answer; ours where it says none.
func (r *Reply) ServerTime(now time.Time) time.Time {
	if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		return t
	}
	return now
}

// Header is that of a request with a token.
func (a *Account) Header(tok rest.Token) http.Header {
	h := a.vendor.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	h.Set("Authorization", "Bearer "+tok.Access)
	h.Set("Accept", "application/json")
	return h
}

// Call sends one request with a token by one of the account's clients; in, if there
// is something, is its body as JSON. A refused token is replaced once: some refusals
// are not mended by a new one. The error is a *rest.Error; a reply may stand beside
// it.
func (a *Account) Call(ctx context.Context, by *rest.Client, leaveBy time.Time, method, path string, query url.Values, in any) (*Reply, rest.Outcome, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, schemas.NotSent, &rest.Error{Class: schemas.ErrPermanent, Message: "the request can't be encoded"}
		}
	}
	for again := false; ; again = true {
		tok, err := a.Tokens.Get(ctx, leaveBy)
		if err != nil {
			if e := asError(err); e.Status != 0 { // the CRM has said it
				a.Hold(by, e.RetryAfter)
			}
			return nil, schemas.NotSent, err
		}
		r := &rest.Request{Method: method, Path: path, Query: query, Header: a.Header(tok), Body: body}
		reply := &Reply{Base: a.Base}
		if tok.Instance != "" {
			reply.Base, r.URL = tok.Instance, tok.Instance+path
		}
		if body != nil {
			r.Header.Set("Content-Type", "application/json")
		}
		var outcome rest.Outcome
		reply.Response, outcome, err = by.Do(ctx, leaveBy, r)
		if err != nil {
			return nil, outcome, err
		}
		if reply.Status >= 200 && reply.Status < 300 {
			return reply, schemas.Sent, nil
		}
		e, applied := a.vendor.Classify(reply.Response, a.Now())
		e.Message = rest.Redact(e.Message, tok.Access)
		if e.Class == schemas.ErrAuth {
			a.Tokens.Refused(tok)
			if !again {
				continue
			}
		}
		a.Hold(by, e.RetryAfter)
		return reply, applied, e
	}
}

const (
	// A wait that long is the account's, whichever of its clients is told of it.
	accountWait = time.Minute
	// After that long the CRM is asked again, whatever it said.
	mostWait = 15 * time.Minute
)

// Hold lets nothing out by the client for as long as an answer said.
func (a *Account) Hold(by *rest.Client, d time.Duration) {
	if d = min(d, mostWait); d <= 0 {
		return
	}
	by.Hold(d)
	if d >= accountWait {
		for _, c := range a.clients {
			c.Hold(d)
		}
	}
}

// ErrCredential is the error of a credential that can't be used as it is configured.
func ErrCredential(why string) error { return &rest.Error{Class: schemas.ErrAuth, Message: why} }

// Secret resolves the reference of an auth setting.
func (a *Account) Secret(ctx context.Context, setting string) (string, error) {
	s, err := a.Env.Secret(ctx, a.Auth[setting])
	if err != nil || strings.TrimSpace(s) == "" {
		// Its words could quote the secret.
		which := ""
		if ref := a.Auth[setting]; strings.HasPrefix(ref, "env:") || strings.HasPrefix(ref, "file:") {
			which = " " + ref
		}
		return "", ErrCredential("the reference of auth." + setting + which + " can't be resolved where the pipeline runs, or is empty there")
	}
	return s, nil
}

// asError returns err as a *rest.Error; one of no class is transient.
func asError(err error) *rest.Error {
	if e, ok := errors.AsType[*rest.Error](err); ok {
		return e
	}
	return &rest.Error{Class: schemas.ErrTransient, Message: rest.Redact(err.Error())}
}
