package sim

import (
	"maps"
	"slices"
	"strings"
)

// record is one version of a CRM record. It is never changed: a write puts a new one in its place, so that what was read under the
// portal's mutex may be rendered without it.
type record struct {
	ot         *objectType
	id         int64
	props      map[string]string // datetimes as epoch milliseconds; no entry = never set, "" = cleared
	created    int64             // ms
	updated    int64             // ms
	archived   bool
	archivedAt int64
	older      []version // oldest first, as far back as the search index may be
}

// version is what the search index may still believe of a record.
type version struct {
	at    int64
	props map[string]string
}

// next returns a copy to be changed and put.
func (r *record) next(at, indexed int64) *record {
	n := *r
	n.props = maps.Clone(r.props)
	n.updated = at
	n.older = append(slices.Clone(r.older), version{r.updated, r.props})
	for len(n.older) > 1 && n.older[1].at <= indexed {
		n.older = n.older[1:]
	}
	return &n
}

// indexedAt returns the values that a search index of that instant holds; ok is false if the record is too new for it.
func (r *record) indexedAt(ms int64) (props map[string]string, ok bool) {
	if r.updated <= ms {
		return r.props, true
	}
	for _, v := range slices.Backward(r.older) {
		if v.at <= ms {
			return v.props, true
		}
	}
	return nil, false
}

// table holds a portal's records of one type, and its property definitions.
type table struct {
	ot     *objectType
	rows   map[int64]*record
	order  []int64 // rising
	props  map[string]*property
	unique map[string]map[string]int64 // property → value → live record
	into   map[int64]int64             // record → what it was merged into
}

func newTable(ot *objectType) *table {
	t := &table{ot: ot, rows: map[int64]*record{}, props: map[string]*property{}, unique: map[string]map[string]int64{}, into: map[int64]int64{}}
	for _, p := range ot.builtin {
		t.props[p.Name] = p
	}
	if ot.name == "contacts" {
		t.unique["email"] = map[string]int64{}
	}
	return t
}

func (t *table) define(p *property) {
	t.props[p.Name] = p
	if p.HasUniqueValue && t.unique[p.Name] == nil {
		t.unique[p.Name] = map[string]int64{}
	}
}

// put stores a version of a record and keeps the unique indexes.
func (t *table) put(r *record) {
	if old := t.rows[r.id]; old != nil {
		t.unindex(old)
	} else if i, found := slices.BinarySearch(t.order, r.id); !found {
		t.order = slices.Insert(t.order, i, r.id)
	}
	t.rows[r.id] = r
	if r.archived {
		return
	}
	for name, keys := range t.unique {
		if v := uniqueKey(r.props[name]); v != "" {
			keys[v] = r.id
		}
	}
}

// drop takes back the creation of a record.
func (t *table) drop(id int64) {
	t.unindex(t.rows[id])
	delete(t.rows, id)
	if i, found := slices.BinarySearch(t.order, id); found {
		t.order = slices.Delete(t.order, i, i+1)
	}
}

func (t *table) unindex(r *record) {
	for name, keys := range t.unique {
		if v := uniqueKey(r.props[name]); keys[v] == r.id {
			delete(keys, v)
		}
	}
}

// live returns a record that is there and not archived, or nil.
func (t *table) live(id int64) *record {
	if r := t.rows[id]; r != nil && !r.archived {
		return r
	}
	return nil
}

// moved notes that records went into another.
func (t *table) moved(from []int64, to int64) {
	for _, id := range from {
		t.into[id] = to
	}
}

// survivor returns the live record that an id means, also one that was merged away, or nil.
func (t *table) survivor(id int64) *record {
	for to, ok := t.into[id]; ok; to, ok = t.into[id] {
		id = to
	}
	return t.live(id)
}

// byKey returns the live record with a unique value, or nil.
func (t *table) byKey(name, value string) *record {
	if id, ok := t.unique[name][uniqueKey(value)]; ok {
		return t.rows[id]
	}
	return nil
}

// uniqueKey folds what the vendor takes for equal.
func uniqueKey(v string) string { return strings.ToLower(strings.TrimSpace(v)) }
