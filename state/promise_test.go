package state_test

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/mem"
)

// P11: of all keys that are made of short names, with bytes at both ends of the range
// and names that begin with one another, a tenant's prefix holds its own and no other.
func TestNoPrefixHoldsAnotherTenantsKey(t *testing.T) {
	letters := []string{"\x00", "\x01", "\x02", "a", "\xff"}
	tenants := append([]string{""}, letters...) // "" = the partition itself
	for _, a := range letters {
		for _, b := range letters {
			tenants = append(tenants, a+b)
		}
	}
	type made struct {
		parts
		key string
	}
	var all []made
	for _, partition := range []int32{1, 256} {
		for _, tenant := range tenants {
			for _, kind := range []state.Kind{0, 1, 'a'} {
				for _, id := range append([]string{""}, letters...) {
					p := parts{partition, tenant, kind, id}
					all = append(all, made{p, p.key().String()})
				}
			}
		}
	}
	for _, p := range all {
		if p.tenant == "" {
			continue
		}
		prefix := state.TenantIn(p.partition, p.tenant).Prefix(p.kind, p.id).String()
		for _, k := range all {
			want := k.partition == p.partition && k.tenant == p.tenant && k.kind == p.kind && strings.HasPrefix(k.id, p.id)
			if got := strings.HasPrefix(k.key, prefix); got != want {
				t.Fatalf("the prefix of %+v holds the key of %+v: %v", p.parts, k.parts, got)
			}
		}
	}
}

// What a transaction writes is in the order of keys, whatever the order of a map (P9).
func TestWritesAreInTheOrderOfKeys(t *testing.T) {
	o := state.NewOverlay(mem.New().Store(1))
	for i := range 100 {
		o.Put(state.TenantIn(1, "t").Key('k', fmt.Sprint(i*7919%100)), []byte("v"))
	}
	ws := o.Writes()
	if len(ws) != 100 || !sort.SliceIsSorted(ws, func(i, j int) bool { return ws[i].Key.String() < ws[j].Key.String() }) {
		t.Errorf("%d writes, not in the order of keys", len(ws))
	}
}
