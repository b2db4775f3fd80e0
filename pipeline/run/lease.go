package run

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lease is how long this member may believe in its assignment without an answer of
// the group's coordinator: not as long as the coordinator believes in the member
// (P12). The coordinator counts from when a heartbeat came, so the lease does from
// when it was sent; and an eighth of the session is left for clocks and timers.
// What a member that is cut off decides is refused anyway; but nobody tells it so, and
// its streams and waiting requests would go on beside the next owner's.
type lease struct {
	steady  func() time.Duration
	session time.Duration
	// rebalance is how long the coordinator may hold an answer to a join or a sync.
	rebalance time.Duration

	heard   atomic.Int64 // steady ns, of the last heartbeat that was answered, or of a join's answer
	any     atomic.Int64 // steady ns, of the last answer to whatever request
	joining atomic.Int64 // steady ns, since a join or sync is without an answer; 0 = none is
}

var (
	_ kgo.HookBrokerE2E   = (*lease)(nil)
	_ kgo.HookBrokerWrite = (*lease)(nil)
)

func newLease(steady func() time.Duration, session, rebalance time.Duration) *lease {
	l := &lease{steady: steady, session: session - session/8, rebalance: rebalance}
	l.heard.Store(int64(steady()))
	return l
}

func membership(key int16) (ofGroup, waits bool) {
	switch kmsg.Key(key) {
	case kmsg.JoinGroup, kmsg.SyncGroup:
		return true, true
	case kmsg.Heartbeat:
		return true, false
	}
	return false, false
}

// OnBrokerWrite implements kgo.HookBrokerWrite.
func (l *lease) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if _, waits := membership(key); waits && err == nil {
		l.joining.Store(int64(l.steady()))
	}
}

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (l *lease) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	ofGroup, waits := membership(key)
	if waits {
		l.joining.Store(0)
	}
	if e2e.Err() != nil {
		return
	}
	now := l.steady()
	sent := now - e2e.DurationE2E()
	l.any.Store(int64(sent))
	switch {
	case waits:
		l.heard.Store(int64(now)) // the session begins when all have joined
	case ofGroup:
		l.heard.Store(int64(sent))
	}
}

// left is how long the lease holds; negative = it has run out. While a join is held,
// other requests are answered: where none is, the join may never have arrived.
func (l *lease) left() time.Duration {
	until := time.Duration(l.heard.Load()) + l.session
	if j := l.joining.Load(); j != 0 {
		until = max(until, min(time.Duration(j)+l.rebalance, time.Duration(l.any.Load()))+l.session)
	}
	return until - l.steady()
}

// guardLease gives everything up when the lease runs out. It ends with ctx.
func (s *session) guardLease(ctx context.Context) {
	for {
		left := s.lease.left()
		switch {
		case left >= 0:
		case s.held.size() == 0:
			left = s.lease.session // nothing to lose
		default:
			s.held.forget(s.held.all())
			s.abandonTransaction() // it would be refused, and waits for who does not answer
			s.fail(fmt.Errorf("the group's coordinator has not answered for %s: others may own the partitions", s.lease.session-left))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(left + time.Millisecond):
		}
	}
}
