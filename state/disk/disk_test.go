package disk_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/disk"
	"github.com/crmstream/crmstream/state/statetest"
)

func TestConformance(t *testing.T) {
	statetest.Run(t, func(t *testing.T) state.DB {
		db, err := disk.Open(disk.Options{Dir: "db", FS: vfs.NewMem(), CacheBytes: 1 << 20, MemTableBytes: 256 << 10})
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}

func TestASecondProcessIsTurnedAway(t *testing.T) {
	dir := t.TempDir()
	db, err := disk.Open(disk.Options{Dir: dir, CacheBytes: 1 << 20, MemTableBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := disk.Open(disk.Options{Dir: dir, CacheBytes: 1 << 20, MemTableBytes: 256 << 10}); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

// P2: whatever a crash leaves is a prefix of the batches, and the watermark says
// which one. Batch i sets every key to i and one key of its own.
func TestACrashLeavesAPrefixThatTheWatermarkNames(t *testing.T) {
	const batches, perBatch = 200, 5
	for seed := range uint64(15) {
		fs := vfs.NewCrashableMem()
		rng := rand.New(rand.NewPCG(seed, 1))
		db, err := disk.Open(disk.Options{Dir: "db", FS: fs, CacheBytes: 1 << 20, MemTableBytes: 256 << 10})
		if err != nil {
			t.Fatal(err)
		}
		s := db.Store(1)
		crashAt := 1 + rng.IntN(batches)
		flushed := 0
		var clone vfs.FS
		for i := 1; i <= crashAt; i++ {
			ws := []state.Write{{Key: own(i), Value: []byte("x")}}
			for k := range perBatch {
				ws = append(ws, state.Write{Key: shared(k), Value: []byte(fmt.Sprint(i))})
			}
			if err := s.Apply(ws, state.Watermark{Next: int64(i)}); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(20) == 0 {
				if err := db.Flush(); err != nil {
					t.Fatal(err)
				}
				flushed = i
			}
		}
		clone = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		after, err := disk.Open(disk.Options{Dir: "db", FS: clone, CacheBytes: 1 << 20, MemTableBytes: 256 << 10})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		checkPrefix(t, seed, after.Store(1), flushed, crashAt)
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func own(i int) state.Key    { return state.TenantIn(1, "t").Key('o', fmt.Sprintf("%06d", i)) }
func shared(k int) state.Key { return state.TenantIn(1, "t").Key('s', fmt.Sprint(k)) }

func checkPrefix(t *testing.T, seed uint64, s state.Store, atLeast, atMost int) {
	t.Helper()
	wm, ok, err := s.Watermark()
	if err != nil {
		t.Fatal(err)
	}
	n := int(wm.Next)
	if !ok {
		n = 0
	}
	if n < atLeast || n > atMost {
		t.Fatalf("seed %d: watermark %d, flushed up to %d, written up to %d", seed, n, atLeast, atMost)
	}
	for k := range 5 {
		v, ok, err := s.Get(shared(k))
		if err != nil || ok != (n > 0) || n > 0 && string(v) != fmt.Sprint(n) {
			t.Fatalf("seed %d: watermark %d, shared key is %q, %v, %v", seed, n, v, ok, err)
		}
	}
	count := 0
	err = s.Scan(state.TenantIn(1, "t").Prefix('o', ""), state.Key{}, func(state.Key, []byte) (bool, error) { count++; return true, nil })
	if err != nil || count != n {
		t.Fatalf("seed %d: watermark %d, %d batches are there, %v", seed, n, count, err)
	}
}

// A crash in the middle of Drop leaves the partition as it was or without
// watermark, so that nobody trusts what is left.
func TestACrashInDropIsSafe(t *testing.T) {
	for seed := range uint64(8) {
		fs := vfs.NewCrashableMem()
		rng := rand.New(rand.NewPCG(seed, 2))
		db, err := disk.Open(disk.Options{Dir: "db", FS: fs, CacheBytes: 1 << 20, MemTableBytes: 256 << 10})
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 10; i++ {
			if err := db.Store(1).Apply([]state.Write{{Key: own(i), Value: []byte("x")}}, state.Watermark{Next: int64(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Store(1).Drop(); err != nil {
			t.Fatal(err)
		}
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		after, err := disk.Open(disk.Options{Dir: "db", FS: clone, CacheBytes: 1 << 20, MemTableBytes: 256 << 10})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if _, ok, err := after.Store(1).Watermark(); ok || err != nil {
			t.Errorf("seed %d: a dropped partition has a watermark (%v)", seed, err)
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
