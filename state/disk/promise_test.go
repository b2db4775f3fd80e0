package disk_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/disk"
)

// P2: rows never come back without their watermark. It is as long as several writes of
// the file system here, so that a crash amid it would show if it were not of one batch
// with its rows.
func TestRowsAndWatermarkAreOneBatch(t *testing.T) {
	const batches = 6 // all in one log: the file system in memory locks up over one that is used again
	mem := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(3, 3))
	type shot struct {
		fs      vfs.FS
		written int // batches begun
	}
	var mu sync.Mutex // Pebble writes from several goroutines
	var written int
	var shots []shot
	db, err := disk.Open(small(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			mu.Lock()
			defer mu.Unlock()
			shots = append(shots, shot{mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng}), written})
		}
		return nil
	}))))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("cluster", 5<<10)
	for i := 1; i <= batches; i++ {
		mu.Lock()
		written = i
		mu.Unlock()
		ws := []state.Write{{Key: own(i), Value: []byte("x")}}
		for k := range 5 {
			ws = append(ws, state.Write{Key: shared(k), Value: []byte(fmt.Sprint(i))})
		}
		if err := db.Store(1).Apply(ws, state.Watermark{Cluster: long, Next: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if len(shots) < batches {
		t.Errorf("%d crashes: the test tests nothing", len(shots))
	}
	for i, s := range shots {
		after, err := disk.Open(small(s.fs))
		if err != nil {
			t.Fatalf("crash %d of %d: %v", i, len(shots), err)
		}
		checkPrefix(t, uint64(i), after.Store(1), 0, s.written)
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
