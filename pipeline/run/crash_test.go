package run

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline/run/embedded"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/disk"
	"github.com/crmstream/crmstream/state/mem"
)

// A broker that ends without closing, here by a copy of its folder amid work, comes
// back, and the pipeline goes on where it stood: no input is lost or counted twice,
// and timers and results go on too. Readers drop repeats by the source header.
func TestEmbeddedBrokerEndsUncleanly(t *testing.T) {
	onlyFake(t, "it is about the embedded broker's folder")
	dir, copied := t.TempDir(), t.TempDir()
	broker := func(dir string) *embedded.Broker {
		b, err := embedded.Start(t.Context(), embedded.Config{Dir: dir, Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Partitions: testN})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return b
	}
	b := broker(dir)
	h := harnessAt(t, []string{b.Addr()})
	h.send("acme", -1, 50, "")
	result := &kgo.Record{Topic: schemas.TopicCRMResults, Partition: schemas.PartitionOf("acme", testN), Key: []byte("acme/0-1"), Value: []byte(`{}`)}
	if err := h.cl.ProduceSync(h.ctx(), result).FirstErr(); err != nil {
		t.Fatal(err)
	}
	db, err := disk.Open(disk.Options{Dir: t.TempDir(), CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, stop := h.start("a", db)
	h.counted(map[string]int{"acme": 51})
	h.send("acme", -1, 49, "") // under way, or not, while the folder is copied
	if err := os.CopyFS(filepath.Join(copied, "b"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	h.counted(map[string]int{"acme": 100})
	stop()

	// The store of the first life is ahead of the copy: a new one, as after a loss of
	// the machine.
	again := broker(filepath.Join(copied, "b"))
	if again.Boot() != 2 {
		t.Fatalf("boot %d", again.Boot())
	}
	h = harnessAt(t, []string{again.Addr()})
	h.send("acme", -1, 10, "timer")
	h.start("a", mem.New())
	seen, last, ticks := make(map[string]bool), 0, 0
	for n := 1; ticks < 10; n++ {
		outs := h.read(schemas.TopicSyncChanges, n)
		for _, o := range outs {
			var v schemas.SyncCall
			if err := json.Unmarshal(o.Value, &v); err != nil {
				t.Fatal(err)
			}
			src := ""
			for _, hd := range o.Headers {
				if hd.Key == sourceHeader {
					src = string(hd.Value)
				}
			}
			if seen[src] {
				continue
			}
			seen[src] = true
			var number int
			if _, err := fmt.Sscanf(v.CallID, "tick-%d", &number); err == nil {
				ticks++
				continue
			}
			if v.CallID != fmt.Sprint(last+1) {
				t.Fatalf("%s says %s after %d", src, v.CallID, last)
			}
			last++
		}
		n = max(n, len(outs))
	}
	// 51 were counted before the copy, and 10 after it; of the 49 those count that the
	// copy has, all of which were acknowledged before it was made.
	if last != 110 {
		t.Errorf("%d counted, want 110", last)
	}
}
