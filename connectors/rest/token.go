package rest

import (
	"context"
	"sync"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

// Token is an access token and what came with it.
type Token struct {
	Access   string
	Instance string    // base URL for the calls that bear it; "" = the configured one
	Expires  time.Time // zero = unknown: used until it is refused
}

// Tokens hands out one account's access token. It lives in memory only. Concurrent
// callers share one fetch, which ends by its own time limit and not with the caller
// that began it: that long after it must have left.
type Tokens struct {
	fetch func(ctx context.Context, leaveBy time.Time) (Token, error)
	now   func() time.Time

	mu      sync.Mutex
	current *Token
	flight  *flight
	refusal error         // of the credential; nil = none
	until   time.Time     // it is not shown again before
	pause   time.Duration // after the last refusal
}

type flight struct {
	done chan struct{}
	tok  Token
	err  error
}

const (
	fetchTimeout = 45 * time.Second
	early        = 30 * time.Second // a token is renewed that long before it ends

	// A credential that was refused is not shown again at once, whoever asks: logins
	// are limited, and some systems lock a user out.
	firstPause = 5 * time.Second // doubles
	lastPause  = time.Minute     // up to this
)

// NewTokens returns a source that gets tokens by fetch; now nil is time.Now.
func NewTokens(now func() time.Time, fetch func(ctx context.Context, leaveBy time.Time) (Token, error)) *Tokens {
	if now == nil {
		now = time.Now
	}
	return &Tokens{fetch: fetch, now: now}
}

// Get returns the present token, or fetches one that must leave by leaveBy.
func (t *Tokens) Get(ctx context.Context, leaveBy time.Time) (Token, error) {
	t.mu.Lock()
	if c := t.current; c != nil && (c.Expires.IsZero() || t.now().Add(early).Before(c.Expires)) {
		t.mu.Unlock()
		return *c, nil
	}
	if t.refusal != nil && t.now().Before(t.until) {
		defer t.mu.Unlock()
		return Token{}, t.refusal
	}
	f := t.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		t.flight = f
		go t.run(context.WithoutCancel(ctx), leaveBy, f)
	}
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.tok, f.err
	case <-ctx.Done():
		return Token{}, aborted(ctx.Err())
	}
}

func (t *Tokens) run(ctx context.Context, leaveBy time.Time, f *flight) {
	limit := fetchTimeout
	if !leaveBy.IsZero() {
		limit += max(0, leaveBy.Sub(t.now()))
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	f.tok, f.err = t.guarded(ctx, leaveBy)
	t.mu.Lock()
	switch {
	case f.err == nil:
		t.current, t.refusal, t.pause = &f.tok, nil, 0
	case ClassOf(f.err) == schemas.ErrAuth || ClassOf(f.err) == schemas.ErrForbidden:
		t.pause = min(max(2*t.pause, firstPause), lastPause)
		t.refusal, t.until = f.err, t.now().Add(t.pause)
	}
	t.flight = nil
	t.mu.Unlock()
	close(f.done)
}

// guarded is fetch; it runs on a goroutine of its own, where nobody above recovers: a
// connector that panics costs its attempts and not the process (P8).
func (t *Tokens) guarded(ctx context.Context, leaveBy time.Time) (tok Token, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Class: schemas.ErrTransient, Message: "the connector failed to get a token"}
		}
	}()
	return t.fetch(ctx, leaveBy)
}

// Refused drops a token that the CRM refused. Several callers that saw the same one
// refused cause one fetch: a newer token stays.
func (t *Tokens) Refused(tok Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil && t.current.Access == tok.Access {
		t.current = nil
	}
}
