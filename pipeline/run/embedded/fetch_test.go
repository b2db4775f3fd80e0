package embedded

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// However much a reader asks for at once, of one partition or of many, and whatever
// bound it sets: it sees nothing of an aborted transaction.
func TestLargeFetchesHideAbortedTransactions(t *testing.T) {
	const partitions, rounds = 4, 24
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	b := start(t, t.TempDir())
	defer stop(t, b)
	cl := client(t, b, kgo.TransactionalID("many"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, partitions, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 200<<10)
	rng := rand.NewChaCha8([32]byte{})
	rng.Read(noise)
	for i := range rounds {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for p := range int32(partitions) {
			cl.Produce(ctx, &kgo.Record{Topic: "t", Partition: p, Key: []byte(map[bool]string{true: "aborted", false: "good"}[i%2 == 1]), Value: noise}, nil)
		}
		if err := cl.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(ctx, kgo.TransactionEndTry(i%2 == 0)); err != nil {
			t.Fatal(err)
		}
	}
	for _, limits := range [][2]int32{{50 << 20, 8 << 20}, {50 << 20, 1 << 20}, {300 << 10, 1 << 20}, {1 << 20, 100 << 10}, {90 << 20, 90 << 20}} {
		t.Run(fmt.Sprint(limits), func(t *testing.T) {
			rd := client(t, b, kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
				kgo.FetchMaxBytes(limits[0]), kgo.FetchMaxPartitionBytes(limits[1]))
			for good := 0; good < partitions*rounds/2; {
				fs := rd.PollFetches(ctx)
				if err := fs.Err0(); err != nil {
					t.Fatalf("%v after %d", err, good)
				}
				fs.EachRecord(func(r *kgo.Record) {
					if bytes.Equal(r.Key, []byte("aborted")) {
						t.Fatalf("an aborted record is seen at %d@%d", r.Partition, r.Offset)
					}
					good++
				})
			}
		})
	}
}
