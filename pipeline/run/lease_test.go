package run

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The lease lasts seven eighths of a session beyond the last heartbeat that was
// answered, and while a join is held, as long as others answer, up to the rebalance's
// time.
func TestLease(t *testing.T) {
	var now time.Duration
	l := newLease(func() time.Duration { return now }, 48*time.Second/7, 30*time.Second)
	heartbeat, join, produce, cut := int16(kmsg.Heartbeat), int16(kmsg.JoinGroup), int16(kmsg.Produce), errors.New("cut")
	for _, step := range []struct {
		at   time.Duration
		do   func()
		left time.Duration
	}{
		{0, func() {}, 6 * time.Second},
		{5 * time.Second, func() { l.OnBrokerE2E(kgo.BrokerMetadata{}, heartbeat, kgo.BrokerE2E{}) }, 6 * time.Second},
		{6 * time.Second, func() { l.OnBrokerE2E(kgo.BrokerMetadata{}, heartbeat, kgo.BrokerE2E{TimeToRead: time.Second}) }, 5 * time.Second},
		{9 * time.Second, func() { l.OnBrokerE2E(kgo.BrokerMetadata{}, produce, kgo.BrokerE2E{}) }, 2 * time.Second},
		{10 * time.Second, func() { l.OnBrokerE2E(kgo.BrokerMetadata{}, heartbeat, kgo.BrokerE2E{ReadErr: cut}) }, time.Second},
		{10 * time.Second, func() { l.OnBrokerWrite(kgo.BrokerMetadata{}, join, 1, 0, 0, cut) }, time.Second},
		{10 * time.Second, func() { l.OnBrokerWrite(kgo.BrokerMetadata{}, join, 1, 0, 0, nil) }, 5 * time.Second},
		{20 * time.Second, func() { l.OnBrokerE2E(kgo.BrokerMetadata{}, produce, kgo.BrokerE2E{}) }, 6 * time.Second},
		{39 * time.Second, func() { l.OnBrokerE2E(kgo.BrokerMetadata{}, produce, kgo.BrokerE2E{}) }, 6 * time.Second},
		{45 * time.Second, func() { l.OnBrokerE2E(kgo.BrokerMetadata{}, produce, kgo.BrokerE2E{}) }, time.Second},
		{45 * time.Second, func() { l.OnBrokerE2E(kgo.BrokerMetadata{}, join, kgo.BrokerE2E{}) }, 6 * time.Second},
		{52 * time.Second, func() {}, -time.Second},
	} {
		now = step.at
		step.do()
		if got := l.left(); got != step.left {
			t.Errorf("at %v: %v left, want %v", step.at, got, step.left)
		}
	}
}
