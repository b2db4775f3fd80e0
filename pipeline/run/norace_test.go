//go:build !race

package run

import "time"

// shortSession is the session of members in the ownership tests.
const shortSession = 1500 * time.Millisecond
