package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// table reads a compacted topic up to its end: the values by key, and how many records
// that took.
func table(t *testing.T, ctx context.Context, b *Broker, topic string) (map[string]string, int) {
	t.Helper()
	cl := client(t, b, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	got, n := make(map[string]string), 0
	for next := int64(0); next < end.Offset; {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatalf("%v; so far %q", err, got)
		}
		fs.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				got[string(r.Key)] = string(r.Value)
				n++
			}
		})
	}
	return got, n
}

// put produces key-value pairs in one transaction.
func put(t *testing.T, ctx context.Context, cl *kgo.Client, commit bool, kvs ...string) {
	t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(kvs); i += 2 {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "state", Key: []byte(kvs[i]), Value: []byte(kvs[i+1])}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if commit {
		if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	}
}

// killedAmid returns the folder of a broker that was killed while a transaction was
// open that overwrites everything, after many that were committed.
func killedAmid(t *testing.T, ctx context.Context) string {
	t.Helper()
	dir := t.TempDir()
	b := start(t, dir)
	defer stop(t, b)
	compact := "compact"
	if _, err := kadm.NewClient(client(t, b)).CreateTopic(ctx, 1, 1, map[string]*string{"cleanup.policy": &compact}, "state"); err != nil {
		t.Fatal(err)
	}
	cl := client(t, b, kgo.TransactionalID("crmstream-here-b1"))
	for i := range 20 {
		put(t, ctx, cl, true, "a", fmt.Sprint("a", i), "b", fmt.Sprint("b", i))
	}
	put(t, ctx, cl, false, "a", "open", "b", "open", "a", "open", "c", "open")
	return copyTree(t, dir)
}

func wantTable(t *testing.T, got map[string]string) {
	t.Helper()
	if got["a"] != "a19" || got["b"] != "b19" || got["c"] != "" {
		t.Errorf("state is %q, want the last committed: a19, b19, no c", got)
	}
}

// What is compacted is what was committed: a transaction that was open at the kill
// supersedes nothing and is not seen, now and after another kill.
func TestACompactionKeepsWhatWasCommitted(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	dir := killedAmid(t, ctx)
	for range 3 {
		forgetCompaction(t, dir)
		b := start(t, dir)
		got, n := table(t, ctx, b, "state")
		wantTable(t, got)
		if n > 10 {
			t.Errorf("%d records are left of 2 keys: nothing was compacted", n)
		}
		killed := copyTree(t, dir)
		stop(t, b)
		dir = killed
	}
}

// A compaction that is cut off, with the old files removed and the new ones not all
// there, is undone.
func TestACompactionThatIsCutOffIsUndone(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	dir := killedAmid(t, ctx)
	if err := linkTree(filepath.Join(dir, kafkaDir), filepath.Join(dir, keptDir)); err != nil {
		t.Fatal(err)
	}
	removed := 0
	err := filepath.WalkDir(filepath.Join(dir, kafkaDir), func(path string, d os.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".dat" {
			removed++
			return os.Remove(path)
		}
		return err
	})
	if err != nil || removed == 0 {
		t.Fatalf("%d files removed, %v", removed, err)
	}
	b := start(t, dir)
	defer stop(t, b)
	got, _ := table(t, ctx, b, "state")
	wantTable(t, got)
	if _, err := os.Stat(filepath.Join(dir, keptDir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was kept for the compaction is still there: %v", err)
	}
}

// A pipeline that outlived the broker can't go on under the transactional id of the
// boot before.
func TestATransactionalIDOfAnotherBootIsFenced(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	b := start(t, t.TempDir())
	defer stop(t, b)
	for id, want := range map[string]error{"crmstream-here-b1": nil, "crmstream-here-b2": kerr.ProducerFenced, "crmstream-b7": kerr.ProducerFenced, "theirs-b2": nil, "crmstream-box": nil} {
		if _, _, err := client(t, b, kgo.TransactionalID(id)).ProducerID(ctx); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
}

// forgetCompaction makes one due.
func forgetCompaction(t *testing.T, dir string) {
	t.Helper()
	_, f, err := nextBoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	f.Boot, f.Compacted = f.Boot-1, compacted{}
	if err := writeBoot(dir, f); err != nil {
		t.Fatal(err)
	}
}

// A compaction whose files are larger than the process may write, as on a disk that
// is full: the boot ends with a reason, nothing is lost, and the next one works.
func TestACompactionWithoutRoomIsUndone(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	dir := t.TempDir()
	b := start(t, dir)
	compact := "compact"
	if _, err := kadm.NewClient(client(t, b)).CreateTopic(ctx, 1, 1, map[string]*string{"cleanup.policy": &compact}, "state"); err != nil {
		t.Fatal(err)
	}
	cl := client(t, b, kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.ProducerLinger(50*time.Millisecond))
	var recs []*kgo.Record
	for i := range 4 { // small as they stand, large when they are written anew
		recs = append(recs, &kgo.Record{Topic: "state", Key: fmt.Append(nil, i), Value: bytes.Repeat([]byte("x"), 100<<10)})
	}
	if err := cl.ProduceSync(ctx, recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "state", Key: []byte("0"), Value: []byte("new")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, b)
	forgetCompaction(t, dir)
	// In a process of its own: the limit is the whole process's.
	child := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestChildWithoutRoom$", "-test.v")
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("is the disk full?")) {
		t.Errorf("a boot whose compaction failed: %v, %s", err, out)
	}
	b = start(t, dir)
	defer stop(t, b)
	got, _ := table(t, ctx, b, "state")
	if len(got) != 4 || got["0"] != "new" {
		t.Errorf("%d of 4 keys are left", len(got))
	}
}

const childDir = "CRMSTREAM_TEST_CHILD_DIR"

// The process that TestACompactionWithoutRoomIsUndone starts.
func TestChildWithoutRoom(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("it is started by TestACompactionWithoutRoomIsUndone")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 64 << 10, Max: 64 << 10}); err != nil {
		t.Fatal(err)
	}
	b, err := Start(t.Context(), Config{Dir: dir, Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Partitions: 1})
	if err == nil {
		stop(t, b)
		t.Fatal("it goes on")
	}
	t.Log(err)
}
