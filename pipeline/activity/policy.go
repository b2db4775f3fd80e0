package activity

import (
	"fmt"
	"slices"
	"strings"
)

// Policy is what a tenant wants logged.
type Policy struct {
	SkipKinds, SkipDirections []string
	MinSeconds                int32 // 0 = all
}

// Skips returns why a call is not to be logged, "" if it is. A call of unknown length
// is not too short.
func (p Policy) Skips(kind, direction string, seconds *int32) string {
	same := func(s string) func(string) bool { return func(t string) bool { return strings.EqualFold(s, t) } }
	switch {
	case kind != "" && slices.ContainsFunc(p.SkipKinds, same(kind)):
		return "calls of the kind " + kind + " are not logged"
	case slices.ContainsFunc(p.SkipDirections, same(direction)):
		return direction + " calls are not logged"
	case p.MinSeconds > 0 && seconds != nil && *seconds < p.MinSeconds:
		return fmt.Sprintf("shorter than %d s", p.MinSeconds)
	}
	return ""
}
