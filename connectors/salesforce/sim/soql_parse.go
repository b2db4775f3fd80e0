package sim

import (
	"strconv"
	"strings"
)

// The SOQL subset: SELECT of fields, relationship paths, FIELDS(), COUNT() and other aggregates without grouping, and one level of
// child sub-selects; WHERE with AND, OR, NOT, parentheses, the comparison operators, LIKE, IN and NOT IN with lists or a sub-select,
// INCLUDES, EXCLUDES, null, date literals; ORDER BY, LIMIT, OFFSET, FOR VIEW and its like.
// Deviations: no GROUP BY, HAVING, TYPEOF, WITH, date functions, currency literals, aliases of the FROM object.

// soql is a parsed query.
type soql struct {
	items         []selectItem
	count         bool // SELECT COUNT()
	from          token
	where         expr
	order         []orderItem
	limit, offset int // -1 when not given
}

// selectItem is one of a path, an aggregate over a path, a FIELDS() group, or a sub-select.
type selectItem struct {
	path      []string
	aggregate string // upper case
	alias     string
	group     string // ALL, STANDARD, CUSTOM
	sub       *soql
	pos       int
}

type orderItem struct {
	path      []string
	desc      bool
	nullsLast bool
	pos       int
}

// expr is a *logical, *negation or *comparison.
type expr any

type (
	logical struct {
		or    bool
		terms []expr
	}
	negation   struct{ term expr }
	comparison struct {
		path   []string
		op     string // = != < > <= >= LIKE IN NOT IN INCLUDES EXCLUDES
		values []token
		sub    *soql
		pos    int
	}
)

const (
	maxDepth  = 40 // nested parentheses and NOTs
	maxOffset = 2000
	maxSOQL   = 100_000 // characters
)

type parser struct {
	toks  []token
	at    int
	depth int
}

// parseSOQL parses a whole query.
func parseSOQL(q string) (*soql, *soqlError) {
	if len(q) > maxSOQL {
		return nil, &soqlError{code: "QUERY_TOO_LONG", text: "SOQL statements cannot be longer than 100000 characters.", bare: true}
	}
	toks, err := lex(q)
	if err != nil {
		return nil, err
	}
	p := &parser{toks: toks}
	out, err := p.selectStatement(0)
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokEnd {
		return nil, malformed(p.peek())
	}
	return out, nil
}

func (p *parser) peek() token { return p.toks[p.at] }

func (p *parser) next() token {
	t := p.toks[p.at]
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

// accept takes the token if it is the word.
func (p *parser) accept(word string) bool {
	if p.peek().is(word) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(word string) *soqlError {
	if !p.accept(word) {
		return malformed(p.peek())
	}
	return nil
}

func (p *parser) selectStatement(level int) (*soql, *soqlError) {
	if err := p.expect("SELECT"); err != nil {
		return nil, err
	}
	q := &soql{limit: -1, offset: -1}
	for {
		item, err := p.selectItem(level)
		if err != nil {
			return nil, err
		}
		if item.aggregate == "COUNT" && item.path == nil {
			q.count = true
		}
		q.items = append(q.items, item)
		if !p.accept(",") {
			break
		}
	}
	if q.count && len(q.items) > 1 {
		return nil, malformed(p.peek())
	}
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	if q.from = p.next(); q.from.kind != tokName {
		return nil, malformed(q.from)
	}
	if p.accept("WHERE") {
		where, err := p.condition()
		if err != nil {
			return nil, err
		}
		q.where = where
	}
	return q, p.tail(q)
}

// tail parses what follows WHERE.
func (p *parser) tail(q *soql) *soqlError {
	if p.accept("ORDER") {
		if err := p.expect("BY"); err != nil {
			return err
		}
		for {
			item, err := p.orderItem()
			if err != nil {
				return err
			}
			q.order = append(q.order, item)
			if !p.accept(",") {
				break
			}
		}
	}
	var err *soqlError
	if p.accept("LIMIT") {
		if q.limit, err = p.count(); err != nil {
			return err
		}
	}
	if p.accept("OFFSET") {
		pos := p.peek().pos
		if q.offset, err = p.count(); err != nil {
			return err
		}
		if q.offset > maxOffset {
			return &soqlError{code: "NUMBER_OUTSIDE_VALID_RANGE", text: "Maximum SOQL offset allowed is 2000", pos: pos}
		}
	}
	for p.accept("FOR") {
		if !p.accept("VIEW") && !p.accept("REFERENCE") && !p.accept("UPDATE") {
			return malformed(p.peek())
		}
	}
	return nil
}

func (p *parser) count() (int, *soqlError) {
	t := p.next()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokNumber || err != nil || n < 0 {
		return 0, malformed(t)
	}
	return n, nil
}

func (p *parser) selectItem(level int) (selectItem, *soqlError) {
	start := p.peek()
	if start.is("(") {
		if level > 0 {
			return selectItem{}, malformed(start)
		}
		p.next()
		sub, err := p.selectStatement(level + 1)
		if err != nil {
			return selectItem{}, err
		}
		return selectItem{sub: sub, pos: start.pos}, p.expect(")")
	}
	path, err := p.path()
	if err != nil {
		return selectItem{}, err
	}
	item := selectItem{path: path, pos: start.pos}
	if len(path) == 1 && p.accept("(") {
		item.path = nil
		fn := strings.ToUpper(path[0])
		switch fn {
		case "FIELDS":
			g := p.next()
			if !g.is("ALL") && !g.is("STANDARD") && !g.is("CUSTOM") {
				return item, malformed(g)
			}
			item.group = strings.ToUpper(g.text)
		case "COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG":
			item.aggregate = fn
			if fn != "COUNT" || !p.peek().is(")") {
				if item.path, err = p.path(); err != nil {
					return item, err
				}
			}
		default:
			return item, malformed(start)
		}
		if err := p.expect(")"); err != nil {
			return item, err
		}
		if t := p.peek(); item.aggregate != "" && t.kind == tokName && !t.is("FROM") {
			item.alias = p.next().text
		}
	}
	return item, nil
}

// path parses a field name with the relationships that lead to it.
func (p *parser) path() ([]string, *soqlError) {
	var out []string
	for {
		t := p.next()
		if t.kind != tokName || len(out) == 0 && t.is("FROM") {
			return nil, malformed(t)
		}
		out = append(out, t.text)
		if !p.accept(".") {
			return out, nil
		}
	}
}

func (p *parser) orderItem() (orderItem, *soqlError) {
	item := orderItem{pos: p.peek().pos}
	var err *soqlError
	if item.path, err = p.path(); err != nil {
		return item, err
	}
	if p.accept("DESC") {
		item.desc, item.nullsLast = true, true
	} else {
		p.accept("ASC")
	}
	if p.accept("NULLS") {
		switch {
		case p.accept("FIRST"):
			item.nullsLast = false
		case p.accept("LAST"):
			item.nullsLast = true
		default:
			return item, malformed(p.peek())
		}
	}
	return item, nil
}

// condition parses terms joined by AND or by OR. Mixing the two needs parentheses, as it does there.
func (p *parser) condition() (expr, *soqlError) {
	if p.depth++; p.depth > maxDepth {
		return nil, &soqlError{code: "MALFORMED_QUERY", text: "the condition is nested too deeply", pos: p.peek().pos}
	}
	defer func() { p.depth-- }()
	first, err := p.term()
	if err != nil {
		return nil, err
	}
	var word string
	switch {
	case p.peek().is("AND"):
		word = "AND"
	case p.peek().is("OR"):
		word = "OR"
	default:
		return first, nil
	}
	l := &logical{or: word == "OR", terms: []expr{first}}
	for p.accept(word) {
		t, err := p.term()
		if err != nil {
			return nil, err
		}
		l.terms = append(l.terms, t)
	}
	if t := p.peek(); t.is("AND") || t.is("OR") {
		return nil, malformed(t)
	}
	return l, nil
}

func (p *parser) term() (expr, *soqlError) {
	if p.accept("NOT") {
		if p.depth++; p.depth > maxDepth {
			return nil, malformed(p.peek())
		}
		defer func() { p.depth-- }()
		t, err := p.term()
		return &negation{t}, err
	}
	if p.accept("(") {
		e, err := p.condition()
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	}
	return p.comparison()
}

func (p *parser) comparison() (expr, *soqlError) {
	c := &comparison{pos: p.peek().pos}
	var err *soqlError
	if c.path, err = p.path(); err != nil {
		return nil, err
	}
	op := p.next()
	switch {
	case op.is("=") || op.is("!=") || op.is("<") || op.is(">") || op.is("<=") || op.is(">="):
		c.op = op.text
	case op.is("<>"):
		c.op = "!="
	case op.is("LIKE"):
		c.op = "LIKE"
	case op.is("IN") || op.is("INCLUDES") || op.is("EXCLUDES"):
		c.op = strings.ToUpper(op.text)
	case op.is("NOT"):
		if err := p.expect("IN"); err != nil {
			return nil, err
		}
		c.op = "NOT IN"
	default:
		return nil, malformed(op)
	}
	if !strings.HasSuffix(c.op, "IN") && c.op != "INCLUDES" && c.op != "EXCLUDES" {
		v, err := p.literal()
		c.values = []token{v}
		return c, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.peek().is("SELECT") {
		if c.sub, err = p.selectStatement(1); err != nil {
			return nil, err
		}
		return c, p.expect(")")
	}
	for {
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		c.values = append(c.values, v)
		if !p.accept(",") {
			break
		}
	}
	return c, p.expect(")")
}

// literal parses a value. A name is a constant or a date literal, NAME or NAME:n.
func (p *parser) literal() (token, *soqlError) {
	t := p.next()
	switch t.kind {
	case tokString, tokNumber, tokTime:
		return t, nil
	case tokName:
		t.text = strings.ToUpper(t.text)
		if p.accept(":") {
			n := p.next()
			if n.kind != tokNumber {
				return t, malformed(n)
			}
			t.text += ":" + n.text
		}
		return t, nil
	}
	return t, malformed(t)
}
