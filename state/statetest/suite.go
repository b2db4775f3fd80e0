package statetest

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/state"
)

// Run runs the suite; open returns a new, empty DB.
func Run(t *testing.T, open func(t *testing.T) state.DB) {
	t.Run("empty", func(t *testing.T) { testEmpty(t, open(t)) })
	t.Run("partitions are apart", func(t *testing.T) { testPartitionsApart(t, open(t)) })
	t.Run("tenants are apart", func(t *testing.T) { testTenantsApart(t, open(t)) })
	t.Run("drop", func(t *testing.T) { testDrop(t, open(t)) })
	t.Run("closed", func(t *testing.T) { testClosed(t, open(t)) })
	t.Run("like a map", func(t *testing.T) { testLikeAMap(t, open) })
	t.Run("overlay like a map", func(t *testing.T) { testOverlay(t, open) })
}

func key(p int32, tenant, id string) state.Key { return state.TenantIn(p, tenant).Key('k', id) }

func dump(t interface{ Fatal(...any) }, r state.Reader, prefix state.Key) map[string]string {
	m := map[string]string{}
	last := ""
	err := r.Scan(prefix, state.Key{}, func(k state.Key, v []byte) (bool, error) {
		if k.String() <= last {
			return false, fmt.Errorf("key %q after %q", k, last)
		}
		last = k.String()
		m[last] = string(v)
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testEmpty(t *testing.T, db state.DB) {
	s := db.Store(3)
	if _, ok, err := s.Get(key(3, "t", "x")); ok || err != nil {
		t.Errorf("an empty store has something: %v", err)
	}
	if _, ok, err := s.Watermark(); ok || err != nil {
		t.Errorf("an empty store has a watermark: %v", err)
	}
	if ps, err := db.Partitions(); len(ps) != 0 || err != nil {
		t.Errorf("partitions %v, %v", ps, err)
	}
	if err := s.Drop(); err != nil {
		t.Errorf("dropping nothing: %v", err)
	}
}

func testPartitionsApart(t *testing.T, db state.DB) {
	for _, p := range []int32{0, 1, 255, 256, 65535} {
		wm := state.Watermark{Cluster: "c", TopicID: [16]byte{1, 2}, Next: int64(p) + 1, AppliedAt: 7, Restoring: p == 1}
		if err := db.Store(p).Apply([]state.Write{{Key: key(p, "t", "x"), Value: []byte{byte(p)}}}, wm); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := db.Store(p).Watermark(); got != wm || !ok || err != nil {
			t.Errorf("watermark %+v, %v, %v; want %+v", got, ok, err, wm)
		}
	}
	if ps, err := db.Partitions(); fmt.Sprint(ps) != "[0 1 255 256 65535]" || err != nil {
		t.Errorf("partitions %v, %v", ps, err)
	}
	if m := dump(t, db.Store(1), state.PartitionPrefix(1)); len(m) != 1 {
		t.Errorf("partition 1 shows %q", m)
	}
}

// P11: a tenant's prefix never reaches into another tenant, whatever the names.
func testTenantsApart(t *testing.T, db state.DB) {
	names := []string{"a", "ab", "a\x01", "b", strings.Repeat("a", 128), "ä"}
	var ws []state.Write
	for _, n := range names {
		for _, id := range []string{"", "1", "zz"} {
			ws = append(ws, state.Write{Key: key(1, n, id), Value: []byte(n)})
		}
	}
	if err := db.Store(1).Apply(ws, state.Watermark{}); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		m := dump(t, db.Store(1), state.TenantIn(1, n).Prefix('k', ""))
		if len(m) != 3 {
			t.Errorf("tenant %q sees %d entries", n, len(m))
		}
		for k, v := range m {
			if v != n {
				t.Errorf("tenant %q sees %q of %q", n, k, v)
			}
		}
	}
}

func testDrop(t *testing.T, db state.DB) {
	for _, p := range []int32{1, 2} {
		if err := db.Store(p).Apply([]state.Write{{Key: key(p, "t", "x"), Value: []byte("v")}}, state.Watermark{Next: 5}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Store(1).Drop(); err != nil {
		t.Fatal(err)
	}
	if m := dump(t, db.Store(1), state.PartitionPrefix(1)); len(m) != 0 {
		t.Errorf("dropped, and there is %q", m)
	}
	if _, ok, _ := db.Store(1).Watermark(); ok {
		t.Error("dropped, and there is a watermark")
	}
	if m := dump(t, db.Store(2), state.PartitionPrefix(2)); len(m) != 1 {
		t.Error("the neighbour was dropped too")
	}
	if err := db.Store(1).Apply([]state.Write{{Key: key(1, "t", "y"), Value: []byte{}}}, state.Watermark{Next: 1}); err != nil {
		t.Fatal(err)
	}
	if v, ok, err := db.Store(1).Get(key(1, "t", "y")); !ok || v == nil || len(v) != 0 || err != nil {
		t.Errorf("an empty value came back as %v, %v, %v", v, ok, err)
	}
}

func testClosed(t *testing.T, db state.DB) {
	s := db.Store(1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(key(1, "t", "x")); !errors.Is(err, state.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := s.Apply(nil, state.Watermark{}); !errors.Is(err, state.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := s.Load(nil, state.Watermark{}); !errors.Is(err, state.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

var genKey = rapid.Custom(func(t *rapid.T) state.Key {
	tenant := rapid.SampledFrom([]string{"a", "ab", "b"}).Draw(t, "tenant")
	id := rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00\xff")), 0, 3, -1).Draw(t, "id")
	return key(1, tenant, id)
})

func testLikeAMap(t *testing.T, open func(t *testing.T) state.DB) {
	rapid.Check(t, func(rt *rapid.T) {
		db := open(t)
		defer db.Close()
		s, model := db.Store(1), map[string]string{}
		for range rapid.IntRange(1, 20).Draw(rt, "batches") {
			var ws []state.Write
			for range rapid.IntRange(0, 10).Draw(rt, "writes") {
				w := state.Write{Key: genKey.Draw(rt, "key")}
				if rapid.Bool().Draw(rt, "put") {
					w.Value = []byte(rapid.StringN(0, 5, -1).Draw(rt, "value"))
					model[w.Key.String()] = string(w.Value)
				} else {
					delete(model, w.Key.String())
				}
				ws = append(ws, w)
			}
			write, wm := s.Apply, state.Watermark{Next: rapid.Int64Range(1, 1<<40).Draw(rt, "next")}
			if rapid.Bool().Draw(rt, "load") {
				write = s.Load
			}
			if err := write(ws, wm); err != nil {
				rt.Fatal(err)
			}
			same(rt, s, model)
			if got, ok, err := s.Watermark(); got != wm || !ok || err != nil {
				rt.Fatalf("watermark %v, %v, %v; want %v", got, ok, err, wm)
			}
		}
	})
}

// same compares everything readable with the model: by key, by prefix, from a key on.
func same(rt *rapid.T, r state.Reader, model map[string]string) {
	got := dump(rt, r, state.PartitionPrefix(1))
	if len(got) != len(model) {
		rt.Fatalf("%d entries, want %d", len(got), len(model))
	}
	for k, v := range model {
		if got[k] != v {
			rt.Fatalf("%q = %q, want %q", k, got[k], v)
		}
		rk, _ := state.RestoredKey([]byte(k))
		if g, ok, err := r.Get(rk); !ok || err != nil || !bytes.Equal(g, []byte(v)) {
			rt.Fatalf("get %q = %q, %v, %v", k, g, ok, err)
		}
	}
	after := genKey.Draw(rt, "after")
	prefix := state.TenantIn(1, after.TenantName()).Prefix('k', "")
	var want []string
	for k := range model {
		if strings.HasPrefix(k, prefix.String()) && k > after.String() {
			want = append(want, k)
		}
	}
	sort.Strings(want)
	limit := rapid.IntRange(1, 4).Draw(rt, "limit")
	if len(want) > limit {
		want = want[:limit]
	}
	var keys []string
	err := r.Scan(prefix, after, func(k state.Key, _ []byte) (bool, error) {
		keys = append(keys, k.String())
		return len(keys) < limit, nil
	})
	if err != nil || fmt.Sprintf("%q", keys) != fmt.Sprintf("%q", want) {
		rt.Fatalf("scan after %q gave %q, %v; want %q", after, keys, err, want)
	}
}

func testOverlay(t *testing.T, open func(t *testing.T) state.DB) {
	rapid.Check(t, func(rt *rapid.T) {
		db := open(t)
		defer db.Close()
		s, model := db.Store(1), map[string]string{}
		var ws []state.Write
		for range rapid.IntRange(0, 10).Draw(rt, "base") {
			k := genKey.Draw(rt, "key")
			ws = append(ws, state.Write{Key: k, Value: []byte("base")})
			model[k.String()] = "base"
		}
		if err := s.Apply(ws, state.Watermark{}); err != nil {
			rt.Fatal(err)
		}
		o := state.NewOverlay(s)
		type saved struct {
			at    int
			model map[string]string
		}
		var saves []saved
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 4).Draw(rt, "step") {
			case 0, 1:
				k, v := genKey.Draw(rt, "key"), rapid.StringN(0, 3, -1).Draw(rt, "value")
				o.Put(k, []byte(v))
				model[k.String()] = v
			case 2:
				k := genKey.Draw(rt, "key")
				o.Delete(k)
				delete(model, k.String())
			case 3:
				copied := map[string]string{}
				for k, v := range model {
					copied[k] = v
				}
				saves = append(saves, saved{o.Savepoint(), copied})
			case 4:
				if len(saves) > 0 {
					last := saves[len(saves)-1]
					saves = saves[:len(saves)-1]
					o.Rollback(last.at)
					model = last.model
				}
			}
			same(rt, o, model)
		}
		if err := s.Apply(o.Writes(), state.Watermark{}); err != nil {
			rt.Fatal(err)
		}
		same(rt, s, model)
	})
}
