package run

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// anchorBalancer gives equal partition numbers of all topics to one member: the
// stock cooperative-sticky balancer places the partitions of one anchor topic, and
// its numbers are copied to the others. Stock balancers split them: eight of
// twelve numbers of eight topics sat at two members.
type anchorBalancer struct {
	stock  kgo.GroupBalancer
	anchor string
	topics []string // all of them, anchor included
	held   *held    // told what this member has
}

func newAnchorBalancer(anchor string, topics []string, held *held) kgo.GroupBalancer {
	return &anchorBalancer{kgo.CooperativeStickyBalancer(), anchor, topics, held}
}

// ProtocolName implements kgo.GroupBalancer. A name of its own keeps members with
// another rule out of the group.
func (b *anchorBalancer) ProtocolName() string { return "crmstream-anchor-1" }

// IsCooperative implements kgo.GroupBalancer.
func (b *anchorBalancer) IsCooperative() bool { return true }

// JoinGroupMetadata tells the leader what is owned of the anchor alone.
func (b *anchorBalancer) JoinGroupMetadata(_ []string, current map[string][]int32, generation int32) []byte {
	b.held.joining(current[b.anchor])
	return b.stock.JoinGroupMetadata([]string{b.anchor}, map[string][]int32{b.anchor: current[b.anchor]}, generation)
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (b *anchorBalancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	given, err := b.stock.ParseSyncAssignment(assignment)
	if err == nil {
		b.held.synced(given[b.anchor])
	}
	return given, err
}

// MemberBalancer implements kgo.GroupBalancer.
func (b *anchorBalancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	mb, _, err := b.stock.MemberBalancer(members)
	if err != nil {
		return nil, nil, err
	}
	need := make(map[string]struct{}, len(b.topics))
	for _, t := range b.topics {
		need[t] = struct{}{}
	}
	return &anchorMembers{b, mb, members}, need, nil
}

type anchorMembers struct {
	b       *anchorBalancer
	stock   kgo.GroupMemberBalancer
	members []kmsg.JoinGroupResponseMember
}

// Balance implements kgo.GroupMemberBalancer for callers that cannot take an error.
func (m *anchorMembers) Balance(topics map[string]int32) kgo.IntoSyncAssignment {
	a, err := m.BalanceOrError(topics)
	if err != nil {
		panic(err) // kgo calls BalanceOrError where it is there
	}
	return a
}

// BalanceOrError implements kgo.GroupMemberBalancerOrError.
func (m *anchorMembers) BalanceOrError(topics map[string]int32) (kgo.IntoSyncAssignment, error) {
	n := topics[m.b.anchor]
	for _, t := range m.b.topics {
		if topics[t] != n {
			return nil, fmt.Errorf("%s has %d partitions and %s has %d: all input topics must have the same number", m.b.anchor, n, t, topics[t])
		}
	}
	var into kgo.IntoSyncAssignment
	var err error
	anchor := map[string]int32{m.b.anchor: n}
	if orErr, ok := m.stock.(kgo.GroupMemberBalancerOrError); ok {
		if into, err = orErr.BalanceOrError(anchor); err != nil {
			return nil, err
		}
	} else {
		into = m.stock.Balance(anchor)
	}
	plan, ok := into.(*kgo.BalancePlan)
	if !ok {
		return nil, fmt.Errorf("the stock balancer answered with a %T", into)
	}
	for _, assigned := range plan.AsMemberIDMap() {
		for _, t := range m.b.topics {
			if t != m.b.anchor {
				assigned[t] = append([]int32(nil), assigned[m.b.anchor]...)
			}
		}
	}
	return plan, nil
}
