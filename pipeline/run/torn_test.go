package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/mem"
)

func (h *harness) booted(b boot) {
	h.t.Helper()
	if _, err := kadm.NewClient(h.cl).CreateTopic(h.ctx(), 1, 1, nil, schemas.TopicBoot); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		h.t.Fatal(err)
	}
	v, err := json.Marshal(b)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.cl.ProduceSync(h.ctx(), &kgo.Record{Topic: schemas.TopicBoot, Key: []byte("boot"), Value: v}).FirstErr(); err != nil {
		h.t.Fatal(err)
	}
}

// tear makes the next commit reach the given topics alone, and be lost on all
// others: what a broker leaves behind that is killed amid it.
func (h *harness) tear(partition int32, topics ...string) (torn <-chan struct{}) {
	set := make(kadm.TopicsSet)
	for _, t := range topics {
		set.Add(t, partition)
	}
	return h.tearTo(set)
}

// tearOf is tear with a record of another tenant forwarded: entry is marked in that
// tenant's partition.
func (h *harness) tearOf(partition int32, other string, topics []string) (torn <-chan struct{}) {
	set := make(kadm.TopicsSet)
	for _, t := range topics {
		if t == schemas.TopicEntry {
			set.Add(t, schemas.PartitionOf(other, testN))
		} else {
			set.Add(t, partition)
		}
	}
	return h.tearTo(set)
}

func (h *harness) tearTo(set kadm.TopicsSet) (torn <-chan struct{}) {
	done := make(chan struct{})
	h.c.ControlKey(int16(kmsg.EndTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
		req := r.(*kmsg.EndTxnRequest)
		select {
		case <-done:
			return nil, nil, false
		default:
		}
		h.c.KeepControl()
		if !req.Commit {
			return nil, nil, false
		}
		h.c.SleepControl(func() {
			if len(set) == 0 {
				return
			}
			if _, err := kadm.NewClient(h.cl).WriteTxnMarkers(h.ctx(), kadm.TxnMarkers{ProducerID: req.ProducerID, ProducerEpoch: req.ProducerEpoch, Commit: true, Topics: set}); err != nil {
				h.t.Error(err)
			}
		})
		close(done)
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = kerr.InvalidProducerEpoch.Code
		return resp, nil, true
	})
	return done
}

// A commit that reached the changelog but not the outputs is made whole at the
// first transaction after an unclean boot; outputs that did arrive are repeated
// under the same header.
func TestTornCommitIsMadeWhole(t *testing.T) {
	onlyFake(t, "a commit there has a log of its own and is whole after any crash")
	for _, clean := range []bool{false, true} {
		t.Run(fmt.Sprintf("clean=%v", clean), func(t *testing.T) {
			h := newHarness(t)
			h.booted(boot{Boot: 1, Clean: true})
			p := schemas.PartitionOf("acme", testN)
			h.send("acme", -1, 5, "")
			db := mem.New()
			r, stop := h.start("a", db)
			h.counted(map[string]int{"acme": 5})
			h.eventually("resume", func() bool {
				for _, s := range r.Status().Partitions {
					if !s.Resumed {
						return false
					}
				}
				return len(r.Status().Partitions) == testN
			})
			torn := h.tear(p, schemas.TopicChangelog)
			h.send("acme", -1, 3, "")
			<-torn
			stop()
			// What the broker's own start does with transactions that were left open.
			if err := r.fence(h.ctx(), transactionalPrefix+"a-b1"); err != nil {
				t.Fatal(err)
			}
			h.booted(boot{Boot: 2, Clean: clean})
			h.send("acme", -1, 1, "")
			_, stop = h.start("a", db)
			want := 9
			if clean {
				want = 6 // what the torn commit lost stays lost
			}
			seen := make(map[string]bool)
			var ids []string
			for _, o := range h.read(schemas.TopicSyncChanges, want) {
				src := ""
				for _, hd := range o.Headers {
					if hd.Key == sourceHeader {
						src = string(hd.Value)
					}
				}
				if src == "" {
					t.Fatal("an output without its source")
				}
				if seen[src] {
					continue
				}
				seen[src] = true
				var v schemas.SyncCall
				if err := json.Unmarshal(o.Value, &v); err != nil {
					t.Fatal(err)
				}
				ids = append(ids, v.CallID)
			}
			stop()
			all := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}
			if clean {
				all = []string{"1", "2", "3", "4", "5", "9"}
			}
			if d := cmp.Diff(all, ids); d != "" {
				t.Errorf("outputs (-want +got):\n%s", d)
			}
			if clean {
				return
			}
			rep, err := Replay(h.ctx(), ReplayConfig{Brokers: h.addrs, Codec: h.codec, Task: h.task, Partitions: testN})
			if err != nil || len(rep.Differences) > 0 {
				t.Errorf("replay: %v %v", rep, err)
			}
		})
	}
}

// What is kept comes back byte for byte; over the limit compacted outputs alone are
// left out, and chunks of a larger transaction go away.
func TestTornChunks(t *testing.T) {
	s := mem.New().Store(3)
	small := []produced{
		{topic: schemas.TopicDeadLetters, partition: 3, key: []byte("k"), value: []byte{}, headers: []schemas.Header{{Key: "h", Value: []byte("v")}}},
		{topic: schemas.TopicSyncCalls, partition: 3, key: []byte("gone")},
		{topic: schemas.TopicEntry, partition: 1, key: []byte("e"), value: []byte("x")},
	}
	noise := make([]byte, 3*tornChunk) // it can't be compressed
	rng := rand.NewChaCha8([32]byte{})
	rng.Read(noise)
	big := []produced{
		{topic: schemas.TopicSyncCalls, partition: 3, key: []byte("c"), value: make([]byte, tornLimit)},
		{topic: schemas.TopicSyncChanges, partition: 3, key: []byte("a"), value: noise},
	}
	had := 0
	for _, c := range []struct {
		outs, want []produced
		chunks     int
	}{{small, small, 1}, {big, big[1:], 4}, {small, small, 1}, {nil, nil, 1}} {
		ws, n := tornWrites(3, 7, c.outs, had)
		if n != c.chunks {
			t.Errorf("%d chunks, want %d", n, c.chunks)
		}
		for _, w := range ws {
			if len(w.Value) > tornChunk || !isTorn(w.Key) {
				t.Errorf("key %q with %d bytes", w.Key.String(), len(w.Value))
			}
		}
		if err := s.Apply(ws, state.Watermark{Next: 1}); err != nil {
			t.Fatal(err)
		}
		had = n
		got, err := readTorn(s, 3)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(c.want, got.outs) || got.boot != 7 {
			t.Errorf("boot %d: %d outputs came back otherwise than the %d kept", got.boot, len(got.outs), len(c.want))
		}
		left := 0
		if err := s.Scan(state.PartitionPrefix(3), state.Key{}, func(state.Key, []byte) (bool, error) { left++; return true, nil }); err != nil || left != n {
			t.Errorf("%d chunks are left, want %d (%v)", left, n, err)
		}
	}
	for _, c := range []struct {
		boot boot
		lost bool
	}{{boot{7, false}, false}, {boot{8, true}, false}, {boot{8, false}, true}, {boot{9, true}, true}, {boot{}, false}} {
		if got := (torn{boot: 7, outs: small}).lost(c.boot) != nil; got != c.lost {
			t.Errorf("boot %+v: lost %v", c.boot, got)
		}
	}
}
