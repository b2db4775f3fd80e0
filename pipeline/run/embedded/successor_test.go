package embedded

import (
	"errors"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func initProducer(t *testing.T, cl *kgo.Client, txnID string) *kmsg.InitProducerIDResponse {
	t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &txnID, 10_000
	resp, err := req.RequestWith(t.Context(), cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// A producer whose successor has only started must not be let go on, whichever way it
// ends its transaction: with an abort it would be told the successor's epoch.
func TestAnOlderProducerEndsItsTransaction(t *testing.T) {
	b := start(t, t.TempDir())
	defer stop(t, b)
	cl := client(t, b)
	for _, commit := range []bool{true, false} {
		old := initProducer(t, cl, "older")
		young := initProducer(t, cl, "older")
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = "older", old.ProducerID, old.ProducerEpoch, commit
		resp, err := req.RequestWith(t.Context(), cl)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Version < 5 {
			t.Fatalf("EndTxn %d does not hand out epochs: this test shows nothing", resp.Version)
		}
		if err := kerr.ErrorForCode(resp.ErrorCode); !errors.Is(err, kerr.ProducerFenced) {
			t.Errorf("commit %v: %v, and epoch %d; the successor's is %d", commit, err, resp.ProducerEpoch, young.ProducerEpoch)
		}
	}
}

// Many that start at once with one id each get an epoch of their own.
func TestManyStartWithOneID(t *testing.T) {
	b := start(t, t.TempDir())
	defer stop(t, b)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = make(map[int16]bool)
	)
	for range 16 {
		cl := client(t, b)
		wg.Go(func() {
			req := kmsg.NewPtrInitProducerIDRequest()
			id := "one"
			req.TransactionalID, req.TransactionTimeoutMillis = &id, 10_000
			resp, err := req.RequestWith(t.Context(), cl)
			if err == nil {
				err = kerr.ErrorForCode(resp.ErrorCode)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil || seen[resp.ProducerEpoch] {
				t.Errorf("epoch %d, %v", resp.ProducerEpoch, err)
				return
			}
			seen[resp.ProducerEpoch] = true
		})
	}
	wg.Wait()
}
