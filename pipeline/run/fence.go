package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// transactionalPrefix begins the transactional id of every Runner.
const transactionalPrefix = "crmstream-"

// fenceLastOwner ends a transaction that an owner before us left open on the
// partition's changelog: else its records can't be read until the broker's timeout,
// ten seconds and more. It is called after the group gave the partition to us, when
// a commit of theirs would be refused anyway (P12). Only the producers that hold the
// partition are fenced, and only ours.
func (r *Runner) fenceLastOwner(ctx context.Context, adm *kadm.Client, p int32, end int64) error {
	stable, err := adm.ListCommittedOffsets(ctx, schemas.TopicChangelog)
	if err != nil {
		return fmt.Errorf("asking for offsets of %s: %w", schemas.TopicChangelog, err)
	}
	if o, ok := stable.Lookup(schemas.TopicChangelog, p); !ok || o.Err != nil || o.Offset >= end {
		return nil
	}
	set := make(kadm.TopicsSet)
	set.Add(schemas.TopicChangelog, p)
	producers, err := adm.DescribeProducers(ctx, set)
	if err != nil {
		return fmt.Errorf("asking who holds the changelog: %w", err)
	}
	var ids []int64
	for _, pr := range producers.SortedProducers() {
		if pr.CurrentTxnStartOffset >= 0 {
			ids = append(ids, pr.ProducerID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	txns, err := adm.ListTransactions(ctx, ids, nil)
	if err != nil {
		return fmt.Errorf("asking who holds the changelog: %w", err)
	}
	for _, t := range txns.Sorted() {
		if !strings.HasPrefix(t.TxnID, transactionalPrefix) || !slices.Contains(ids, t.ProducerID) {
			continue
		}
		r.cfg.Log.Info("ending a transaction that the last owner left open", "partition", p, "transactional_id", t.TxnID)
		if err := r.fence(ctx, t.TxnID); err != nil {
			return fmt.Errorf("fencing %s: %w", t.TxnID, err)
		}
	}
	return nil
}

func (r *Runner) fence(ctx context.Context, transactionalID string) error {
	cl, err := kgo.NewClient(append(r.clientOpts(), kgo.TransactionalID(transactionalID))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	_, _, err = cl.ProducerID(ctx)
	return err
}
