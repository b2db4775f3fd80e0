package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// compared is how many contacts of each partition are compared.
const compared = 2000

// heads returns the first contacts that a contender published in each partition, as
// text. The id of the person is the program's own choice and left out.
func (b *bench) heads(ctx context.Context, topic string) (map[int32][]string, error) {
	heads := make(map[int32][]string)
	var failed error
	_, _, err := b.bed.Read(ctx, topic, func(r *kgo.Record) {
		if len(heads[r.Partition]) == compared || failed != nil {
			return
		}
		v, err := b.bed.Codec.Decode(ctx, schemas.TopicSyncContacts, r.Value)
		if err != nil {
			failed = err
			return
		}
		c := v.(*schemas.SyncContact)
		var s strings.Builder
		s.WriteString(c.Tenant)
		if c.ContactID != nil {
			s.WriteString(" " + *c.ContactID)
		}
		fmt.Fprintf(&s, " %s %s@%d", c.Status, c.Provenance.SourceRef, c.Provenance.EventTime)
		for _, f := range c.Fields {
			s.WriteString(" " + f.Name + "=")
			if f.Value != nil {
				s.WriteString(*f.Value)
			}
		}
		heads[r.Partition] = append(heads[r.Partition], s.String())
	})
	return heads, errors.Join(err, failed)
}

// sameWork compares what crmstream and each Streams program published first, and
// returns how many contacts were equal.
func (b *bench) sameWork() (int, error) {
	want := b.of(crmstream)[0].heads
	same := 0
	for _, r := range b.of(streams) {
		before := same
		for p, ours := range want {
			theirs := r.heads[p]
			n := min(len(ours), len(theirs))
			for i := range n {
				if ours[i] != theirs[i] {
					return 0, fmt.Errorf("not the same work: contact %d of partition %d\ncrmstream: %s\n%s: %s", i, p, ours[i], r.Name, theirs[i])
				}
			}
			same += n
		}
		if same == before {
			return 0, fmt.Errorf("%s and crmstream published nothing in the same partition", r.Name)
		}
	}
	return same, nil
}

// of returns the results of one kind.
func (b *bench) of(kind string) (rs []result) {
	for _, r := range b.results {
		if r.Kind == kind {
			rs = append(rs, r)
		}
	}
	return rs
}
