package rest

import (
	"sync"
	"time"
)

// probe is how often one call is let out once the allowance is down to the reserve,
// to learn whether it grew.
const probe = 5 * time.Minute

// Allowance is an account's daily number of calls, of which a reserve is left to the
// tenant's other tools. Clients of one account share one. It is safe for concurrent
// use.
type Allowance struct {
	now     func() time.Time
	reserve int

	mu      sync.Mutex
	known   bool
	left    int
	probed  time.Time
	changed chan struct{}
}

// NewAllowance returns an allowance that is without bound until an answer tells one;
// now nil is time.Now.
func NewAllowance(now func() time.Time, reserve int) *Allowance {
	if now == nil {
		now = time.Now
	}
	return &Allowance{now: now, reserve: reserve, changed: make(chan struct{})}
}

// take counts one call, or says how long to wait unless changed is closed before.
func (a *Allowance) take(now time.Time) (d time.Duration, changed <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.waitLocked(now); d > 0 {
		return d, a.changed
	}
	if a.known {
		if a.left <= a.reserve {
			a.probed = now
		}
		a.left--
	}
	return 0, nil
}

func (a *Allowance) wait(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waitLocked(now)
}

func (a *Allowance) waitLocked(now time.Time) time.Duration {
	if !a.known || a.left > a.reserve || a.probed.IsZero() {
		return 0
	}
	return max(0, a.probed.Add(probe).Sub(now))
}

// told takes over what an answer's header says.
func (a *Allowance) told(used, limit int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.known && a.left <= a.reserve
	a.known, a.left = true, limit-used
	if a.left > a.reserve {
		a.probed = time.Time{}
	} else if !was || a.probed.IsZero() {
		a.probed = a.now() // the call that told it was the probe
	}
	close(a.changed)
	a.changed = make(chan struct{})
}
