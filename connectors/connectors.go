package connectors

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Provider is one CRM. Values are safe for concurrent use and have no state.
type Provider interface {
	// Name is the provider's name in configuration, keys and topics: "salesforce".
	Name() string
	// Profile is what the pure core knows of it. The same value at each call.
	Profile() *profile.Profile
	// Check returns what is wrong with an account's configuration, all of it at once,
	// by setting name; nothing is resolved or contacted.
	Check(a schemas.Account) []Problem
	// Open makes a connection to one account. It contacts nobody.
	Open(env Env, tenant string, a schemas.Account) (Conn, error)
}

// Problem is one mistake in an account's configuration.
type Problem struct {
	Setting string // "auth.key"
	What    string
	Mend    string
}

// Env is what a connection gets from its process.
type Env struct {
	// HTTP carries out requests: strict TLS, timeouts, no redirects to other hosts.
	HTTP *http.Client
	// Servers maps the name of a server in an account's configuration to its base
	// URL: the process's allow-list. A tenant can name no URL of its own.
	Servers map[string]string
	// Secret resolves a reference (env:NAME, file:PATH).
	Secret func(ctx context.Context, ref string) (string, error)
	Now    func() time.Time
	Log    *slog.Logger
}

// Conn is a connection to one account. It is safe for concurrent use; its calls
// share one budget, and it alone decides the moment of each request.
type Conn interface {
	// Do carries out one attempt: one HTTP request (a 401's repeat with a new token is
	// inside it). It does not start a request after leaveBy. Records that it reads go
	// to emit in order; emit returns once it took the record, an error ends the
	// attempt. The result has one item per item of the attempt, in order, and is
	// complete also on failure: Do has no error of its own.
	//
	// A page's marker is not emitted: Page in the answer says where the cursor goes.
	Do(ctx context.Context, at *schemas.Attempt, leaveBy time.Time, emit Emit) Answer
	// Close lets nothing leave any more, at once and without waiting: an attempt that
	// waits for its moment ends as not sent, of class schemas.ErrAborted, and so does
	// Do from now on. A request on its way ends by its ctx, and its answer is given.
	Close() error
}

// Emit takes one change that was read.
type Emit func(ctx context.Context, c *schemas.CRMChange) error

// Answer is what Do returns.
type Answer struct {
	Result schemas.AttemptResult
	// Page is set where a page was read whole.
	Page *Page
}

// Page says where a source's cursor goes after a page.
type Page struct {
	Next string // the new cursor
	Last bool   // nothing more at the moment
}

// Streamer is a Conn that can follow pushed changes.
type Streamer interface {
	// Stream follows the account's changes from the cursor on until ctx ends or an
	// error that reconnecting at once will not mend; one that has a class is a Classed.
	// Each event goes to emit with its
	// From and To set; a lost position is an event with Reset set, after which the
	// stream goes on in the next epoch.
	Stream(ctx context.Context, epoch int64, cursor string, emit Emit) error
}

// Classed is an error of a class, one of schemas.Err….
type Classed interface {
	error
	ErrorClass() string
}

// WebhookReceiver is a Provider that is told of changes by HTTP.
type WebhookReceiver interface {
	// Receive verifies one delivery and returns its events. secret is looked up by app
	// id before anything is parsed; url is the public URL that the sender was given.
	// The error is a *WebhookError where the sender must be told.
	Receive(r *http.Request, body []byte, url, secret string, now time.Time) ([]WebhookEvent, error)
}

// WebhookEvent is one event of a delivery.
type WebhookEvent struct {
	Account string // portal id; the intake finds the tenant
	Change  schemas.CRMChange
}

// WebhookError turns a delivery away.
type WebhookError struct {
	Status int // HTTP status for the sender
	Why    string
}

// Error implements error.
func (e *WebhookError) Error() string { return e.Why }
