//go:build !linux

package run

import "time"

// steadyTime is the time since the process began.
func steadyTime() time.Duration { return time.Since(processStart) }

var processStart = time.Now()
