package run

import (
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/state"
)

// positions is where a partition stands: part of its state, so that it moves with
// what it covers.
type positions struct {
	Sequence int64            // of the last journal entry
	Now      int64            // ms, of the last transaction
	Next     map[string]int64 // next offset of each input topic
}

func positionsKey(partition int32) state.Key {
	return state.System(partition, pipeline.SysShell, "positions")
}

func (p *positions) clone() *positions {
	c := *p
	c.Next = make(map[string]int64, len(p.Next))
	for t, o := range p.Next {
		c.Next[t] = o
	}
	return &c
}

// marshal: version 1, sequence, now, then per topic by name: length, name,
// next offset.
func (p *positions) marshal() []byte {
	b := []byte{1}
	b = binary.AppendVarint(b, p.Sequence)
	b = binary.AppendVarint(b, p.Now)
	topics := make([]string, 0, len(p.Next))
	for t := range p.Next {
		topics = append(topics, t)
	}
	sort.Strings(topics)
	for _, t := range topics {
		b = append(b, byte(len(t)))
		b = append(b, t...)
		b = binary.AppendVarint(b, p.Next[t])
	}
	return b
}

func readPositions(r state.Reader, partition int32) (*positions, error) {
	p := &positions{Next: make(map[string]int64)}
	b, ok, err := r.Get(positionsKey(partition))
	if err != nil || !ok {
		return p, err
	}
	bad := fmt.Errorf("reading positions of partition %d: %w", partition, pipeline.ErrCorrupt)
	if len(b) == 0 || b[0] != 1 {
		return nil, bad
	}
	b = b[1:]
	num := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			b = nil
			return 0
		}
		b = b[n:]
		return v
	}
	p.Sequence, p.Now = num(), num()
	for len(b) > 0 {
		n := int(b[0])
		if len(b) < 1+n+1 {
			return nil, bad
		}
		t := string(b[1 : 1+n])
		b = b[1+n:]
		p.Next[t] = num()
	}
	return p, nil
}
