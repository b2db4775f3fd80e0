package schemas_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// A tenant's partition is where a stock client puts a record whose key is the
// tenant: another answer would scatter a tenant's world.
func TestPartitionIsTheStockClients(t *testing.T) {
	tenants := []string{"acme", "a", "ab", "abc", "abcd", "München", "テナント", "tenant-0123456789"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		b := make([]byte, 1+r.IntN(40))
		for i := range b {
			b[i] = byte(r.IntN(256)) // signed bytes are where implementations differ
		}
		tenants = append(tenants, string(b))
	}
	stock := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	for _, n := range []int32{1, 2, 7, 8, 12, 1000} {
		for _, tenant := range tenants {
			want := stock.Partition(&kgo.Record{Key: []byte(tenant)}, int(n))
			if got := schemas.PartitionOf(tenant, n); int(got) != want {
				t.Fatalf("%q among %d: partition %d, a stock client takes %d", tenant, n, got, want)
			}
		}
	}
}

// The published vectors of Kafka's own Utils.murmur2, by their partition among 2^31-1.
func TestPartitionVectors(t *testing.T) {
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		const n = 1<<31 - 1
		if got, want := schemas.PartitionOf(key, n), (hash&0x7fffffff)%n; got != want {
			t.Errorf("%s: %d, want %d", key, got, want)
		}
	}
}

// A key names its tenant up to the first slash, or it names none.
func TestTenantOf(t *testing.T) {
	for key, want := range map[string]string{"acme": "acme", "acme/": "acme", "acme/call/7": "acme", "": "", "/x": "", "a b": "", "a\x00": "", "a\x7f": "", "\xff": ""} {
		got, err := schemas.TenantOf([]byte(key))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", key, got, err)
		}
	}
	long := fmt.Sprintf("%0128d", 1)
	if _, err := schemas.TenantOf([]byte(long)); err != nil {
		t.Errorf("a tenant of 128 bytes: %v", err)
	}
	if _, err := schemas.TenantOf([]byte(long + "1")); err == nil {
		t.Error("a tenant of 129 bytes was taken")
	}
}
