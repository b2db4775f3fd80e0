package state

import (
	"sort"
	"strings"

	"github.com/google/btree"
)

// Overlay is a transaction's uncommitted writes above a Reader: reads see its own
// writes first. Savepoints take back one record's writes. It is not safe for
// concurrent use.
type Overlay struct {
	base Reader
	// writes holds the newest value per key; log holds what each write replaced, in
	// order, so that a savepoint is a position in it.
	writes map[string]entry
	log    []undo
	bytes  int
	// order holds the keys in order. It is made by the first Scan and kept from then
	// on: a transaction that never scans does not pay for it.
	order *btree.BTreeG[string]
}

type entry struct {
	value []byte // nil = deleted
}

type undo struct {
	key  string
	old  entry
	had  bool
	size int
}

// NewOverlay returns an empty overlay above base.
func NewOverlay(base Reader) *Overlay {
	return &Overlay{base: base, writes: make(map[string]entry)}
}

var _ Reader = (*Overlay)(nil)

// Get implements Reader.
func (o *Overlay) Get(k Key) ([]byte, bool, error) {
	if e, ok := o.writes[k.b]; ok {
		return e.value, e.value != nil, nil
	}
	return o.base.Get(k)
}

// Put sets the value of k. The overlay keeps the slice: the caller must not change
// it afterwards. A nil value is stored as an empty one.
func (o *Overlay) Put(k Key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	o.set(k.b, entry{value})
}

// Delete removes k.
func (o *Overlay) Delete(k Key) { o.set(k.b, entry{nil}) }

func (o *Overlay) set(k string, e entry) {
	old, had := o.writes[k]
	size := len(e.value) - len(old.value)
	if !had {
		size += len(k)
		if o.order != nil {
			o.order.ReplaceOrInsert(k)
		}
	}
	o.log = append(o.log, undo{k, old, had, size})
	o.bytes += size
	o.writes[k] = e
}

// Scan implements Reader: the base's entries and the overlay's own, merged.
func (o *Overlay) Scan(prefix, after Key, fn func(Key, []byte) (bool, error)) error {
	own := o.cursor(prefix.b, after.b)
	stopped := false
	// emit gives the overlay's own entries below limit ("" = all of the prefix).
	emit := func(limit string) error {
		for own.valid && (limit == "" || own.key < limit) && !stopped {
			k := own.key
			own.next()
			e := o.writes[k]
			if e.value == nil {
				continue
			}
			more, err := fn(Key{k}, e.value)
			if err != nil {
				return err
			}
			stopped = !more
		}
		return nil
	}
	err := o.base.Scan(prefix, after, func(k Key, v []byte) (bool, error) {
		if err := emit(k.b); err != nil || stopped {
			return false, err
		}
		if _, shadowed := o.writes[k.b]; shadowed {
			return true, nil // given by emit at its turn, or deleted
		}
		more, err := fn(k, v)
		stopped = !more
		return more, err
	})
	if err != nil || stopped {
		return err
	}
	return emit("")
}

// cursor walks the overlay's own keys of a prefix. It looks each key up anew, so
// that writes during a scan do not disturb it.
type cursor struct {
	o      *Overlay
	prefix string
	key    string
	valid  bool
}

func (o *Overlay) cursor(prefix, after string) *cursor {
	c := &cursor{o: o, prefix: prefix}
	if o.order == nil {
		if len(o.writes) == 0 {
			return c
		}
		o.order = btree.NewOrderedG[string](32)
		for k := range o.writes {
			o.order.ReplaceOrInsert(k)
		}
	}
	if after != "" && after >= prefix {
		c.seek(after, true)
	} else {
		c.seek(prefix, false)
	}
	return c
}

func (c *cursor) seek(from string, exclusive bool) {
	c.valid = false
	c.o.order.AscendGreaterOrEqual(from, func(k string) bool {
		if exclusive && k == from {
			return true
		}
		c.key, c.valid = k, strings.HasPrefix(k, c.prefix)
		return false
	})
}

func (c *cursor) next() { c.seek(c.key, true) }

// Savepoint returns a point to which Rollback can return.
func (o *Overlay) Savepoint() int { return len(o.log) }

// Rollback takes back every write since the savepoint.
func (o *Overlay) Rollback(savepoint int) {
	for i := len(o.log) - 1; i >= savepoint; i-- {
		u := o.log[i]
		o.bytes -= u.size
		if u.had {
			o.writes[u.key] = u.old
		} else {
			delete(o.writes, u.key)
			if o.order != nil {
				o.order.Delete(u.key)
			}
		}
	}
	o.log = o.log[:savepoint]
}

// Touched calls fn for each key written since the savepoint, in the order of
// writing, repeats included, with its present value (nil = deleted).
func (o *Overlay) Touched(savepoint int, fn func(k Key, value []byte)) {
	for _, u := range o.log[savepoint:] {
		fn(Key{u.key}, o.writes[u.key].value)
	}
}

// Writes returns the overlay's net writes in key order.
func (o *Overlay) Writes() []Write {
	ws := make([]Write, 0, len(o.writes))
	for k, e := range o.writes {
		ws = append(ws, Write{Key{k}, e.value})
	}
	sort.Slice(ws, func(i, j int) bool { return ws[i].Key.b < ws[j].Key.b })
	return ws
}

// Len returns the number of keys written.
func (o *Overlay) Len() int { return len(o.writes) }

// Bytes returns the size of keys and values written.
func (o *Overlay) Bytes() int { return o.bytes }
