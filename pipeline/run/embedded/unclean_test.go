package embedded

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// copyTree copies a folder as an ended process would leave it: what it has written,
// and nothing of what a clean close adds.
func copyTree(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func client(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// send produces values in one transaction, and ends it if commit is true.
func send(t *testing.T, ctx context.Context, cl *kgo.Client, commit bool, values ...string) {
	t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if commit {
		if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	}
}

// committed reads until it has seen the last value.
func committed(t *testing.T, ctx context.Context, b *Broker, last string) []string {
	t.Helper()
	cl := client(t, b, kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var got []string
	for !slices.Contains(got, last) {
		fs := cl.PollFetches(ctx)
		if err := fs.Err0(); err != nil {
			t.Fatalf("%v; so far %q", err, got)
		}
		for _, r := range fs.Records() {
			got = append(got, string(r.Value))
		}
	}
	return got
}

// A transaction that an unclean end left open stays out of sight for good, the
// same producer's later commits are seen, and a second unclean end changes
// neither.
func TestATransactionLeftOpenIsClosedAtTheNextBoot(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	dir := t.TempDir()
	b := start(t, dir)
	if _, err := kadm.NewClient(client(t, b)).CreateTopic(ctx, 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	tx := kgo.TransactionalID("foreign")
	first := client(t, b, tx)
	for range 3 { // the epoch moves on
		send(t, ctx, first, true, "pre")
	}
	send(t, ctx, first, false, "A")
	killed := copyTree(t, dir)
	stop(t, b)

	b = start(t, killed)
	if b.boot.Clean {
		t.Error("an unclean boot calls itself clean")
	}
	send(t, ctx, client(t, b, tx), true, "B")
	want := []string{"pre", "pre", "pre", "B"}
	if got := committed(t, ctx, b, "B"); !slices.Equal(got, want) {
		t.Errorf("after the first unclean boot: %q, want %q", got, want)
	}
	again := copyTree(t, killed)
	stop(t, b)

	b = start(t, again)
	defer stop(t, b)
	send(t, ctx, client(t, b, kgo.TransactionalID("another")), true, "end")
	want = append(want, "end")
	if got := committed(t, ctx, b, "end"); !slices.Equal(got, want) {
		t.Errorf("after the second: %q, want %q", got, want)
	}
}

// A start that fails after an unclean end has mended nothing: the next one must
// still know.
func TestAFailedStartDoesNotHideAnUncleanEnd(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	killed := copyTree(t, dir)
	stop(t, b)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	cfg := Config{Dir: killed, Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Partitions: 2}
	if b, err := Start(ended, cfg); err == nil {
		stop(t, b)
		t.Fatal("started with a context that had ended")
	}
	b = start(t, killed)
	defer stop(t, b)
	if b.boot.Clean {
		t.Errorf("boot %+v after an unclean end and a start that failed", b.boot)
	}
}

func TestAStartThatIsTurnedAwayLeavesTheFolderAsItWas(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	defer stop(t, b)
	before, err := os.ReadFile(filepath.Join(dir, "boot.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(context.Background(), Config{Dir: dir, Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Partitions: 2}); err == nil {
		t.Fatal("a folder in use was opened")
	}
	cfg := Config{Dir: t.TempDir(), Listen: b.Addr(), RegistryListen: "127.0.0.1:0", Partitions: 2}
	if _, err := Start(context.Background(), cfg); err == nil {
		t.Fatal("a port in use was taken")
	}
	after, err := os.ReadFile(filepath.Join(dir, "boot.json"))
	if err != nil || string(before) != string(after) {
		t.Errorf("boot file %s became %s, %v", before, after, err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, "kafka")); !os.IsNotExist(err) {
		t.Errorf("a taken port, and there is data: %v", err)
	}
}

func TestCloseTwice(t *testing.T) {
	b := start(t, t.TempDir())
	stop(t, b)
	done := make(chan error, 1)
	go func() { done <- b.Close(context.Background()) }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("closed again: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the second Close does not return")
	}
}
