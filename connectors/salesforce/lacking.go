package salesforce

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/crmstream/crmstream/connectors/rest"
	"github.com/crmstream/crmstream/schemas/profile"
)

// lacking is what the org has refused to give while nothing was known of its fields: one
// field must not hold up all that is read. Once an object is described, the core leaves
// out itself what it lacks, and a new connection knows nothing of this.
type lacking struct {
	mu     sync.Mutex
	fields map[string]bool // OBJECT.FIELD
	all    bool            // it said that there is one, and not which: all of the tenant's own
}

// without are columns without those that were refused; defaults are those of the profile.
func (l *lacking) without(object string, cols, defaults []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.fields) == 0 && !l.all {
		return cols
	}
	return slices.DeleteFunc(slices.Clone(cols), func(c string) bool {
		return l.fields[object+"."+c] || l.all && !slices.Contains(defaults, c)
	})
}

var (
	noColumn       = regexp.MustCompile(`No such column '([A-Za-z0-9_]+)' on entity '([A-Za-z0-9_]+)'`)
	noRelationship = regexp.MustCompile(`Didn't understand relationship '([A-Za-z0-9_]+)' in field path`)
)

// refused reports whether the org refused a query for a mapped field that it lacks, and
// remembers which: the next query goes without.
func (a *attempt) refused(err error) bool {
	e, ok := errors.AsType[*rest.Error](err)
	if !ok || e.Code != "INVALID_FIELD" {
		return false
	}
	var left []string
	for _, o := range theProfile.Objects {
		for _, c := range a.columns(o.Name) {
			if m := noColumn.FindStringSubmatch(e.Message); m != nil && m[1] == c && m[2] == o.Name {
				left = append(left, o.Name+"."+c)
			}
			if m := noRelationship.FindStringSubmatch(e.Message); m != nil && strings.HasPrefix(c, m[1]+".") {
				left = append(left, o.Name+"."+c)
			}
		}
	}
	own := slices.ContainsFunc(theProfile.Objects, func(o profile.Object) bool { return len(a.Mapped(o.Name, columns(o.Name))) > len(columns(o.Name)) })
	a.lacking.mu.Lock()
	defer a.lacking.mu.Unlock()
	switch {
	case len(left) > 0:
		if a.lacking.fields == nil {
			a.lacking.fields = make(map[string]bool)
		}
		for _, f := range left {
			a.lacking.fields[f] = true
		}
		a.Env.Log.Warn("the org lacks fields that are mapped: they are not read until it describes them, or the configuration changes", "fields", left, "said", e.Message)
		return true
	case !own || a.lacking.all || noColumn.MatchString(e.Message):
		return false
	}
	a.lacking.all = true
	a.Env.Log.Warn("the org lacks a field of the tenant's mapping and does not say which: none of its own is read until the configuration changes", "said", e.Message)
	return true
}
