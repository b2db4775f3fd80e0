package disk_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/disk"
)

func small(fs vfs.FS) disk.Options {
	return disk.Options{Dir: "db", FS: fs, CacheBytes: 1 << 20, MemTableBytes: 256 << 10}
}

func TestPartitionsListsTheLastOne(t *testing.T) {
	db, err := disk.Open(small(vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, p := range []int32{3, 65535} {
		if err := db.Store(p).Apply(nil, state.Watermark{Next: 1}); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan string, 1)
	go func() {
		ps, err := db.Partitions()
		done <- fmt.Sprint(ps, err)
	}()
	select {
	case got := <-done:
		if got != "[3 65535] <nil>" {
			t.Errorf("got %s", got)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("still listing")
	}
}

// Only a folder that is held is called held: what else keeps it from opening is
// said as it is.
func TestOtherErrorsAreNotCalledALock(t *testing.T) {
	notAFolder := filepath.Join(t.TempDir(), "blocks") // "lock" stands in the path
	if err := os.WriteFile(notAFolder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := disk.Open(disk.Options{Dir: notAFolder})
	if err == nil || errors.Is(err, disk.ErrLocked) || !strings.Contains(err.Error(), notAFolder) {
		t.Errorf("got %v", err)
	}
}

// wholeMoves keeps a copy of the file system from being taken amid a Link or a reuse,
// which lock it for reading twice and would wait for the copy in between.
type wholeMoves struct {
	vfs.FS
	mu *sync.Mutex
}

func (fs wholeMoves) Link(from, to string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.FS.Link(from, to)
}

func (fs wholeMoves) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.FS.ReuseForWrite(from, to, category)
}

// P2, at every change of the file system: a copy as a power cut would leave it is
// taken before each; each holds a prefix of the batches, the watermark names it,
// and a partition that was being dropped is whole or without watermark. Batches are
// large enough that tables are flushed and the log turns over.
func TestACrashAtAnyWriteLeavesAPrefix(t *testing.T) {
	const batches = 40
	mem := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(7, 7))
	type shot struct {
		fs       vfs.FS
		written  int  // batches begun
		flushed  int  // batches that Flush made durable
		dropping bool // Drop has begun
		dropped  bool // Drop has returned
	}
	var mu sync.Mutex // Pebble writes from several goroutines
	var now shot
	var shots []shot
	set := func(f func(*shot)) { mu.Lock(); f(&now); mu.Unlock() }
	fs := errorfs.Wrap(wholeMoves{mem, &mu}, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		s := now
		s.fs = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		shots = append(shots, s)
		return nil
	}))
	db, err := disk.Open(small(fs))
	if err != nil {
		t.Fatal(err)
	}
	filler := make([]byte, 8<<10)
	for i := 1; i <= batches; i++ {
		set(func(s *shot) { s.written = i })
		ws := []state.Write{{Key: own(i), Value: filler}, {Key: shared(2), Value: []byte("of several the last counts")}}
		for k := range 5 {
			ws = append(ws, state.Write{Key: shared(k), Value: []byte(fmt.Sprint(i))})
		}
		write := db.Store(1).Apply
		if i%7 == 0 {
			write = db.Store(1).Load
		}
		if err := write(ws, state.Watermark{Next: int64(i)}); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			if err := db.Flush(); err != nil {
				t.Fatal(err)
			}
			set(func(s *shot) { s.flushed = i })
		}
	}
	set(func(s *shot) { s.dropping = true })
	if err := db.Store(1).Drop(); err != nil {
		t.Fatal(err)
	}
	set(func(s *shot) { s.dropped = true })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	inDrop, middle := 0, 0
	for i, s := range shots {
		after, err := disk.Open(small(s.fs))
		if err != nil {
			t.Fatalf("crash %d of %d: %v", i, len(shots), err)
		}
		_, has, err := after.Store(1).Watermark()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case s.dropped && has:
			t.Errorf("crash %d: dropped, and there is a watermark", i)
		case s.dropping && !has: // what is left is trusted by nobody
			inDrop++
		case !s.dropped:
			checkPrefix(t, uint64(i), after.Store(1), s.flushed, s.written)
			if has {
				middle++
			}
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if inDrop == 0 || middle < batches {
		t.Errorf("of %d crashes %d were while dropping and %d between: the test tests nothing", len(shots), inDrop, middle)
	}
}
