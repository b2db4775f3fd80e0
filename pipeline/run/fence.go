package run

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/schemas"
)

// transactionalPrefix begins the transactional id of every Runner.
const transactionalPrefix = "crmstream-"

// transactionTimeout is how long a transaction may be open. The embedded broker keeps
// what the first client with a transactional id asked for, so all ask for the same.
const transactionTimeout = 10 * time.Second

// fenceLastOwners ends transactions that an owner before us left open on partitions'
// changelogs: else their records can't be read, nor the group's offsets be fetched,
// until the broker's timeout, ten seconds and more. It is called after the group gave
// the partitions to us, when a commit of theirs would be refused anyway (P12). Only
// the producers that hold one of them are fenced, and only ours.
func (r *Runner) fenceLastOwners(ctx context.Context, adm *kadm.Client, ps []int32) error {
	stable, err := adm.ListCommittedOffsets(ctx, schemas.TopicChangelog)
	if err != nil {
		return fmt.Errorf("asking for offsets of %s: %w", schemas.TopicChangelog, err)
	}
	ends, err := adm.ListEndOffsets(ctx, schemas.TopicChangelog)
	if err != nil {
		return fmt.Errorf("asking for offsets of %s: %w", schemas.TopicChangelog, err)
	}
	set := make(kadm.TopicsSet)
	for _, p := range ps {
		at, ok := stable.Lookup(schemas.TopicChangelog, p)
		end, ok2 := ends.Lookup(schemas.TopicChangelog, p)
		if ok && ok2 && at.Err == nil && end.Err == nil && at.Offset < end.Offset {
			set.Add(schemas.TopicChangelog, p)
		}
	}
	if len(set) == 0 {
		return nil
	}
	producers, err := adm.DescribeProducers(ctx, set)
	if err != nil {
		return fmt.Errorf("asking who holds the changelog: %w", err)
	}
	var ids []int64
	epochs := make(map[int64]int16)
	for _, pr := range producers.SortedProducers() {
		if pr.CurrentTxnStartOffset >= 0 {
			ids = append(ids, pr.ProducerID)
			epochs[pr.ProducerID] = pr.ProducerEpoch
		}
	}
	if len(ids) == 0 {
		return nil
	}
	// Not those that are being ended: between a commit and its last marker the offset
	// is behind, too, and its producer is a living member that gave the partition up.
	txns, err := adm.ListTransactions(ctx, ids, []string{"Ongoing"})
	if err != nil {
		return fmt.Errorf("asking who holds the changelog: %w", err)
	}
	for _, t := range txns.Sorted() {
		if !strings.HasPrefix(t.TxnID, transactionalPrefix) || !slices.Contains(ids, t.ProducerID) {
			continue
		}
		described, err := adm.DescribeTransactions(ctx, t.TxnID)
		if err != nil {
			return fmt.Errorf("asking for the transaction of %s: %w", t.TxnID, err)
		}
		// Each transaction has an epoch of its own. With another it is a later one, on
		// partitions that its producer kept: the one that held ours was ended meanwhile.
		if d := described[t.TxnID]; d.Err != nil || d.State != "Ongoing" || d.ProducerEpoch != epochs[t.ProducerID] {
			continue
		}
		r.cfg.Log.Info("ending a transaction that the last owner left open", "transactional_id", t.TxnID)
		if err := r.fence(ctx, t.TxnID); err != nil {
			return fmt.Errorf("fencing %s: %w", t.TxnID, err)
		}
	}
	return nil
}

func (r *Runner) fence(ctx context.Context, transactionalID string) error {
	cl, err := kgo.NewClient(append(r.clientOpts(), kgo.TransactionalID(transactionalID), kgo.TransactionTimeout(transactionTimeout))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	_, _, err = cl.ProducerID(ctx)
	return err
}
