package run

import (
	"testing"
	"time"
)

// Whatever a record costs, and however that changes, a flood's transactions soon take as
// long as they are to: a call behind them does not wait for a second (B35).
func TestPaceFollowsWhatRecordsCost(t *testing.T) {
	p := newPace(20_000)
	for _, cost := range []time.Duration{5 * time.Microsecond, 80 * time.Microsecond, time.Millisecond, 5 * time.Microsecond} {
		var last time.Duration
		for range 20 {
			n := p.now
			last = time.Duration(n) * cost
			p.took(n, last)
		}
		if n := time.Duration(p.now) * cost; n > 2*paceAim && p.now > p.least || p.now < p.most && n < paceAim/2 {
			t.Errorf("at %v a record, a transaction has %d and takes %v", cost, p.now, n)
		}
	}
}

// One that is slow for another reason, with few records, is no reason to take fewer for
// long.
func TestPaceRecovers(t *testing.T) {
	p := newPace(20_000)
	p.took(10, 3*time.Second)
	for i := 0; p.now < p.most; i++ {
		if i == 30 {
			t.Fatalf("after %d full transactions it takes %d", i, p.now)
		}
		p.took(p.now, time.Millisecond)
	}
}
