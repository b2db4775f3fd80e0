package rest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

// budget decides the moment of sending.
//
// Invariant: sends holds every moment of the last longest window, oldest first; a
// request leaves only when fewer than max of them are within window, so no interval
// of that length ever holds more than max. A moment is written when the request is
// let out, not when it was asked for. max and window are what the CRM says they are,
// from one answer to the next.
type budget struct {
	now   func() time.Time
	slack time.Duration
	daily *Allowance
	slots chan struct{} // in flight; nil = no bound
	turn  chan struct{} // held by the one that waits for the window: first come, first out
	done  chan struct{} // closed by close

	mu      sync.Mutex
	max     int // 0 = no window
	window  time.Duration
	sends   []time.Time
	state   knowledge
	hold    time.Time
	changed chan struct{} // closed when what a waiter waits for may have changed
}

// knowledge is what a budget knows of the requests that were sent before its time,
// by a former owner of the account.
type knowledge int

const (
	unsure knowledge = iota // nothing: one request may ask
	asking                  // that one is out
	sure
)

// longest is the longest window that an answer can set.
const longest = time.Minute

// mostInWindow bounds what an answer can set.
const mostInWindow = 10000

func newBudget(cfg Config) *budget {
	b := &budget{now: cfg.Now, slack: cfg.Slack, daily: cfg.Daily, max: cfg.PerWindow, window: cfg.Window + cfg.Slack,
		turn: make(chan struct{}, 1), done: make(chan struct{}), changed: make(chan struct{})}
	if b.max == 0 {
		b.state = sure
	}
	if b.daily == nil {
		b.daily = NewAllowance(cfg.Now, 0)
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
	release = func() {}
	if b.slots != nil {
		if err := b.await(ctx, due, b.slots, nil, nil, nil); err != nil {
			return nil, err
		}
		release = sync.OnceFunc(func() { <-b.slots })
	}
	if err := b.await(ctx, due, b.turn, nil, nil, nil); err != nil {
		release()
		return nil, err
	}
	defer func() { <-b.turn }()
	for {
		ok, d, changed, daily := b.take()
		if ok {
			return release, nil
		}
		// Waiting in vain would only hold up those behind.
		if d > 0 && !leaveBy.IsZero() && b.now().Add(d).After(leaveBy) {
			release()
			return nil, tooLate(d)
		}
		var after <-chan time.Time
		if d > 0 {
			after = time.After(d)
		}
		if err := b.await(ctx, due, nil, after, changed, daily); err != nil {
			release()
			return nil, err
		}
	}
}

// await ends with nil when put has taken a place or one of the others speaks, else
// with why nothing leaves. A channel that is nil is not waited for.
func (b *budget) await(ctx context.Context, due <-chan time.Time, put chan<- struct{}, after <-chan time.Time, changed, daily <-chan struct{}) error {
	select {
	case put <- struct{}{}:
	case <-after:
	case <-changed:
	case <-daily:
	case <-b.done:
		return aborted(errClosed)
	case <-ctx.Done():
		return aborted(ctx.Err())
	case <-due:
		return tooLate(b.wait())
	}
	return nil
}

// take counts one send now, or says how long to wait; 0 is until something changes.
func (b *budget) take() (ok bool, d time.Duration, changed, daily <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.done: // after close nothing is let out, whoever waited
		return false, 0, nil, nil
	default:
	}
	now := b.now()
	changed = b.changed
	if b.state == asking {
		return false, 0, changed, nil
	}
	if d := b.waitLocked(now); d > 0 {
		return false, d, changed, nil
	}
	if d, daily := b.daily.take(now); d > 0 {
		return false, d, changed, daily
	}
	if b.max > 0 {
		b.book(now, 1)
		if b.state == unsure {
			b.state = asking
		}
	}
	return true, 0, nil, nil
}

func (b *budget) wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.waitLocked(b.now()), b.daily.wait(b.now()))
}

func (b *budget) waitLocked(now time.Time) time.Duration {
	var at time.Time
	if b.max > 0 && len(b.sends) >= b.max {
		at = b.sends[len(b.sends)-b.max].Add(b.window)
	}
	if b.hold.After(at) {
		at = b.hold
	}
	return max(0, at.Sub(now))
}

// book writes n sends down and forgets what no window reaches any more.
func (b *budget) book(now time.Time, n int) {
	old := 0
	for old < len(b.sends) && now.Sub(b.sends[old]) > longest+b.slack {
		old++
	}
	b.sends = slices.Delete(b.sends, 0, old)
	b.sends = append(b.sends, slices.Repeat([]time.Time{now}, max(0, n))...)
}

// within counts the sends since a moment.
func (b *budget) within(since time.Time) int {
	n := 0
	for n < len(b.sends) && b.sends[len(b.sends)-1-n].After(since) {
		n++
	}
	return n
}

// answered takes over what the answer to a request that was sent at a moment says of
// the window. What it counts beyond our own log was sent by others, among them the
// account's former owner: dated now, it is never dated too early.
func (b *budget) answered(sent time.Time, l Limits) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.max == 0 || l.PerWindow < 1 || l.PerWindow > mostInWindow || l.Window <= 0 || l.Window > longest {
		return
	}
	b.max, b.window, b.state = l.PerWindow, l.Window+b.slack, sure
	if foreign := l.PerWindow - max(0, l.Remaining) - b.within(sent.Add(-b.window)); foreign > 0 {
		b.book(b.now(), foreign)
	}
	b.wake()
}

// ended says that a request is over. If it was the one that asked and nothing was
// said, the window is taken for full at the moment of its sending.
func (b *budget) ended(sent time.Time, left bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != asking {
		return
	}
	if !left {
		b.state = unsure
	} else {
		b.state = sure
		b.book(sent, b.max-b.within(sent.Add(-b.window)))
	}
	b.wake()
}

func (b *budget) holdFor(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.now().Add(d); until.After(b.hold) {
		b.hold = until
		b.wake()
	}
}

// close lets nothing out any more; what waits ends at once.
func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.done:
	default:
		close(b.done)
	}
}

func (b *budget) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func aborted(err error) error {
	return &Error{Class: schemas.ErrAborted, Message: "ended before it left", err: err}
}

func tooLate(wait time.Duration) error {
	return &Error{Class: schemas.ErrThrottled, Message: "no room in the budget before the time to leave", RetryAfter: wait}
}
