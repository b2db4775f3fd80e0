package run

import (
	"time"

	"golang.org/x/sys/unix"
)

// steadyTime is the time since the machine was started, its sleep included: Go's own
// monotonic time leaves that out, and every wake-up would be a leap of the clock.
func steadyTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Since(processStart)
	}
	return time.Duration(ts.Nano())
}

var processStart = time.Now()
