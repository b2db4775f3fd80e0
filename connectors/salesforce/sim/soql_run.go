package sim

import (
	"cmp"
	"slices"
	"strings"
)

// run returns the matching records in order, cut by LIMIT and OFFSET.
func (p *plan) run() []*record {
	tab := p.o.tables[p.obj]
	var out []*record
	keep := func(r *record) {
		if (p.all || !r.deleted) && (p.where == nil || p.where(r)) {
			out = append(out, r)
		}
	}
	if p.index {
		for _, id := range p.lookup {
			if r := tab.find(id); r != nil {
				keep(r)
			}
		}
	} else {
		for _, s := range tab.order {
			keep(s.rec)
		}
	}
	return p.cut(out)
}

// cut sorts and limits.
func (p *plan) cut(rows []*record) []*record {
	if len(p.order) > 0 {
		slices.SortStableFunc(rows, func(a, b *record) int {
			for _, by := range p.order {
				if n := by.compare(by.read(p.obj, a), by.read(p.obj, b)); n != 0 {
					return n
				}
			}
			return 0
		})
	}
	if p.q.offset > 0 {
		rows = rows[min(p.q.offset, len(rows)):]
	}
	if p.q.limit >= 0 && p.q.limit < len(rows) {
		rows = rows[:p.q.limit]
	}
	return rows
}

func (by ordering) compare(a, b any) int {
	if a == nil || b == nil {
		switch {
		case a == nil && b == nil:
			return 0
		case (a == nil) == by.nullsLast:
			return 1
		}
		return -1
	}
	n := compareValues(a, b)
	if by.desc {
		return -n
	}
	return n
}

// compareValues orders two values of one field, neither nil. Texts ignore case.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case string:
		if n := strings.Compare(strings.ToLower(a), strings.ToLower(b.(string))); n != 0 {
			return n
		}
		return strings.Compare(a, b.(string))
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case bool:
		switch {
		case a == b.(bool):
			return 0
		case a:
			return 1
		}
		return -1
	}
	return 0
}

// appendRows renders records as an array. Children are gathered for all of them in one pass.
func (p *plan) appendRows(b []byte, rows []*record, base string) []byte {
	families := map[*column]map[string][]*record{}
	for _, c := range p.cols {
		if c.child != nil {
			families[c] = c.child.gather(rows)
		}
	}
	b = append(b, '[')
	for i, r := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.obj.appendAttributes(b, r, base)
		for _, c := range p.cols {
			b = append(b, ',')
			b = appendString(b, c.key)
			b = append(b, ':')
			if c.child != nil {
				b = c.child.plan.appendResult(b, c.child.plan.cut(families[c][r.id]), base)
				continue
			}
			b = p.appendColumn(b, c, p.obj, r, base)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendResult renders a sub-select's result; null without rows.
func (p *plan) appendResult(b []byte, rows []*record, base string) []byte {
	if len(rows) == 0 {
		return append(b, "null"...)
	}
	b = appendTotal(b, len(rows), true)
	b = append(b, `,"records":`...)
	b = p.appendRows(b, rows, base)
	return append(b, '}')
}

func (p *plan) appendColumn(b []byte, c *column, o *object, r *record, base string) []byte {
	switch {
	case c.parent != nil:
		to, parent := p.o.follow(o, r, c.parent)
		if parent == nil {
			return append(b, "null"...)
		}
		b = to.appendAttributes(b, parent, base)
		for _, kid := range c.kids {
			b = append(b, ',')
			b = appendString(b, kid.key)
			b = append(b, ':')
			b = p.appendColumn(b, kid, to, parent, base)
		}
		return append(b, '}')
	case c.typ:
		return appendString(b, o.name)
	}
	if f := c.field(o); f != nil {
		return o.appendField(b, r, f)
	}
	return append(b, "null"...)
}

// gather finds the children of rows, in the child table's order.
func (c *childColumn) gather(rows []*record) map[string][]*record {
	out := make(map[string][]*record, len(rows))
	for _, r := range rows {
		out[r.id] = nil
	}
	child := c.plan
	for _, s := range child.o.tables[child.obj].order {
		r := s.rec
		id, _ := child.obj.value(r, c.by).(string)
		if _, wanted := out[id]; wanted && (child.all || !r.deleted) && (child.where == nil || child.where(r)) {
			out[id] = append(out[id], r)
		}
	}
	return out
}

// appendAggregates renders the one row of an aggregate query.
func (p *plan) appendAggregates(b []byte, rows []*record) []byte {
	b = append(b, `[{"attributes":{"type":"AggregateResult"}`...)
	unnamed := 0
	for _, a := range p.aggs {
		name := a.name
		if name == "" {
			name = "expr" + string(appendScalar(nil, nil, int64(unnamed)))
			unnamed++
		}
		b = append(b, ',')
		b = appendString(b, name)
		b = append(b, ':')
		f, v := a.compute(p.obj, rows)
		b = appendREST(b, f, v)
	}
	return append(b, "}]"...)
}

var countField = &field{name: "count", typ: tInt}

// compute returns an aggregate's value and the field that says how to write it.
func (a aggregate) compute(o *object, rows []*record) (*field, any) {
	if a.read == nil {
		return countField, int64(len(rows))
	}
	var values []any
	for _, r := range rows {
		if v := a.read.read(o, r); v != nil {
			values = append(values, v)
		}
	}
	switch a.fn {
	case "COUNT":
		return countField, int64(len(values))
	case "COUNT_DISTINCT":
		set := map[any]bool{}
		for _, v := range values {
			set[v] = true
		}
		return countField, int64(len(set))
	}
	if len(values) == 0 {
		return a.read.f, nil
	}
	switch a.fn {
	case "MIN":
		return a.read.f, slices.MinFunc(values, compareValues)
	case "MAX":
		return a.read.f, slices.MaxFunc(values, compareValues)
	}
	sum := 0.0
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			sum += float64(v)
		case float64:
			sum += v
		}
	}
	if a.fn == "AVG" {
		sum /= float64(len(values))
	}
	return &field{name: a.fn, typ: tDouble}, sum
}
