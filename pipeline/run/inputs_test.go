package run

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state/mem"
)

// A topic that is made anew under a running process does not pass for a repeat of what
// was applied: the partitions that had applied something are refused, the others go on.
func TestARecreatedTopicIsRefused(t *testing.T) {
	h := newHarness(t)
	p := schemas.PartitionOf("acme", testN)
	h.send("acme", -1, 5, "")
	r, _ := h.start("a", mem.New())
	h.counted(map[string]int{"acme": 5})
	adm := kadm.NewClient(h.cl)
	if _, err := adm.DeleteTopics(h.ctx(), schemas.TopicDialerCalls); err != nil {
		t.Fatal(err)
	}
	h.eventually("the topic is made anew", func() bool {
		_, err := adm.CreateTopic(h.ctx(), testN, 1, nil, schemas.TopicDialerCalls)
		return err == nil
	})
	h.eventually("it is refused", func() bool {
		s := r.Status()
		return len(s.Refused) == 1 && s.Refused[0].Partition == p && len(s.Partitions) == testN-1
	})
}

// Records that were removed by age before they were applied are counted, and what
// follows is applied.
func TestExpiredRecordsAreSaid(t *testing.T) {
	h := newHarness(t)
	p := schemas.PartitionOf("acme", testN)
	db := mem.New()
	h.send("acme", -1, 5, "")
	_, stop := h.start("a", db)
	h.counted(map[string]int{"acme": 5})
	stop()
	h.send("acme", -1, 4, "")
	h.truncate(schemas.TopicDialerCalls, p, 8)
	_, _ = h.start("a", db)
	h.counted(map[string]int{"acme": 6})
}

// Of two processes with one instance id one ends, and says why.
func TestOneInstanceIDTwice(t *testing.T) {
	h := newHarness(t)
	run := func() (*Runner, <-chan error) {
		r, err := New(Config{Brokers: h.addrs, Group: h.group, Instance: "same", Static: true, Partitions: testN, Codec: h.codec, Task: h.task,
			Effects: believer{&believers{who: make(map[int32]string)}, "same"}, DB: mem.New()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		return r, done
	}
	first, ended := run()
	h.eventually("owned", func() bool { return len(first.Status().Partitions) == testN })
	_, alsoEnded := run()
	var err error
	select {
	case err = <-ended:
	case err = <-alsoEnded:
	case <-time.After(20 * time.Second):
		t.Fatal("both go on")
	}
	if !errors.Is(err, ErrRefused) || !errors.Is(err, kerr.FencedInstanceID) {
		t.Errorf("one ended with %v", err)
	}
}
