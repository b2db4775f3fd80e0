package sync

import (
	"strconv"

	act "github.com/crmstream/crmstream/pipeline/activity"
)

// figure is a score or a share as a machine gave it, nil where it is no number from 0 to
// 100. A call is logged whatever a machine thought of it: that stands in the text then, and
// counts nowhere.
func figure(v *float64) *float64 {
	if v == nil || !(*v >= 0 && *v <= 100) {
		return nil
	}
	return v
}

// noFigure is the line of the text for what is no figure.
func noFigure(name string, v *float64) []act.Line {
	if v == nil || figure(v) != nil {
		return nil
	}
	return []act.Line{{Name: name, Value: strconv.FormatFloat(*v, 'g', 6, 64) + " (no number from 0 to 100)"}}
}
