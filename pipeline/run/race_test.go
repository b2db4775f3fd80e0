//go:build race

package run

import "time"

// shortSession is the session of members in the ownership tests: the race detector
// slows heartbeats down as well.
const shortSession = 4 * time.Second
