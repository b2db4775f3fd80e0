package sim

// Serves POST /crm/v3/objects/{type}/search.
//
// Deviations: CONTAINS_TOKEN matches whole words and a trailing *; query matches substrings of the type's default properties.

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

type searchRequest struct {
	Query        string `json:"query"`
	FilterGroups []struct {
		Filters []filter `json:"filters"`
	} `json:"filterGroups"`
	Sorts      []sortBy `json:"sorts"`
	Properties []string `json:"properties"`
	Limit      text     `json:"limit"`
	After      text     `json:"after"`
}

type filter struct {
	Property  string `json:"propertyName"`
	Operator  string `json:"operator"`
	Value     text   `json:"value"`
	HighValue text   `json:"highValue"`
	Values    []text `json:"values"`
}

type sortBy struct {
	Property  string `json:"propertyName"`
	Direction string `json:"direction"`
}

const (
	maxGroups  = 5
	maxFilters = 18
	maxResults = 10_000
)

func (c *call) search() (int, any, error) {
	tab, err := c.object("read")
	if err != nil {
		return 0, nil, err
	}
	var req searchRequest
	if err := decodeBody(c.body, &req); err != nil {
		return 0, nil, err
	}
	if n := len(req.FilterGroups); n > maxGroups {
		return 0, nil, badRequest("there are too many filterGroups (count: %d, max allowed: %d)", n, maxGroups)
	}
	total := 0
	for _, g := range req.FilterGroups {
		total += len(g.Filters)
		for _, f := range g.Filters {
			if tab.props[f.Property] == nil {
				return 0, nil, badRequest("There was a problem with the request: property %q does not exist", f.Property)
			}
			if !slices.Contains(operators, f.Operator) {
				return 0, nil, badRequest("There was a problem with the request: operator %q is not known", f.Operator)
			}
		}
	}
	limit, after := 10, 0
	if req.Limit != "" {
		if limit, err = strconv.Atoi(string(req.Limit)); err != nil || limit < 1 || limit > 200 {
			return 0, nil, badRequest("limit must be a number from 1 to 200")
		}
	}
	if req.After != "" {
		if after, err = strconv.Atoi(string(req.After)); err != nil || after < 0 {
			return 0, nil, badRequest("after must be a number")
		}
	}
	switch {
	case total > maxFilters:
		return 0, nil, badRequest("there are too many filters (count: %d, max allowed: %d)", total, maxFilters)
	case len(req.Sorts) > 1:
		return 0, nil, badRequest("only one sort is allowed")
	case after+limit > maxResults:
		return 0, nil, badRequest("a query returns at most %d results", maxResults)
	}
	indexed := c.p.indexed(c.now.UnixMilli())
	var hits []*record
	for _, id := range tab.order {
		r := tab.live(id)
		if r == nil {
			continue
		}
		props, ok := r.indexedAt(indexed)
		if ok && matchesQuery(tab.ot, props, req.Query) && (len(req.FilterGroups) == 0 || slices.ContainsFunc(req.FilterGroups, func(g struct {
			Filters []filter `json:"filters"`
		}) bool {
			return !slices.ContainsFunc(g.Filters, func(f filter) bool { return !f.matches(tab.props[f.Property], props) })
		})) {
			hits = append(hits, r)
		}
	}
	by := sortBy{tab.ot.created, "ASCENDING"}
	if len(req.Sorts) == 1 {
		by = req.Sorts[0]
	}
	slices.SortStableFunc(hits, func(a, b *record) int {
		n := compare(tab.props[by.Property], a.props[by.Property], b.props[by.Property])
		if by.Direction == "DESCENDING" {
			return -n
		}
		return n
	})
	out := map[string]any{"total": len(hits)}
	rows := []*recordJSON{}
	for _, r := range hits[min(after, len(hits)):min(after+limit, len(hits))] {
		rows = append(rows, c.p.render(r, tab.ot.wanted(req.Properties)))
	}
	out["results"] = rows
	if after+limit < len(hits) {
		out["paging"] = paging{nextPage{After: strconv.Itoa(after + limit)}}
	}
	return http.StatusOK, out, nil
}

var operators = []string{"BETWEEN", "CONTAINS_TOKEN", "EQ", "GT", "GTE", "HAS_PROPERTY", "IN", "LT", "LTE", "NEQ", "NOT_CONTAINS_TOKEN", "NOT_HAS_PROPERTY", "NOT_IN"}

func matchesQuery(ot *objectType, props map[string]string, q string) bool {
	if q == "" {
		return true
	}
	q = strings.ToLower(q)
	return slices.ContainsFunc(ot.query, func(name string) bool { return strings.Contains(strings.ToLower(props[name]), q) })
}

// compare orders two stored values by the property's type.
func compare(def *property, a, b string) int {
	if def != nil && (def.Type == "number" || def.Type == "datetime") {
		x, _ := strconv.ParseFloat(a, 64)
		y, _ := strconv.ParseFloat(b, 64)
		return cmp.Compare(x, y)
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b))
}

func (f filter) matches(def *property, props map[string]string) bool {
	v, has := props[f.Property]
	has = has && v != ""
	want := stored(def, f.Value)
	equal := func(w string) bool { return has && compare(def, v, w) == 0 }
	switch f.Operator {
	case "HAS_PROPERTY":
		return has
	case "NOT_HAS_PROPERTY":
		return !has
	case "EQ":
		return equal(want)
	case "NEQ":
		return !equal(want)
	case "IN":
		return slices.ContainsFunc(f.Values, func(w text) bool { return equal(stored(def, w)) })
	case "NOT_IN":
		return !slices.ContainsFunc(f.Values, func(w text) bool { return equal(stored(def, w)) })
	case "GT":
		return has && compare(def, v, want) > 0
	case "GTE":
		return has && compare(def, v, want) >= 0
	case "LT":
		return has && compare(def, v, want) < 0
	case "LTE":
		return has && compare(def, v, want) <= 0
	case "BETWEEN":
		return has && compare(def, v, want) >= 0 && compare(def, v, stored(def, f.HighValue)) <= 0
	case "CONTAINS_TOKEN":
		return hasToken(v, string(f.Value))
	default: // NOT_CONTAINS_TOKEN
		return !hasToken(v, string(f.Value))
	}
}

func stored(def *property, v text) string {
	if def.Type == "datetime" {
		if ms, ok := parseInstant(string(v)); ok {
			return strconv.FormatInt(ms, 10)
		}
	}
	return string(v)
}

func hasToken(v, want string) bool {
	want = strings.ToLower(want)
	prefix, starred := strings.CutSuffix(want, "*")
	prefix = strings.TrimPrefix(prefix, "*")
	return slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(v), func(r rune) bool { return r == ' ' || r == ',' || r == '@' }), func(t string) bool {
		return t == want || starred && strings.HasPrefix(t, prefix)
	})
}
