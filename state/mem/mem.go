package mem

import (
	"sort"
	"strings"
	"sync"

	"github.com/google/btree"

	"github.com/crmstream/crmstream/state"
)

// New returns an empty DB.
func New() state.DB { return &db{stores: make(map[int32]*store)} }

type db struct {
	mu     sync.Mutex
	stores map[int32]*store
}

func (d *db) Store(partition int32) state.Store {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stores[partition]
	if s == nil {
		s = newStore()
		d.stores[partition] = s
	}
	return s
}

func (d *db) Partitions() ([]int32, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ps []int32
	for p, s := range d.stores {
		if _, ok, err := s.Watermark(); err != nil {
			return nil, err
		} else if ok {
			ps = append(ps, p)
		}
	}
	sort.Slice(ps, func(i, j int) bool { return ps[i] < ps[j] })
	return ps, nil
}

func (d *db) Flush() error { return nil }

func (d *db) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.stores {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
	}
	return nil
}

type item struct{ key, value string }

type store struct {
	mu     sync.RWMutex
	items  *btree.BTreeG[item]
	wm     state.Watermark
	has    bool
	closed bool
}

func newStore() *store {
	return &store{items: btree.NewG(32, func(a, b item) bool { return a.key < b.key })}
}

func (s *store) Get(k state.Key) ([]byte, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, false, state.ErrClosed
	}
	it, ok := s.items.Get(item{key: k.String()})
	if !ok {
		return nil, false, nil
	}
	return []byte(it.value), true, nil
}

// Scan walks a copy-on-write clone, so that fn may take its time.
func (s *store) Scan(prefix, after state.Key, fn func(state.Key, []byte) (bool, error)) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return state.ErrClosed
	}
	items := s.items.Clone()
	s.mu.Unlock()
	from := prefix.String()
	if after.String() > from {
		from = after.String()
	}
	var err error
	items.AscendGreaterOrEqual(item{key: from}, func(it item) bool {
		if !strings.HasPrefix(it.key, prefix.String()) {
			return false
		}
		if !after.IsZero() && it.key <= after.String() {
			return true
		}
		k, _ := state.RestoredKey([]byte(it.key))
		var more bool
		more, err = fn(k, []byte(it.value))
		return err == nil && more
	})
	return err
}

func (s *store) Apply(ws []state.Write, wm state.Watermark) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return state.ErrClosed
	}
	for _, w := range ws {
		if w.Value == nil {
			s.items.Delete(item{key: w.Key.String()})
			continue
		}
		s.items.ReplaceOrInsert(item{w.Key.String(), string(w.Value)})
	}
	s.wm, s.has = wm, true
	return nil
}

func (s *store) Load(ws []state.Write, wm state.Watermark) error { return s.Apply(ws, wm) }

func (s *store) Watermark() (state.Watermark, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return state.Watermark{}, false, state.ErrClosed
	}
	return s.wm, s.has, nil
}

func (s *store) Drop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return state.ErrClosed
	}
	s.items.Clear(false)
	s.wm, s.has = state.Watermark{}, false
	return nil
}
