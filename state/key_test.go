package state_test

import (
	"reflect"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/state"
)

// parts are what a key is made of; tenant "" is a key of the partition itself.
type parts struct {
	partition int32
	tenant    string
	kind      state.Kind
	id        string
}

func (p parts) key() state.Key {
	if p.tenant == "" {
		return state.System(p.partition, p.kind, p.id)
	}
	return state.TenantIn(p.partition, p.tenant).Key(p.kind, p.id)
}

// Names that begin with one another, and bytes at both ends of the range, are what
// a wrong encoding mixes up.
var genParts = rapid.Custom(func(t *rapid.T) parts {
	p := parts{
		partition: rapid.SampledFrom([]int32{0, 1, 2, 255, 256, 65535}).Draw(t, "partition"),
		kind:      state.Kind(rapid.Byte().Draw(t, "kind")),
		id:        string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xff}), 0, 4).Draw(t, "id")),
	}
	if rapid.Bool().Draw(t, "of a tenant") {
		p.tenant = string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xff}), 1, 4).Draw(t, "tenant"))
	}
	return p
})

func TestAKeyGivesBackWhatItWasMadeOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := genParts.Draw(t, "parts")
		k := p.key()
		if k.Partition() != p.partition || k.TenantName() != p.tenant || k.ID() != p.id {
			t.Fatalf("%+v came back as %d, %q, %q", p, k.Partition(), k.TenantName(), k.ID())
		}
		back, ok := state.RestoredKey(k.Bytes())
		if !ok || back != k {
			t.Fatalf("%x was restored as %x, %v", k.Bytes(), back.Bytes(), ok)
		}
	})
}

func TestDifferentPartsMakeDifferentKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genParts.Draw(t, "a"), genParts.Draw(t, "b")
		if (a == b) != (a.key() == b.key()) {
			t.Fatalf("%+v and %+v: keys %x and %x", a, b, a.key().Bytes(), b.key().Bytes())
		}
	})
}

// P11: a prefix of one tenant, kind and id reaches those keys and no others.
func TestAPrefixStaysWithinItsTenant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := genParts.Filter(func(p parts) bool { return p.tenant != "" }).Draw(t, "prefix")
		k := genParts.Draw(t, "key")
		prefix := state.TenantIn(p.partition, p.tenant).Prefix(p.kind, p.id)
		want := k.partition == p.partition && k.tenant == p.tenant && k.kind == p.kind && strings.HasPrefix(k.id, p.id)
		if got := strings.HasPrefix(k.key().String(), prefix.String()); got != want {
			t.Fatalf("prefix %+v holds %+v: %v", p, k, got)
		}
	})
}

func TestKeysAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := rapid.SliceOfN(genParts, 2, 12).Draw(t, "parts")
		sort.Slice(ps, func(i, j int) bool { return ps[i].key().String() < ps[j].key().String() })
		for i, b := range ps[1:] {
			a := ps[i]
			switch {
			case a.partition != b.partition:
				if a.partition > b.partition {
					t.Fatalf("partition %d stands before %d", a.partition, b.partition)
				}
			case a.tenant != "" && b.tenant == "":
				t.Fatalf("tenant %q stands before the partition's own keys", a.tenant)
			case a.tenant == b.tenant && a.kind > b.kind,
				a.tenant == b.tenant && a.kind == b.kind && a.id > b.id:
				t.Fatalf("%+v stands before %+v", a, b)
			}
		}
	})
}

func TestATenantNeedsAName(t *testing.T) {
	for _, name := range []string{"", strings.Repeat("a", 129)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a tenant's name of %d bytes was taken", len(name))
				}
			}()
			state.TenantIn(1, name)
		}()
	}
	if k := state.TenantIn(1, strings.Repeat("a", 128)).Key('k', "x"); k.ID() != "x" {
		t.Errorf("with the longest name the id is %q", k.ID())
	}
}

// P11: from outside, nothing but a tenant's handle, and the partition's own
// constructor, gives a key: its one field is unexported.
func TestAKeyCannotBeFilledIn(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[state.Key](), reflect.TypeFor[state.Tenant]()} {
		for i := range typ.NumField() {
			if typ.Field(i).IsExported() {
				t.Errorf("%s.%s can be set by anyone", typ, typ.Field(i).Name)
			}
		}
	}
	if k := (state.Key{}); !k.IsZero() || k.TenantName() != "" || k.ID() != "" || k.Partition() != -1 {
		t.Errorf("the zero key reads as %d, %q, %q", k.Partition(), k.TenantName(), k.ID())
	}
}

func FuzzRestoredKey(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 255, 1})
	f.Add(state.TenantIn(258, "t").Key('k', "x").Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		k, ok := state.RestoredKey(b)
		if !ok {
			if !k.IsZero() {
				t.Fatalf("%x was refused and gave a key", b)
			}
			return
		}
		if string(k.Bytes()) != string(b) {
			t.Fatalf("%x became %x", b, k.Bytes())
		}
		if n := len(k.TenantName()) + len(k.ID()) + 5; n != len(b) {
			t.Fatalf("%x: parts make %d bytes", b, n)
		}
	})
}
