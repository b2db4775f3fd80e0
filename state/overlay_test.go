package state_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/state"
)

// base is a Reader that is obviously right: it sorts for each Scan.
type base map[string]string

func (b base) Get(k state.Key) ([]byte, bool, error) {
	v, ok := b[k.String()]
	return []byte(v), ok, nil
}

func (b base) Scan(prefix, after state.Key, fn func(state.Key, []byte) (bool, error)) error {
	for _, s := range slices.Sorted(maps.Keys(b)) {
		if !strings.HasPrefix(s, prefix.String()) || s <= after.String() {
			continue
		}
		k, _ := state.RestoredKey([]byte(s))
		if more, err := fn(k, []byte(b[s])); err != nil || !more {
			return err
		}
	}
	return nil
}

func id(s string) state.Key { return state.TenantIn(1, "t").Key('k', s) }

func scanned(r state.Reader, prefix, after state.Key, limit int) (got []string, err error) {
	err = r.Scan(prefix, after, func(k state.Key, v []byte) (bool, error) {
		got = append(got, k.ID()+"="+string(v))
		return len(got) < limit, nil
	})
	return got, err
}

var genID = rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00ÿ")), 0, 3, -1)

// The overlay against a map that is copied at each savepoint. It scans only now and
// then, so that both ways are taken: keys written before its order exists, and
// after.
func TestOverlayIsLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		under := base{}
		for range rapid.IntRange(0, 8).Draw(t, "base") {
			under[id(genID.Draw(t, "id")).String()] = "base"
		}
		o, model := state.NewOverlay(under), maps.Clone(under)
		written := map[string]bool{}
		type saved struct {
			at      int
			model   base
			written map[string]bool
			bytes   int
		}
		var saves []saved
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"put", "put", "delete", "save", "rollback", "release", "scan"}).Draw(t, "step") {
			case "put":
				k, v := id(genID.Draw(t, "id")), rapid.StringN(0, 3, -1).Draw(t, "value")
				o.Put(k, []byte(v))
				model[k.String()], written[k.String()] = v, true
			case "delete":
				k := id(genID.Draw(t, "id"))
				o.Delete(k)
				delete(model, k.String())
				written[k.String()] = true
			case "save":
				saves = append(saves, saved{o.Savepoint(), maps.Clone(model), maps.Clone(written), o.Bytes()})
			case "rollback": // to any savepoint, the later ones are void then
				if len(saves) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(saves)-1).Draw(t, "savepoint")
				o.Rollback(saves[i].at)
				model, written = saves[i].model, saves[i].written
				if o.Bytes() != saves[i].bytes {
					t.Fatalf("%d bytes after a rollback, %d before", o.Bytes(), saves[i].bytes)
				}
				saves = saves[:i]
			case "release":
				if len(saves) > 0 {
					saves = saves[:len(saves)-1]
				}
			case "scan":
				prefix, after := id(genID.Draw(t, "prefix")), state.Key{}
				if rapid.Bool().Draw(t, "from a key on") {
					after = id(genID.Draw(t, "after"))
				}
				limit := rapid.IntRange(1, 5).Draw(t, "limit")
				want, _ := scanned(model, prefix, after, limit)
				got, err := scanned(o, prefix, after, limit)
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("scan of %q after %q gave %q, %v; want %q", prefix.ID(), after.ID(), got, err, want)
				}
			}
			k := id(genID.Draw(t, "read"))
			v, ok, err := o.Get(k)
			if want, has := model[k.String()]; err != nil || ok != has || ok && string(v) != want {
				t.Fatalf("get %q = %q, %v, %v; want %q, %v", k.ID(), v, ok, err, want, has)
			}
		}
		checkWrites(t, o, under, model, written)
	})
}

// checkWrites applies the overlay's net writes to what was under it: that is all
// that a commit does.
func checkWrites(t *rapid.T, o *state.Overlay, under, model base, written map[string]bool) {
	ws, size := o.Writes(), 0
	if !sort.SliceIsSorted(ws, func(i, j int) bool { return ws[i].Key.String() < ws[j].Key.String() }) {
		t.Fatalf("the writes are out of order")
	}
	if len(ws) != len(written) || o.Len() != len(written) {
		t.Fatalf("%d writes, Len %d, want %d", len(ws), o.Len(), len(written))
	}
	after := maps.Clone(under)
	for _, w := range ws {
		size += len(w.Key.String()) + len(w.Value)
		if w.Value == nil {
			delete(after, w.Key.String())
		} else {
			after[w.Key.String()] = string(w.Value)
		}
	}
	if !maps.Equal(after, model) {
		t.Fatalf("committed, there is %q; want %q", after, model)
	}
	if o.Bytes() != size {
		t.Fatalf("Bytes is %d, the writes have %d", o.Bytes(), size)
	}
}

func TestAnEmptyValueIsNoDeletion(t *testing.T) {
	o := state.NewOverlay(base{id("a").String(): "x", id("b").String(): "x"})
	o.Put(id("a"), nil)
	o.Delete(id("b"))
	if v, ok, _ := o.Get(id("a")); !ok || v == nil || len(v) != 0 {
		t.Errorf("an empty value reads as %v, %v", v, ok)
	}
	if got, _ := scanned(o, id(""), state.Key{}, 9); !slices.Equal(got, []string{"a="}) {
		t.Errorf("got %q", got)
	}
	if ws := o.Writes(); ws[0].Value == nil || ws[1].Value != nil {
		t.Errorf("writes are %v", ws)
	}
}

func TestTouchedTellsTheOrderOfWriting(t *testing.T) {
	o := state.NewOverlay(base{})
	o.Put(id("before"), []byte("1"))
	at := o.Savepoint()
	o.Put(id("b"), []byte("1"))
	o.Put(id("a"), []byte("1"))
	o.Put(id("b"), []byte("2"))
	o.Delete(id("a"))
	var got []string
	o.Touched(at, func(k state.Key, v []byte) { got = append(got, fmt.Sprintf("%s %q %v", k.ID(), v, v == nil)) })
	want := []string{`b "2" false`, `a "" true`, `b "2" false`, `a "" true`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Both a callback's error and the base's end a scan and reach the caller, wherever
// in the merge they come.
func TestErrorsEndAScan(t *testing.T) {
	stop := errors.New("stop")
	for _, at := range []string{"a", "b", "c", "d"} { // b and d are the base's
		o := state.NewOverlay(base{id("b").String(): "x", id("d").String(): "x"})
		o.Put(id("a"), nil)
		o.Put(id("c"), nil)
		var seen []string
		err := o.Scan(id(""), state.Key{}, func(k state.Key, _ []byte) (bool, error) {
			seen = append(seen, k.ID())
			if k.ID() == at {
				return true, stop
			}
			return true, nil
		})
		if !errors.Is(err, stop) || seen[len(seen)-1] != at {
			t.Errorf("an error at %s: got %v after %q", at, err, seen)
		}
	}
	o := state.NewOverlay(broken{stop})
	o.Put(id("a"), nil)
	if _, err := scanned(o, id(""), state.Key{}, 9); !errors.Is(err, stop) {
		t.Errorf("the base's error became %v", err)
	}
	if _, _, err := o.Get(id("z")); !errors.Is(err, stop) {
		t.Errorf("the base's error became %v", err)
	}
}

type broken struct{ err error }

func (b broken) Get(state.Key) ([]byte, bool, error) { return nil, false, b.err }

func (b broken) Scan(_, _ state.Key, _ func(state.Key, []byte) (bool, error)) error { return b.err }

// A transaction writes and scans in turn: the cost of a pair must not grow with what
// the transaction holds. Compare the two sizes.
func BenchmarkOverlayWriteThenScan(b *testing.B) {
	for _, held := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) {
			o := state.NewOverlay(base{})
			for i := range held {
				o.Put(id(fmt.Sprintf("%09d", i)), []byte("v"))
			}
			at := o.Savepoint()
			b.ReportAllocs()
			for i := range b.N {
				o.Put(id(fmt.Sprintf("%09d~%d", i%held, i)), []byte("v"))
				if _, err := scanned(o, id(fmt.Sprintf("%09d", i%held)), state.Key{}, 1); err != nil {
					b.Fatal(err)
				}
				if i%1000 == 999 { // the overlay keeps its size
					o.Rollback(at)
				}
			}
		})
	}
}

func BenchmarkOverlayPutGet(b *testing.B) {
	keys := make([]state.Key, 10_000)
	for i := range keys {
		keys[i] = id(fmt.Sprintf("%09d", i))
	}
	value := []byte("v")
	b.ReportAllocs()
	for b.Loop() {
		o := state.NewOverlay(base{})
		for _, k := range keys {
			o.Put(k, value)
			if _, ok, _ := o.Get(k); !ok {
				b.Fatal("lost")
			}
		}
	}
}
