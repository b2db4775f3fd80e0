package sim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// condition compiles a WHERE expression.
func (p *plan) condition(e expr) (pred, *soqlError) {
	switch e := e.(type) {
	case *logical:
		terms := make([]pred, len(e.terms))
		for i, t := range e.terms {
			var err *soqlError
			if terms[i], err = p.condition(t); err != nil {
				return nil, err
			}
		}
		return func(r *record) bool {
			for _, t := range terms {
				if t(r) == e.or {
					return e.or
				}
			}
			return !e.or
		}, nil
	case *negation:
		term, err := p.condition(e.term)
		if err != nil {
			return nil, err
		}
		return func(r *record) bool { return !term(r) }, nil
	case *comparison:
		return p.compare(e)
	}
	return nil, &soqlError{code: "MALFORMED_QUERY", text: "unexpected condition", bare: true}
}

// operand is a literal as a field of some type sees it: order compares a value with it, where a date literal is a range whose
// every member is equal.
type operand struct {
	null  bool
	order func(v any) int
}

func (p *plan) compare(c *comparison) (pred, *soqlError) {
	rd, err := p.reader(c.path, c.pos)
	if err != nil {
		return nil, err
	}
	if !rd.f.filterable() {
		return nil, &soqlError{code: "INVALID_FIELD", pos: c.pos, text: "field '" + rd.f.name + "' can not be filtered in a query call"}
	}
	value := func(r *record) any { return rd.read(p.obj, r) }
	switch c.op {
	case "LIKE":
		return like(rd.f, c, value)
	case "INCLUDES", "EXCLUDES":
		return nil, invalidOperator(c, rd.f) // no multi-select picklist in the tables
	case "IN", "NOT IN":
		return p.membership(rd.f, c, value)
	}
	op, err := p.operand(rd.f, c.values[0])
	if err != nil {
		return nil, err
	}
	ordered := c.op != "=" && c.op != "!="
	if ordered && (op.null || rd.f.typ == tBoolean) {
		return nil, invalidOperator(c, rd.f)
	}
	test := map[string]func(int) bool{
		"=": func(n int) bool { return n == 0 }, "!=": func(n int) bool { return n != 0 },
		"<": func(n int) bool { return n < 0 }, "<=": func(n int) bool { return n <= 0 },
		">": func(n int) bool { return n > 0 }, ">=": func(n int) bool { return n >= 0 },
	}[c.op]
	return func(r *record) bool {
		v := value(r)
		if v == nil || op.null {
			return !ordered && (v == nil && op.null) == (c.op == "=") // != 'x' holds for null
		}
		return test(op.order(v))
	}, nil
}

func invalidOperator(c *comparison, f *field) *soqlError {
	return &soqlError{code: "INVALID_FIELD", pos: c.pos, text: "invalid operator on " + string(f.typ) + " field"}
}

// membership compiles IN and NOT IN. Texts go through a set, so that long lists cost nothing a row.
func (p *plan) membership(f *field, c *comparison, value func(*record) any) (pred, *soqlError) {
	want := c.op == "IN"
	fold := !f.unique && f.typ.text()
	set := map[any]bool{}
	key := func(v any) any {
		if s, ok := v.(string); ok && fold {
			return strings.ToLower(s)
		}
		return v
	}
	hasNull := false
	var rest []operand
	if c.sub != nil {
		values, err := p.semiJoin(c)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			set[key(v)] = true
		}
	}
	for _, t := range c.values {
		op, err := p.operand(f, t)
		switch {
		case err != nil:
			return nil, err
		case op.null:
			hasNull = true
		case t.kind == tokString && (f.typ == tID || f.typ == tReference):
			id, _ := canonicalID(t.text) // operand has checked it
			set[id] = true
		case t.kind == tokString:
			set[key(t.text)] = true
		default:
			rest = append(rest, op)
		}
	}
	return func(r *record) bool {
		v := value(r)
		if v == nil {
			return hasNull == want
		}
		in := set[key(v)] || slices.ContainsFunc(rest, func(op operand) bool { return op.order(v) == 0 })
		return in == want
	}, nil
}

// semiJoin runs the sub-select of an IN and returns its values.
func (p *plan) semiJoin(c *comparison) ([]any, *soqlError) {
	if len(c.sub.items) != 1 || c.sub.items[0].path == nil || c.sub.items[0].aggregate != "" {
		return nil, &soqlError{code: "MALFORMED_QUERY", text: "a semi-join selects exactly one field", pos: c.pos}
	}
	sub, err := p.o.compile(c.sub, p.all)
	if err != nil {
		return nil, err
	}
	rd, err := sub.reader(c.sub.items[0].path, c.sub.items[0].pos)
	if err != nil {
		return nil, err
	}
	var out []any
	for _, r := range sub.run() {
		if v := rd.read(sub.obj, r); v != nil {
			out = append(out, v)
		}
	}
	return out, nil
}

// operand reads a literal for a field, refusing one of another type as the vendor does.
func (p *plan) operand(f *field, t token) (operand, *soqlError) {
	if t.kind == tokName && t.text == "NULL" {
		return operand{null: true}, nil
	}
	wrong := func(typ string, quoted bool) (operand, *soqlError) {
		quotes := "should not be enclosed in quotes"
		if quoted {
			quotes = "should be enclosed in quotes"
		}
		return operand{}, &soqlError{code: "INVALID_FIELD", pos: t.pos, text: "value of filter criterion for field '" + f.name + "' must be of type " + typ + " and " + quotes}
	}
	switch f.typ {
	case tID, tReference:
		id, ok := canonicalID(t.text)
		if t.kind != tokString || !ok {
			return operand{}, &soqlError{code: "INVALID_QUERY_FILTER_OPERATOR", pos: t.pos, text: "invalid ID field: " + t.text}
		}
		return operand{order: func(v any) int { return strings.Compare(v.(string), id) }}, nil
	case tBoolean:
		if t.kind != tokName || t.text != "TRUE" && t.text != "FALSE" {
			return wrong("boolean", false)
		}
		want := t.text == "TRUE"
		return operand{order: func(v any) int {
			if v.(bool) == want {
				return 0
			}
			return 1
		}}, nil
	case tInt, tDouble, tCurrency, tPercent:
		n, err := strconv.ParseFloat(t.text, 64)
		if t.kind != tokNumber || err != nil {
			return wrong(string(f.typ), false)
		}
		return operand{order: func(v any) int {
			if i, ok := v.(int64); ok {
				return cmp.Compare(float64(i), n)
			}
			return cmp.Compare(v.(float64), n)
		}}, nil
	case tDate:
		from, to, ok := p.days(t)
		if !ok {
			return wrong("date", false)
		}
		lo, hi := from.Format(dateOnly), to.Format(dateOnly)
		return operand{order: func(v any) int { return inRange(v.(string), lo, hi) }}, nil
	case tDatetime:
		if t.kind == tokTime && len(t.text) > len(dateOnly) {
			at, ok := parseTime(t.text)
			if !ok {
				return operand{}, malformed(t)
			}
			ms := at.UnixMilli()
			return operand{order: func(v any) int { return cmp.Compare(v.(int64)*1000, ms) }}, nil
		}
		from, to, ok := p.days(t)
		if t.kind != tokName || !ok {
			return wrong("dateTime", false)
		}
		return operand{order: func(v any) int { return inRange(v.(int64), from.Unix(), to.Unix()) }}, nil
	}
	if t.kind != tokString {
		return wrong("string", true)
	}
	if f.unique {
		return operand{order: func(v any) int { return strings.Compare(v.(string), t.text) }}, nil
	}
	low := strings.ToLower(t.text)
	return operand{order: func(v any) int { return strings.Compare(strings.ToLower(v.(string)), low) }}, nil
}

// days reads a date, YYYY-MM-DD, or a date literal.
func (p *plan) days(t token) (from, to time.Time, ok bool) {
	switch t.kind {
	case tokTime:
		d, err := time.Parse(dateOnly, t.text)
		return d, d.AddDate(0, 0, 1), err == nil
	case tokName:
		return dateRange(t.text, p.o.srv.now())
	}
	return from, to, false
}

func inRange[T cmp.Ordered](v, from, to T) int {
	switch {
	case v < from:
		return -1
	case v >= to:
		return 1
	}
	return 0
}

func like(f *field, c *comparison, value func(*record) any) (pred, *soqlError) {
	if !f.typ.text() || c.values[0].kind != tokString {
		return nil, invalidOperator(c, f)
	}
	pattern := []rune(strings.ToLower(c.values[0].raw))
	return func(r *record) bool {
		s, ok := value(r).(string)
		return ok && wildcard(pattern, []rune(strings.ToLower(s)))
	}, nil
}

// wildcard matches % (any run) and _ (one character); a backslash makes the next one plain. It backtracks to the last % only,
// so it is quadratic at worst.
func wildcard(pattern, s []rune) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		if p < len(pattern) {
			width, c := 1, pattern[p]
			literal := c == '\\' && p+1 < len(pattern)
			if literal {
				width, c = 2, pattern[p+1]
			}
			switch {
			case c == '%' && !literal:
				star, mark = p, i
				p++
				continue
			case c == '_' && !literal, c == s[i]:
				p += width
				i++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		p, i = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '%' {
		p++
	}
	return p == len(pattern)
}

// useIndex looks for a condition every match must meet that an index answers: Id or a unique field, equal or in a list.
func (p *plan) useIndex(e expr) {
	if l, ok := e.(*logical); ok && !l.or {
		for _, t := range l.terms {
			if p.useIndex(t); p.index {
				return
			}
		}
	}
	c, ok := e.(*comparison)
	if !ok || c.sub != nil || (c.op != "=" && c.op != "IN") {
		return
	}
	path := p.ownName(c.path)
	if len(path) != 1 {
		return
	}
	f := p.obj.field(path[0])
	// The recycle bin has no unique index, so queryAll by key scans.
	if f == nil || f.sys != sysID && (!f.unique || p.all) {
		return
	}
	var ids []string
	for _, t := range c.values {
		switch {
		case t.kind != tokString:
			return
		case f.sys == sysID:
			id, _ := canonicalID(t.text)
			ids = append(ids, id)
		default:
			if r := p.o.tables[p.obj].byKey(f, t.text); r != nil {
				ids = append(ids, r.id)
			}
		}
	}
	slices.Sort(ids)
	p.lookup, p.index = slices.Compact(ids), true
}
