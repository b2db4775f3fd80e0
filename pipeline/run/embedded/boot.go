package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/registry"
)

// Boot is one start of the broker: the value, as JSON, of the record on the topic
// crmstream.boot.
type Boot struct {
	Boot  int64 `json:"boot"`  // from 1
	Clean bool  `json:"clean"` // the one before was closed cleanly, or there was none
}

// bootFile is what the folder says of its boots.
type bootFile struct {
	Boot      int64     `json:"boot"`
	Closed    bool      `json:"closed"`
	Compacted compacted `json:"compacted"`
}

// compacted says what the last compaction left: ms, bytes.
type compacted struct {
	At   int64 `json:"at"`
	Size int64 `json:"size"`
}

// nextBoot counts the boot in the folder and says how the last one ended.
func nextBoot(dir string) (Boot, bootFile, error) {
	var f bootFile
	b, err := os.ReadFile(filepath.Join(dir, "boot.json"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		f.Closed = true
	case err != nil:
		return Boot{}, f, fmt.Errorf("reading the boot counter: %w", err)
	default:
		if err := json.Unmarshal(b, &f); err != nil {
			return Boot{}, f, fmt.Errorf("reading the boot counter: %w", err)
		}
	}
	boot := Boot{Boot: f.Boot + 1, Clean: f.Closed}
	f.Boot, f.Closed = boot.Boot, false
	return boot, f, writeBoot(dir, f)
}

// writeBoot replaces the file as a whole, so that a crash leaves the old or the new.
func writeBoot(dir string, f bootFile) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "boot.json")
	tmp, err := os.Create(path + ".new")
	if err != nil {
		return fmt.Errorf("writing the boot counter: %w", err)
	}
	_, werr := tmp.Write(b)
	if err := errors.Join(werr, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("writing the boot counter: %w", err)
	}
	return os.Rename(path+".new", path)
}

// publish writes the boot to its topic.
func (b *Broker) publish(ctx context.Context, cl *kgo.Client) error {
	compact := "compact"
	_, err := kadm.NewClient(cl).CreateTopic(ctx, 1, 1, map[string]*string{"cleanup.policy": &compact}, schemas.TopicBoot)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating %s: %w", schemas.TopicBoot, err)
	}
	value, err := json.Marshal(b.boot)
	if err != nil {
		return err
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: schemas.TopicBoot, Key: []byte("boot"), Value: value}).FirstErr(); err != nil {
		return fmt.Errorf("writing %s: %w", schemas.TopicBoot, err)
	}
	return nil
}

// endTransactions ends, at a clean boot, what the broker would go on with, and the
// producers of other boots: a pipeline that outlived the broker must notice, since
// what it keeps against torn commits bears the number of its boot.
func (b *Broker) endTransactions(ctx context.Context, cl *kgo.Client) error {
	txns, err := kadm.NewClient(cl).ListTransactions(ctx, nil, nil)
	if err != nil {
		return fmt.Errorf("listing transactions: %w", err)
	}
	for _, t := range txns.Sorted() {
		if t.State != "Ongoing" && !ofAnotherBoot(t.TxnID, b.boot.Boot) {
			continue
		}
		if err := endProducer(ctx, cl, t.TxnID); err != nil {
			return err
		}
	}
	return nil
}

// closeTransactions ends, by abort markers, what producers of an earlier boot left
// open: the broker itself forgets that it was open and would show its records with
// the next commit of the same producer.
func closeTransactions(ctx context.Context, cl *kgo.Client) error {
	adm := kadm.NewClient(cl)
	txns, err := adm.ListTransactions(ctx, nil, nil)
	if err != nil {
		return fmt.Errorf("listing transactions: %w", err)
	}
	topics, err := adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return fmt.Errorf("listing topics: %w", err)
	}
	all := make(kadm.TopicsSet)
	for _, t := range topics {
		// Nobody writes these in transactions, and their readers wait for the last
		// record: a marker at the end is one that they never see.
		if t.Topic == registry.SchemasTopic || t.Topic == schemas.TopicBoot {
			continue
		}
		for p := range t.Partitions {
			all.Add(t.Topic, p)
		}
	}
	for _, t := range txns.Sorted() {
		if err := endProducer(ctx, cl, t.TxnID); err != nil {
			return err
		}
		rs, err := adm.WriteTxnMarkers(ctx, kadm.TxnMarkers{ProducerID: t.ProducerID, ProducerEpoch: 0, Commit: false, Topics: all})
		if err != nil {
			return fmt.Errorf("closing transaction %s: %w", t.TxnID, err)
		}
		for _, r := range rs {
			for _, rt := range r.Topics {
				for _, rp := range rt.Partitions {
					if rp.Err != nil {
						return fmt.Errorf("closing transaction %s on %s-%d: %w", t.TxnID, rp.Topic, rp.Partition, rp.Err)
					}
				}
			}
		}
	}
	return nil
}

// endProducer aborts what a producer has open and moves its epoch on: one that
// outlived the broker must not go on in the middle of a transaction.
func endProducer(ctx context.Context, cl *kgo.Client, txnID string) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &txnID, 10_000
	resp, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("fencing the producer of transaction %s: %w", txnID, err)
	}
	return nil
}

// ofAnotherBoot reports whether a transactional id is one that a pipeline made for
// another boot: "crmstream-INSTANCE-bBOOT".
func ofAnotherBoot(txnID string, boot int64) bool {
	i := strings.LastIndex(txnID, "-b")
	if i < 0 || !strings.HasPrefix(txnID, "crmstream-") {
		return false
	}
	of, err := strconv.ParseInt(txnID[i+2:], 10, 64)
	return err == nil && of != boot
}
