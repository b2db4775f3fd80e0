package sim

import (
	"slices"
	"strings"
)

// plan is a query resolved against the field tables. It is run and rendered under the org's mutex.
type plan struct {
	o      *org
	obj    *object
	q      *soql
	all    bool // with deleted records
	where  pred
	cols   []*column
	aggs   []aggregate
	order  []ordering
	lookup []string // ids that can match, when an index tells; valid if indexed
	index  bool
}

type pred func(r *record) bool

// reader reads a value at the end of a path. It is given the object the record is of, because a relationship may be polymorphic.
type reader struct {
	f    *field // a representative: all candidates are of its type
	read func(o *object, r *record) any
}

// column is one key of a result row: a field, a parent with keys of its own, or children.
type column struct {
	key    string
	field  func(o *object) *field // nil result: the parent's type lacks it
	parent *field
	kids   []*column
	child  *childColumn
	typ    bool // the Type of a polymorphic parent
}

type childColumn struct {
	plan *plan
	by   *field // of the child, pointing at the parent
}

type aggregate struct {
	fn, name string
	read     *reader // nil: COUNT()
}

type ordering struct {
	reader
	desc, nullsLast bool
}

func (o *org) compile(q *soql, all bool) (*plan, *soqlError) {
	obj := objectNamed(q.from.text)
	if obj == nil {
		return nil, &soqlError{code: "INVALID_TYPE", pos: q.from.pos, text: "sObject type '" + q.from.text +
			"' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."}
	}
	return o.compileFrom(q, obj, all)
}

func (o *org) compileFrom(q *soql, obj *object, all bool) (*plan, *soqlError) {
	p := &plan{o: o, obj: obj, q: q, all: all}
	for _, item := range q.items {
		if err := p.selectItem(item); err != nil {
			return nil, err
		}
	}
	if len(p.aggs) > 0 && len(p.cols) > 0 {
		return nil, &soqlError{code: "MALFORMED_QUERY", text: "Field must be grouped or aggregated: " + p.cols[0].key, pos: q.items[0].pos}
	}
	if q.where != nil {
		where, err := p.condition(q.where)
		if err != nil {
			return nil, err
		}
		p.where = where
		p.useIndex(q.where)
	}
	for _, item := range q.order {
		rd, err := p.reader(item.path, item.pos)
		if err != nil {
			return nil, err
		}
		if !rd.f.filterable() {
			return nil, &soqlError{code: "INVALID_FIELD", text: "field '" + rd.f.name + "' can not be sorted in a query call", pos: item.pos}
		}
		p.order = append(p.order, ordering{*rd, item.desc, item.nullsLast})
	}
	return p, nil
}

func (p *plan) selectItem(item selectItem) *soqlError {
	switch {
	case item.aggregate != "":
		a := aggregate{fn: item.aggregate, name: item.alias}
		if item.path != nil {
			rd, err := p.reader(item.path, item.pos)
			if err != nil {
				return err
			}
			numeric := rd.f.typ == tInt || rd.f.typ == tDouble || rd.f.typ == tCurrency || rd.f.typ == tPercent
			if (a.fn == "SUM" || a.fn == "AVG") && !numeric || !rd.f.filterable() {
				return &soqlError{code: "MALFORMED_QUERY", text: "field " + rd.f.name + " does not support aggregate operator " + a.fn, pos: item.pos}
			}
			a.read = rd
		}
		p.aggs = append(p.aggs, a)
		return nil
	case item.group != "":
		if item.group != "STANDARD" && (p.q.limit < 0 || p.q.limit > 200) {
			return &soqlError{code: "MALFORMED_QUERY", text: "The SOQL FIELDS function must have a LIMIT of at most 200", bare: true}
		}
		for _, f := range p.obj.fields {
			if (item.group == "ALL" || f.custom() == (item.group == "CUSTOM")) && !p.o.hidden(f) {
				p.cols = append(p.cols, &column{key: f.name, field: func(*object) *field { return f }})
			}
		}
		return nil
	case item.sub != nil:
		return p.children(item)
	}
	return p.addPath(&p.cols, []*object{p.obj}, p.ownName(item.path), item.pos)
}

// ownName strips the object's own name from a path: SELECT Account.Id FROM Account.
func (p *plan) ownName(path []string) []string {
	if len(path) > 1 && strings.EqualFold(path[0], p.obj.name) && p.obj.byRel[strings.ToLower(path[0])] == nil {
		return path[1:]
	}
	return path
}

// addPath adds a path to a level of columns, below the parent's column if a sibling has made it already.
func (p *plan) addPath(cols *[]*column, from []*object, path []string, pos int) *soqlError {
	if len(path) == 1 {
		if f, get, err := p.o.leaf(from, path[0], pos); err != nil {
			return err
		} else if !slices.ContainsFunc(*cols, func(c *column) bool { return c.key == f.name }) {
			*cols = append(*cols, &column{key: f.name, field: get, typ: f == typeField})
		}
		return nil
	}
	rf, err := relationship(from, path[0], pos)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(*cols, func(c *column) bool { return c.parent != nil && c.key == rf.rel })
	if i < 0 {
		i = len(*cols)
		*cols = append(*cols, &column{key: rf.rel, parent: rf})
	}
	return p.addPath(&(*cols)[i].kids, targets(rf), path[1:], pos)
}

// typeField is the pseudo field Type of a polymorphic parent.
var typeField = &field{name: "Type", label: "Type", typ: tPicklist, length: 40, idx: -1}

// leaf finds a field by name in the objects a path may end at. With several, it is enough that one has it.
func (o *org) leaf(from []*object, name string, pos int) (*field, func(*object) *field, *soqlError) {
	if len(from) > 1 && strings.EqualFold(name, "Type") {
		return typeField, nil, nil
	}
	var rep *field
	byObject := map[*object]*field{}
	for _, obj := range from {
		if f := obj.field(name); f != nil && !o.hidden(f) {
			byObject[obj] = f
			if rep == nil {
				rep = f
			}
		}
	}
	if rep == nil {
		entity := from[0].name
		if len(from) > 1 {
			entity = "Name"
		}
		return nil, nil, &soqlError{code: "INVALID_FIELD", pos: pos, text: "No such column '" + name + "' on entity '" + entity +
			"'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."}
	}
	return rep, func(o *object) *field { return byObject[o] }, nil
}

func relationship(from []*object, name string, pos int) (*field, *soqlError) {
	for _, o := range from {
		if f := o.byRel[strings.ToLower(name)]; f != nil {
			return f, nil
		}
	}
	return nil, &soqlError{code: "INVALID_FIELD", pos: pos, text: "Didn't understand relationship '" + name +
		"' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."}
}

func targets(f *field) []*object {
	out := make([]*object, len(f.refTo))
	for i, name := range f.refTo {
		out[i] = objects[name]
	}
	return out
}

// follow finds the parent a record points at; nil if it points at none.
func (o *org) follow(obj *object, r *record, rf *field) (*object, *record) {
	f := obj.byName[rf.name]
	if f == nil {
		return nil, nil
	}
	id, _ := obj.value(r, f).(string)
	to := objectOfID(id)
	if to == nil {
		return nil, nil
	}
	parent := o.tables[to].find(id)
	if parent == nil {
		return nil, nil
	}
	return to, parent
}

// reader resolves a path for conditions, ordering and aggregates.
func (p *plan) reader(path []string, pos int) (*reader, *soqlError) {
	return p.o.reader([]*object{p.obj}, p.ownName(path), pos)
}

func (o *org) reader(from []*object, path []string, pos int) (*reader, *soqlError) {
	if len(path) == 1 {
		f, get, err := o.leaf(from, path[0], pos)
		switch {
		case err != nil:
			return nil, err
		case f == typeField:
			return &reader{f, func(o *object, _ *record) any { return o.name }}, nil
		case len(from) == 1:
			return &reader{f, func(o *object, r *record) any { return o.value(r, f) }}, nil
		}
		return &reader{f, func(o *object, r *record) any {
			if of := get(o); of != nil {
				return o.value(r, of)
			}
			return nil
		}}, nil
	}
	rf, err := relationship(from, path[0], pos)
	if err != nil {
		return nil, err
	}
	rest, err := o.reader(targets(rf), path[1:], pos)
	if err != nil {
		return nil, err
	}
	return &reader{rest.f, func(obj *object, r *record) any {
		if to, parent := o.follow(obj, r, rf); parent != nil {
			return rest.read(to, parent)
		}
		return nil
	}}, nil
}

// children compiles a sub-select, whose FROM is a relationship name.
func (p *plan) children(item selectItem) *soqlError {
	for _, rel := range p.obj.children {
		if !strings.EqualFold(rel.name, item.sub.from.text) {
			continue
		}
		child := objects[rel.object]
		sub, err := p.o.compileFrom(item.sub, child, p.all)
		if err != nil {
			return err
		}
		if sub.q.count || len(sub.aggs) > 0 {
			return &soqlError{code: "MALFORMED_QUERY", text: "aggregate functions are not allowed in a sub-select", pos: item.pos}
		}
		p.cols = append(p.cols, &column{key: rel.name, child: &childColumn{plan: sub, by: child.byName[rel.field]}})
		return nil
	}
	_, err := relationship(nil, item.sub.from.text, item.sub.from.pos)
	return err
}
