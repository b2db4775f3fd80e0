package run

import (
	"log/slog"
	"sync"
	"time"
)

// clock gives a partition's time: that of the wall, but never less than the state's,
// always going on, and without leaps.
//
// Set back, the wall's time would stop every timer until it has caught up: the clock
// goes on by the machine's own count instead. Set forward, it would let attempts
// expire whose requests are still under way (P6): leave-by to over-by are 45 s, a
// request takes at most 30 s of them, so that a clock that runs a quarter faster until
// it has caught up breaks nothing. More than two hours are a clock that was wrong
// before: it would take too long, and the right time is taken at once.
type clock struct {
	wall func() time.Time
	// steady is a time that nobody sets and that goes on while the machine sleeps.
	steady func() time.Duration
	log    *slog.Logger

	last   int64         // ms, as given last
	at     time.Duration // steady, then
	owed   int64         // ms of steady time whose quarter is not given yet
	leaped bool
}

// Up to leap the wall's time may go beyond the steady one at once, and again from wrong
// on; between them it is followed slowly. In ms.
const (
	leap  = 2000
	wrong = 2 * 60 * 60 * 1000
)

// newClock returns a clock that begins at the wall's time, or at the state's if that
// is later.
func newClock(wall func() time.Time, steady func() time.Duration, state int64, log *slog.Logger) *clock {
	return &clock{wall: wall, steady: steady, log: log, last: max(state, wall().UnixMilli()), at: steady()}
}

// sharedClock is the wall's time as all partitions of a process see it: one that is
// newly assigned does not leap either.
type sharedClock struct {
	mu sync.Mutex
	c  *clock
}

func newSharedClock(wall func() time.Time, steady func() time.Duration, log *slog.Logger) *sharedClock {
	return &sharedClock{c: newClock(wall, steady, 0, log)}
}

func (s *sharedClock) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.UnixMilli(s.c.now())
}

// now returns the time in ms. It is called by the loop alone.
func (c *clock) now() int64 {
	steady := c.steady()
	elapsed := (steady - c.at).Milliseconds()
	if elapsed <= 0 {
		return c.last // the same millisecond: what is left of it counts next time
	}
	expected, wall := c.last+elapsed, c.wall().UnixMilli()
	off := wall - expected
	switch {
	case off > leap && off < wrong:
		c.owed += elapsed // a busy loop asks each few milliseconds: a quarter of those is none
		expected += c.owed / 4
		c.owed %= 4
	case off > 0:
		expected = wall
	}
	if leaped := off > leap || off < -leap; leaped != c.leaped {
		c.leaped = leaped
		if leaped {
			c.log.Warn("the machine's clock was set: the pipeline's time follows slowly forward, never back, and at once from two hours on", "by", time.Duration(off)*time.Millisecond)
		}
	}
	c.last, c.at = expected, c.at+time.Duration(elapsed)*time.Millisecond
	return c.last
}
