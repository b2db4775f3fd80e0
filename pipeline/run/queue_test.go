package run

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/crmstream/crmstream/schemas"
)

// filled returns a queue with n records of each topic.
func filled(p int32, ns map[string]int) *queue {
	var q queue
	for topic, n := range ns {
		for i := range n {
			q.add(&kgo.Record{Topic: topic, Partition: p, Offset: int64(i), Value: make([]byte, 100)})
		}
	}
	return &q
}

// P8, B35: with a hundred thousand changes queued in every partition, a call is in the
// next transaction.
func TestAFloodKeepsNobodyWaiting(t *testing.T) {
	queues := make(map[int32]*queue)
	for p := range int32(8) {
		queues[p] = filled(p, map[string]int{schemas.TopicDialerContacts: 12_500})
	}
	queues[5].add(&kgo.Record{Topic: schemas.TopicDialerCalls, Partition: 5})
	took := share(queues, 20_000, 2, 1)
	if of := took[5]; len(of) == 0 || of[len(of)-1].Topic != schemas.TopicDialerCalls {
		t.Fatalf("the call waits; the transaction has %d partitions", len(took))
	}
}

// What is long takes turns, one partition for each core, and each gets its turn.
func TestLongQueuesTakeTurns(t *testing.T) {
	queues := make(map[int32]*queue)
	for p := range int32(5) {
		queues[p] = filled(p, map[string]int{schemas.TopicCRMChanges: 30_000, schemas.TopicDialerContacts: 30_000})
	}
	served := make(map[int32]int)
	for turn := range int64(5) {
		took := share(queues, 10_000, 2, turn+1)
		if len(took) != 2 {
			t.Fatalf("turn %d is of %d partitions, want one for each of 2 cores", turn, len(took))
		}
		for p, recs := range took {
			served[p] += len(recs)
		}
	}
	for p := range int32(5) {
		if served[p] < 5_000 || served[p] > 15_000 {
			t.Errorf("partition %d had %d records in five turns, want two turns of 5,000, one more or less", p, served[p])
		}
	}
}

// Whatever waits: nothing is lost or given twice, each topic's records stay in order and
// the topics in theirs, and a transaction keeps to its bounds.
func TestShare(t *testing.T) {
	inputs, large := schemas.Inputs(), make([]byte, 900<<10)
	rapid.Check(t, func(t *rapid.T) {
		queues, next := make(map[int32]*queue), make(map[int32]map[string]int64)
		all := 0
		for p := range rapid.Int32Range(1, 6).Draw(t, "partitions") {
			queues[p], next[p] = &queue{}, make(map[string]int64)
			for _, in := range inputs {
				n := rapid.SampledFrom([]int{0, 0, 1, 3, 50}).Draw(t, "records")
				for i := range n {
					queues[p].add(&kgo.Record{Topic: in.Name, Partition: p, Offset: int64(i), Value: large[:rapid.SampledFrom([]int{0, 10, len(large)}).Draw(t, "size")]})
				}
				all += n
			}
		}
		most, cores := rapid.IntRange(1, 100).Draw(t, "most"), rapid.IntRange(1, 4).Draw(t, "cores")
		for turn := int64(1); all > 0; turn++ {
			n, bytes, lines := 0, 0, 0
			for p, recs := range share(queues, most, cores, turn) {
				lines += len(inputs)
				n += len(recs)
				if !slices.IsSortedFunc(recs, func(a, b *kgo.Record) int { return orders[a.Topic] - orders[b.Topic] }) {
					t.Fatal("topics out of their order")
				}
				for _, rec := range recs {
					if rec.Partition != p || rec.Offset != next[p][rec.Topic] {
						t.Fatalf("%s-%d@%d in partition %d, want offset %d", rec.Topic, rec.Partition, rec.Offset, p, next[p][rec.Topic])
					}
					next[p][rec.Topic]++
					bytes += size(rec)
				}
			}
			if n == 0 || n > most+lines || bytes > batchBytes+lines*len(large) {
				t.Fatalf("a transaction of %d records and %d bytes, %d waited", n, bytes, all)
			}
			all -= n
		}
		for p, q := range queues {
			if q.n != 0 || q.bytes != 0 {
				t.Fatalf("partition %d is empty and counts %d records, %d bytes", p, q.n, q.bytes)
			}
		}
	})
}
