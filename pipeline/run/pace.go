package run

import "time"

// paceAim is how long a transaction is to take in a flood: so long a call waits that
// comes behind it, and so much is in memory at once.
const paceAim = 150 * time.Millisecond

// pace is how many records a transaction takes: as many as came through in that time
// lately, at most the configuration's, at least a few. What a record costs differs by
// far: an echo some microseconds, a person who is new a hundred.
type pace struct{ now, least, most int }

func newPace(most int) *pace { return &pace{now: most, least: min(most, 500), most: most} }

// took learns from a transaction of n records.
func (p *pace) took(n int, d time.Duration) {
	switch {
	case d > paceAim:
		p.now = max(p.least, min(p.now, int(float64(n)*float64(paceAim)/float64(d))))
	case n >= p.now:
		p.now = min(p.most, p.now+p.now/4)
	}
}
