package hubspot

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Phases of a source.
const (
	listing   = "list"   // the first load of contacts, by the CRM's own order
	searching = "search" // what changed since, by id
	active    = "active" // owners
	archived  = "old"    // owners that left
)

// cursor is a place in a source. A pass of searches asks for everything that was
// modified since a moment, in the order of ids: a record that is modified while the
// pass runs moves nobody else, and is found again by the next pass, which asks from
// an overlap before began on.
type cursor struct {
	phase string
	since int64  // ms; searching: modified at or after
	began int64  // ms, the CRM's clock when the pass began; 0 before its first page
	after string // listing, owners: the CRM's token; searching: the last id
}

func (c cursor) String() string {
	return fmt.Sprintf("1 %s %d %d %s", c.phase, c.since, c.began, "-"+url.QueryEscape(c.after))
}

func parseCursor(s, first string, phases ...string) (cursor, error) {
	if s == "" {
		return cursor{phase: first}, nil
	}
	bad := fmt.Errorf("cursor %q is none of ours", s)
	p := strings.Fields(s)
	if len(p) != 5 || p[0] != "1" || p[4][0] != '-' {
		return cursor{}, bad
	}
	since, err1 := strconv.ParseInt(p[2], 10, 64)
	began, err2 := strconv.ParseInt(p[3], 10, 64)
	after, err3 := url.QueryUnescape(p[4][1:])
	if err1 != nil || err2 != nil || err3 != nil {
		return cursor{}, bad
	}
	c := cursor{phase: p[1], since: since, began: began, after: after}
	for _, ph := range append(phases, first) {
		if c.phase == ph && (ph != searching || after == "" || number.MatchString(after)) {
			return c, nil
		}
	}
	return cursor{}, bad
}
