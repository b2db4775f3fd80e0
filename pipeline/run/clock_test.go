package run

import (
	"log/slog"
	"testing"
	"time"
)

// A clock that is set an hour back or forward neither stops nor leaps.
func TestClockThatIsSet(t *testing.T) {
	const start = int64(1_800_000_000_000)
	for name, c := range map[string]struct {
		state, set int64 // ms
		after      []int64
	}{
		// Time as given after 0, 4, 8 and 12 s, by what the wall clock was set by after the first.
		"as it is":        {0, 0, []int64{0, 4000, 8000, 12000}},
		"a little":        {0, 1500, []int64{0, 5500, 9500, 13500}},
		"an hour back":    {0, -3_600_000, []int64{0, 4000, 8000, 12000}},
		"an hour forward": {0, 3_600_000, []int64{0, 5000, 10000, 15000}},
		"a day forward":   {0, 86_400_000, []int64{0, 86_404_000, 86_408_000, 86_412_000}},
		"state is ahead":  {start + 3_600_000, 0, []int64{3_600_000, 3_604_000, 3_608_000, 3_612_000}},
	} {
		t.Run(name, func(t *testing.T) {
			steady, set := time.Duration(0), int64(0)
			clk := newClock(func() time.Time { return time.UnixMilli(start + steady.Milliseconds() + set) }, func() time.Duration { return steady }, c.state, slog.New(slog.DiscardHandler))
			for i, want := range c.after {
				steady = time.Duration(i) * 4 * time.Second
				if got := clk.now() - start; got != want {
					t.Errorf("after %v: %d ms, want %d", steady, got, want)
				}
				set = c.set
			}
		})
	}
}
