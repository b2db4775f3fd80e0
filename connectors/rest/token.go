package rest

import (
	"context"
	"sync"
	"time"
)

// Token is an access token and what came with it.
type Token struct {
	Access   string
	Instance string    // base URL for the calls that bear it; "" = the configured one
	Expires  time.Time // zero = unknown: used until it is refused
}

// Tokens hands out one account's access token. It lives in memory only. Concurrent
// callers share one fetch, which ends by its own time limit and not with the caller
// that began it.
type Tokens struct {
	fetch func(ctx context.Context, leaveBy time.Time) (Token, error)
	now   func() time.Time

	mu      sync.Mutex
	current *Token
	flight  *flight
}

type flight struct {
	done chan struct{}
	tok  Token
	err  error
}

const (
	fetchTimeout = 45 * time.Second
	early        = 30 * time.Second // a token is renewed that long before it ends
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
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	f.tok, f.err = t.fetch(ctx, leaveBy)
	t.mu.Lock()
	if f.err == nil {
		t.current = &f.tok
	}
	t.flight = nil
	t.mu.Unlock()
	close(f.done)
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
