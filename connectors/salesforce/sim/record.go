package sim

import (
	"slices"
	"sort"
	"strings"
)

// record is one row. A record that a table has held is never changed again: an update puts a new one in its place, so that a
// query's snapshot and a transaction's undo are plain pointers.
type record struct {
	id                       string
	createdBy, modifiedBy    string
	created, modified, stamp int64 // Unix seconds
	deleted                  bool
	vals                     []any // by field.idx
}

func (r *record) clone() *record {
	c := *r
	c.vals = slices.Clone(r.vals)
	return &c
}

// value reads any field of r, stored or not. A compound has none: its readers go through its parts.
func (o *object) value(r *record, f *field) any {
	switch f.sys {
	case sysID:
		return r.id
	case sysDeleted:
		return r.deleted
	case sysCreated:
		return r.created
	case sysCreatedBy:
		return r.createdBy
	case sysModified:
		return r.modified
	case sysModifiedBy:
		return r.modifiedBy
	case sysStamp:
		return r.stamp
	}
	if f.stored() {
		return r.vals[f.idx]
	}
	if f.personName {
		return joinName(r.vals[o.byName["FirstName"].idx], r.vals[o.byName["LastName"].idx])
	}
	return nil
}

// get reads a stored field by name; nil for a field the object does not have.
func (o *object) get(r *record, name string) any {
	f := o.byName[name]
	if f == nil {
		return nil
	}
	return o.value(r, f)
}

func (o *object) getString(r *record, name string) string {
	s, _ := o.get(r, name).(string)
	return s
}

// set writes a stored field that the object is known to have. r must not be in a table yet.
func (o *object) set(r *record, name string, v any) {
	r.vals[o.byName[name].idx] = v
}

// slot is a record's place in its table; it outlives each version of the record.
type slot struct{ rec *record }

// table holds the records of one object, deleted ones included.
type table struct {
	obj    *object
	byID   map[string]*slot
	order  []*slot // by id
	unique map[*field]map[string]string
	next   int64 // counter of the next id
	live   int
}

func newTable(o *object) *table {
	t := &table{obj: o, byID: map[string]*slot{}, unique: map[*field]map[string]string{}, next: 1}
	for _, f := range o.stored {
		if f.unique {
			t.unique[f] = map[string]string{}
		}
	}
	return t
}

// find returns the record of an 18-character id, deleted or not; nil if there is none.
func (t *table) find(id string) *record {
	if s := t.byID[id]; s != nil {
		return s.rec
	}
	return nil
}

// put makes r the current version of its record and returns the one it replaces. A nil previous version makes an insert.
func (t *table) put(r *record) *record {
	s := t.byID[r.id]
	if s == nil {
		s = &slot{}
		t.byID[r.id] = s
		at := len(t.order)
		if at > 0 && t.order[at-1].rec.id > r.id { // only ids given by configuration or by another order of replay
			at = sort.Search(at, func(i int) bool { return t.order[i].rec.id > r.id })
		}
		t.order = slices.Insert(t.order, at, s)
	}
	old := s.rec
	s.rec = r
	t.index(old, -1)
	t.index(r, +1)
	return old
}

// drop takes an inserted record out again, for a rollback.
func (t *table) drop(id string) {
	s := t.byID[id]
	t.index(s.rec, -1)
	delete(t.byID, id)
	if i := slices.Index(t.order, s); i >= 0 {
		t.order = slices.Delete(t.order, i, i+1)
	}
}

// index adds r to the unique indexes and the count of live records (by = 1), or takes it out (by = -1). The recycle bin holds
// no key.
func (t *table) index(r *record, by int) {
	if r == nil || r.deleted {
		return
	}
	t.live += by
	for f, keys := range t.unique {
		if v, ok := r.vals[f.idx].(string); ok {
			if by > 0 {
				keys[v] = r.id
			} else {
				delete(keys, v)
			}
		}
	}
}

// byKey finds the live record with an external id.
func (t *table) byKey(f *field, value string) *record {
	if id, ok := t.unique[f][value]; ok {
		return t.find(id)
	}
	return nil
}

func (t *table) newID(pod string) string {
	id := makeID(t.obj.prefix, pod, t.next)
	t.next++
	return id
}

// sawID keeps the counter ahead of ids read from the log.
func (t *table) sawID(id, pod string) { t.next = max(t.next, idNumber(id, pod)+1) }

// appendRecord appends a record as GET shows it. fields limits the answer; nil shows all.
func (o *object) appendRecord(b []byte, r *record, base string, fields []*field) []byte {
	b = o.appendAttributes(b, r, base)
	if fields == nil {
		fields = o.fields
	}
	for _, f := range fields {
		b = append(b, ',')
		b = appendString(b, f.name)
		b = append(b, ':')
		b = o.appendField(b, r, f)
	}
	return append(b, '}')
}

// appendAttributes opens a record's object and writes its attributes.
func (o *object) appendAttributes(b []byte, r *record, base string) []byte {
	b = append(b, `{"attributes":{"type":"`...)
	b = append(b, o.name...)
	b = append(b, `","url":"`...)
	b = append(b, base...)
	b = append(b, "/sobjects/"...)
	b = append(b, o.name...)
	b = append(b, '/')
	b = append(b, r.id...)
	return append(b, `"}`...)
}

func (o *object) appendField(b []byte, r *record, f *field) []byte {
	if f.typ != tAddress {
		return appendREST(b, f, o.value(r, f))
	}
	// REST spells the keys of a compound in lower camel case, events in upper.
	start := len(b)
	b = append(b, '{')
	some := false
	for i, p := range o.parts(f.name) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, strings.ToLower(p.part[:1])...)
		b = append(b, p.part[1:]...)
		b = append(b, `":`...)
		v := o.value(r, p)
		some = some || v != nil
		b = appendREST(b, p, v)
	}
	if !some {
		return append(b[:start], "null"...)
	}
	return append(b, '}')
}
