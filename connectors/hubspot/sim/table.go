package sim

import (
	"container/heap"
	"slices"
	"strings"
)

// table holds the records of one kind in one portal.
type table struct {
	portal  *portal
	typ     *objectType
	props   map[string]*property
	groups  []propertyGroup
	records map[int64]*record
	ids     []int64                        // of records, ascending
	aliases map[int64]int64                // merged-away id to its survivor
	unique  map[*property]map[string]int64 // value to live record

	indexing []indexing // what the search index has not seen yet, by time
	recalcs  recalcHeap // background bumps that are due later
}

// indexing is one state of a record on its way into the search index.
type indexing struct {
	at      int64
	rec     *record
	props   []prop
	updated int64
}

// recalc is one background bump of a record's time of last change.
type recalc struct{ at, id int64 }

type recalcHeap []recalc

func (h recalcHeap) Len() int { return len(h) }
func (h recalcHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].id < h[j].id
}
func (h recalcHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *recalcHeap) Push(x any)   { *h = append(*h, x.(recalc)) }
func (h *recalcHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func newTable(p *portal, typ *objectType) *table {
	t := &table{
		portal: p, typ: typ,
		props:   make(map[string]*property, len(typ.properties)),
		records: make(map[int64]*record),
		aliases: make(map[int64]int64),
		unique:  make(map[*property]map[string]int64),
	}
	for _, d := range typ.properties {
		t.props[d.Name] = &d
		if !slices.ContainsFunc(t.groups, func(g propertyGroup) bool { return g.Name == d.GroupName }) {
			label := strings.ToUpper(typ.singular[:1]) + typ.singular[1:] + " information"
			t.groups = append(t.groups, propertyGroup{Name: d.GroupName, Label: label})
		}
	}
	if typ.emailKey {
		t.unique[t.props["email"]] = make(map[string]int64)
	}
	return t
}

// advance brings what happens in the background up to date. It depends on the times alone, not on
// how often it is called, so a log read again gives the same table.
func (t *table) advance(now int64) {
	for len(t.recalcs) > 0 && t.recalcs[0].at <= now {
		due := heap.Pop(&t.recalcs).(recalc)
		if r := t.records[due.id]; r != nil && r.archivedAt == 0 && r.updated < due.at {
			r.updated = due.at
			t.reindex(r, due.at)
		}
	}
	n := 0
	for n < len(t.indexing) && t.indexing[n].at <= now {
		x := t.indexing[n]
		if x.rec.archivedAt == 0 && t.records[x.rec.id] == x.rec {
			x.rec.inIndex, x.rec.indexed, x.rec.indexedUpdated = true, x.props, x.updated
		}
		n++
	}
	clear(t.indexing[:n])
	t.indexing = t.indexing[n:]
}

// reindex books the record's present state for the search index.
func (t *table) reindex(r *record, at int64) {
	t.indexing = append(t.indexing, indexing{at + t.portal.lag, r, r.props, r.updated})
}

// insert adds a new record.
func (t *table) insert(r *record) {
	t.records[r.id] = r
	i, _ := slices.BinarySearch(t.ids, r.id)
	t.ids = slices.Insert(t.ids, i, r.id)
}

// remove takes a record out for good.
func (t *table) remove(r *record) {
	t.release(r)
	delete(t.records, r.id)
	if i, ok := slices.BinarySearch(t.ids, r.id); ok {
		t.ids = slices.Delete(t.ids, i, i+1)
	}
}

// keys are the values by which a unique property finds the record. A contact is also found by the
// e-mail addresses that a merge left it.
func (t *table) keys(r *record, def *property) []string {
	var keys []string
	if v, _ := find(r.props, def); v != "" {
		keys = append(keys, v)
	}
	if def.Name == "email" {
		if more, _ := find(r.props, t.props["hs_additional_emails"]); more != "" {
			keys = append(keys, strings.Split(more, ";")...)
		}
	}
	return keys
}

// claim enters a live record into the unique indexes, release takes it out.
func (t *table) claim(r *record) {
	for def, index := range t.unique {
		for _, k := range t.keys(r, def) {
			index[k] = r.id
		}
	}
}

func (t *table) release(r *record) {
	for def, index := range t.unique {
		for _, k := range t.keys(r, def) {
			if index[k] == r.id {
				delete(index, k)
			}
		}
	}
}

// byID finds a live record; with aliases, also by an id that was merged away.
func (t *table) byID(id int64, aliases bool) *record {
	if aliases {
		for range len(t.aliases) {
			to, ok := t.aliases[id]
			if !ok {
				break
			}
			id = to
		}
	}
	if r := t.records[id]; r != nil && r.archivedAt == 0 {
		return r
	}
	return nil
}

// byKey finds a live record by the value of a unique property.
func (t *table) byKey(def *property, value string) *record {
	if id, ok := t.unique[def][value]; ok {
		return t.records[id]
	}
	return nil
}

// set returns props with some values replaced. The slice it was given stays as it is.
func (t *table) set(props []prop, values map[string]string) []prop {
	out := make([]prop, len(props), len(props)+len(values))
	copy(out, props)
	for _, name := range sortedNames(values) {
		def := t.props[name]
		if i := slices.IndexFunc(out, func(p prop) bool { return p.def == def }); i >= 0 {
			out[i].value = values[name]
		} else {
			out = append(out, prop{def, values[name]})
		}
	}
	return slices.Clip(out)
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
