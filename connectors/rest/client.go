package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

// Config is one account's client.
type Config struct {
	// HTTP carries out requests; nil is http.DefaultClient. Its Timeout is not used, and
	// no redirect is followed.
	HTTP *http.Client
	// Base is put before a request's Path; an absolute URL in URL replaces both.
	Base string
	// Now is the clock; nil is time.Now. Waiting is always in real time.
	Now func() time.Time
	// Window and PerWindow: at most PerWindow requests in any Window, until an answer
	// says otherwise; PerWindow 0 is no such limit. A former owner may have used the
	// window up: the first request goes out alone and its answer tells. Without such
	// an answer the window is taken for full.
	Window    time.Duration
	PerWindow int
	// Slack lengthens the window by what the network may squeeze together.
	Slack time.Duration
	// InFlight bounds requests at the same time; 0 is no bound.
	InFlight int
	// Daily is the allowance of calls a day; clients of one account share it. nil is
	// without bound.
	Daily *Allowance
	// Limits reads what an answer's headers say of the limits; nil reads nothing.
	Limits func(http.Header) Limits
	// Timeout bounds one request from the moment of sending; 0 is 30 s.
	Timeout time.Duration
	// MaxBody bounds a request's and an answer's body in bytes; 0 is 10 MiB.
	MaxBody int64
	// Log gets one line per request at debug level; nil discards.
	Log *slog.Logger
}

// Limits is what an answer says of an account's limits.
type Limits struct {
	PerWindow int // requests in any Window; 0 = not said
	Window    time.Duration
	Remaining int // of PerWindow, at the moment of the answer

	Daily int // calls a day; 0 = not said
	Used  int // of them
}

// Outcome says what became of a request: schemas.Sent (an answer came, whatever it
// says), schemas.NotSent or schemas.Unknown.
type Outcome = string

// Request is one HTTP request.
type Request struct {
	Method string
	Path   string // appended to Base
	URL    string // absolute, instead of Base and Path; "" = none
	Query  url.Values
	Header http.Header
	Body   []byte
}

// Response is an answer, read whole.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Client sends the requests of one account. It is safe for concurrent use.
type Client struct {
	cfg    Config
	http   *http.Client
	budget *budget
}

// New returns a client.
func New(cfg Config) *Client {
	if cfg.HTTP == nil {
		cfg.HTTP = http.DefaultClient
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 10 << 20
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h := *cfg.HTTP
	h.Timeout = 0 // a request's time is its context's
	// A redirect would be a second request, to an address that came in an answer.
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{cfg: cfg, http: &h, budget: newBudget(cfg)}
}

// Do sends one request, once, at the moment that the budget allows. Where that
// moment would be after leaveBy it returns at once with schemas.NotSent and an
// *Error of class schemas.ErrThrottled. A zero leaveBy is no such limit.
//
// The error is an *Error where there is no answer; an answer with any status is no
// error.
func (c *Client) Do(ctx context.Context, leaveBy time.Time, r *Request) (*Response, Outcome, error) {
	if int64(len(r.Body)) > c.cfg.MaxBody {
		return nil, schemas.NotSent, &Error{Class: schemas.ErrPermanent, Message: fmt.Sprintf("the request's body of %d bytes is over the limit of %d", len(r.Body), c.cfg.MaxBody)}
	}
	target, err := c.target(r)
	if err != nil {
		return nil, schemas.NotSent, &Error{Class: schemas.ErrPermanent, Message: "the request's address is not a URL"}
	}
	release, err := c.budget.acquire(ctx, leaveBy)
	if err != nil {
		return nil, schemas.NotSent, err
	}
	defer release()
	sent := c.cfg.Now()
	outcome := schemas.Unknown
	// Also where something below panics: the others wait for the request that asks.
	defer func() { c.budget.ended(sent, outcome != schemas.NotSent) }()
	res, outcome, err := c.send(ctx, leaveBy, r, target)
	if res != nil && c.cfg.Limits != nil {
		l := c.cfg.Limits(res.Header)
		c.budget.answered(sent, l)
		if l.Daily > 0 {
			c.budget.daily.told(l.Used, l.Daily)
		}
	}
	return res, outcome, err
}

func (c *Client) target(r *Request) (string, error) {
	t := r.URL
	if t == "" {
		t = strings.TrimSuffix(c.cfg.Base, "/") + r.Path
	}
	u, err := url.Parse(t)
	if err != nil {
		return "", err
	}
	if len(r.Query) > 0 {
		u.RawQuery = r.Query.Encode()
	}
	return u.String(), nil
}

func (c *Client) send(ctx context.Context, leaveBy time.Time, r *Request, target string) (*Response, Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var left, got, late atomic.Bool
	tooLate := func() {
		late.Store(true)
		cancel()
	}
	if !leaveBy.IsZero() {
		// Dialling may take longer than there is time to leave.
		t := time.AfterFunc(leaveBy.Sub(c.cfg.Now()), func() {
			if !got.Load() {
				tooLate()
			}
		})
		defer t.Stop()
	}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			got.Store(true)
			if !leaveBy.IsZero() && c.cfg.Now().After(leaveBy) {
				tooLate()
			}
		},
		// Headers that were buffered may have left: from here on it is unknown.
		WroteHeaders: func() { left.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(r.Body))
	if err != nil {
		return nil, schemas.NotSent, &Error{Class: schemas.ErrPermanent, Message: "the request can't be made"}
	}
	for k, v := range r.Header {
		req.Header[k] = v
	}
	began := c.cfg.Now()
	res, err := c.http.Do(req)
	if err != nil {
		return nil, outcome(&left), c.failed(err, &left, &late)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, c.cfg.MaxBody+1))
	if err == nil && int64(len(body)) > c.cfg.MaxBody {
		err = fmt.Errorf("the answer's body is over the limit of %d bytes", c.cfg.MaxBody)
	}
	if err != nil {
		return nil, schemas.Unknown, c.failed(err, &left, &late)
	}
	c.cfg.Log.Debug("request", "method", r.Method, "path", req.URL.Path, "status", res.StatusCode, "took", c.cfg.Now().Sub(began))
	return &Response{Status: res.StatusCode, Header: res.Header, Body: body}, schemas.Sent, nil
}

func outcome(left *atomic.Bool) Outcome {
	if left.Load() {
		return schemas.Unknown
	}
	return schemas.NotSent
}

func (c *Client) failed(err error, left, late *atomic.Bool) *Error {
	// *url.Error repeats the URL, whose query may hold personal data.
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	e := &Error{Class: schemas.ErrTransient, Message: Redact(err.Error()), err: err}
	switch {
	case late.Load() && !left.Load():
		e.Class, e.Message = schemas.ErrAborted, "no connection before the time to leave"
	case errors.Is(err, context.Canceled) && !left.Load():
		e.Class = schemas.ErrAborted
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = "no answer in time"
	}
	return e
}

// Hold lets nothing out for d from now on; a shorter hold does not end a longer one.
func (c *Client) Hold(d time.Duration) { c.budget.holdFor(d) }

// Close lets nothing out any more. What waits for its moment ends at once with
// schemas.NotSent, what is on its way goes on. It does not wait.
func (c *Client) Close() { c.budget.close() }

var errClosed = errors.New("the account's connection is closed")
