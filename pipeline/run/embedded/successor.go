package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ofOurs marks, as the producer epoch, an InitProducerID of the broker itself: clients
// that bring no producer id send -1. It is another one in each process, so that nobody
// else can know it.
var ofOurs = int16(-2 - rand.IntN(30_000))

// skipTimeout bounds what a starting producer waits for an epoch to be skipped.
const skipTimeout = 5 * time.Second

var errClosing = errors.New("the broker closes")

// initProducer sees each InitProducerID before the broker does.
//
// A producer that starts with a transactional id fences the one before it by an epoch
// of one more. The broker takes an abort that the fenced one sends for its own, repeated
// after a lost answer, which looks just the same: one epoch behind, with no transaction
// open. It answers with the successor's epoch, and both go on with it. So an epoch is
// skipped: the one before is two behind, and refused.
func (b *Broker) initProducer(guard guardListener) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		req, ok := r.(*kmsg.InitProducerIDRequest)
		if !ok || req.TransactionalID == nil || req.ProducerEpoch == ofOurs || !guard.isReady() {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
		if ofAnotherBoot(*req.TransactionalID, b.boot.Boot) {
			// The broker would let it recover, and mix two boots' transactions under one id.
			resp.ErrorCode = kerr.ProducerFenced.Code
			return resp, nil, true
		}
		if req.ProducerID >= 0 {
			return nil, nil, false // it goes on with an id of its own
		}
		skipped := make(chan error, 1)
		b.cluster.SleepControl(func() { skipped <- b.skipEpoch(*req.TransactionalID, req.TransactionTimeoutMillis) })
		err := errClosing
		select {
		case err = <-skipped:
		default: // the cluster closes, and waits for nobody
		}
		if err != nil {
			b.log.Warn("an epoch could not be skipped: the producer is told to ask again", "transactional_id", *req.TransactionalID, "err", err)
			resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code
			return resp, nil, true
		}
		return nil, nil, false
	}
}

// skipEpoch starts and forgets a producer. A request that is wrong is the broker's to
// refuse, when it sees the producer's own.
func (b *Broker) skipEpoch(txnID string, timeoutMillis int32) error {
	ctx, cancel := context.WithTimeout(context.Background(), skipTimeout)
	defer cancel()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerEpoch = &txnID, timeoutMillis, ofOurs
	if _, err := req.RequestWith(ctx, b.own); err != nil {
		return fmt.Errorf("skipping an epoch of %s: %w", txnID, err)
	}
	return nil
}

func ownClient(addr string) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID("crmstream-embedded"), kgo.RetryTimeout(skipTimeout))
}
