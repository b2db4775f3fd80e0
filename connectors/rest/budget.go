package rest

import (
	"context"
	"sync"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

// budget decides the moment of sending.
//
// Invariant: sends holds the last PerWindow moments, oldest at next; a request
// leaves only when the oldest is Window+Slack ago, so no interval of that length
// ever holds more than PerWindow. A moment is written when the request is let out,
// not when it was asked for.
type budget struct {
	now    func() time.Time
	window time.Duration
	probe  time.Duration
	slots  chan struct{} // in flight; nil = no bound
	turn   chan struct{} // held by the one that waits for the window: first come, first out

	mu      sync.Mutex
	sends   []time.Time
	next    int
	hold    time.Time
	changed chan struct{} // closed when a hold came while somebody waits
	known   bool          // the daily allowance was told
	left    int           // of it
	reserve int
	probed  time.Time
}

func newBudget(cfg Config) *budget {
	b := &budget{now: cfg.Now, window: cfg.Window + cfg.Slack, probe: cfg.Probe, reserve: cfg.Reserve,
		turn: make(chan struct{}, 1), changed: make(chan struct{})}
	if cfg.PerWindow > 0 {
		b.sends = make([]time.Time, cfg.PerWindow)
	}
	if cfg.InFlight > 0 {
		b.slots = make(chan struct{}, cfg.InFlight)
	}
	return b
}

// acquire waits until a request may leave, and counts it as sent.
func (b *budget) acquire(ctx context.Context, leaveBy time.Time) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, aborted(err)
	}
	var due <-chan time.Time
	if !leaveBy.IsZero() {
		d := leaveBy.Sub(b.now())
		if d <= 0 {
			return nil, tooLate(0)
		}
		t := time.NewTimer(d)
		defer t.Stop()
		due = t.C
	}
	put := func(ch chan struct{}) error {
		select {
		case ch <- struct{}{}:
			return nil
		default:
		}
		select {
		case ch <- struct{}{}:
			return nil
		case <-ctx.Done():
			return aborted(ctx.Err())
		case <-due:
			return tooLate(b.wait())
		}
	}
	release = func() {}
	if b.slots != nil {
		if err := put(b.slots); err != nil {
			return nil, err
		}
		release = sync.OnceFunc(func() { <-b.slots })
	}
	if err := put(b.turn); err != nil {
		release()
		return nil, err
	}
	defer func() { <-b.turn }()
	for {
		d, changed := b.take()
		if d == 0 {
			return release, nil
		}
		// Waiting in vain would only hold up those behind.
		if !leaveBy.IsZero() && b.now().Add(d).After(leaveBy) {
			release()
			return nil, tooLate(d)
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-changed:
			t.Stop()
		case <-ctx.Done():
			t.Stop()
			release()
			return nil, aborted(ctx.Err())
		case <-due:
			t.Stop()
			release()
			return nil, tooLate(b.wait())
		}
	}
}

// take counts one send now, or says how long to wait.
func (b *budget) take() (time.Duration, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if d := b.waitLocked(now); d > 0 {
		return d, b.changed
	}
	if len(b.sends) > 0 {
		b.sends[b.next] = now
		b.next = (b.next + 1) % len(b.sends)
	}
	if b.known {
		if b.left <= b.reserve {
			b.probed = now
		}
		b.left--
	}
	return 0, nil
}

func (b *budget) wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waitLocked(b.now())
}

func (b *budget) waitLocked(now time.Time) time.Duration {
	var at time.Time
	if len(b.sends) > 0 && !b.sends[b.next].IsZero() {
		at = b.sends[b.next].Add(b.window)
	}
	if b.hold.After(at) {
		at = b.hold
	}
	if b.known && b.left <= b.reserve && !b.probed.IsZero() {
		if p := b.probed.Add(b.probe); p.After(at) {
			at = p
		}
	}
	return max(0, at.Sub(now))
}

func (b *budget) holdFor(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.now().Add(d); until.After(b.hold) {
		b.hold = until
		close(b.changed)
		b.changed = make(chan struct{})
	}
}

func (b *budget) setDaily(used, limit int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.known && b.left <= b.reserve
	b.known, b.left = true, limit-used
	if b.left > b.reserve {
		b.probed = time.Time{}
	} else if !was || b.probed.IsZero() {
		b.probed = b.now() // the call that told it was the probe
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *budget) assumeFull() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := 0; i < len(b.sends)-1; i++ {
		b.sends[b.next] = b.now()
		b.next = (b.next + 1) % len(b.sends)
	}
}

func aborted(err error) error {
	return &Error{Class: schemas.ErrAborted, Message: "ended before it left", err: err}
}

func tooLate(wait time.Duration) error {
	return &Error{Class: schemas.ErrThrottled, Message: "no room in the budget before the time to leave", RetryAfter: wait}
}
