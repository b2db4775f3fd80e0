package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// Codec encodes and decodes records; *registry.Codec is one.
type Codec interface {
	Append(dst []byte, topic string, v any) ([]byte, error)
	Decode(ctx context.Context, topic string, b []byte) (any, error)
}

// Config is what a Host is made of.
type Config struct {
	Providers []connectors.Provider
	Env       connectors.Env
	Brokers   []string
	Opts      []kgo.Opt // further options of its Kafka clients
	Codec     Codec
	// Partitions is N of all topics.
	Partitions int32
	// PublicURL is the address under which CRMs reach the webhook handler, as they were
	// given it: scheme, host, a port where it is not the scheme's own, and the path that
	// a proxy takes away, if one does. Signatures cover it; what a request says of its
	// host and scheme is never used.
	PublicURL string
	// WebhookSecret returns the secret of an app; ErrUnknownApp if there is none.
	WebhookSecret func(ctx context.Context, provider, app string) (string, error)
	Log           *slog.Logger
	Metrics       prometheus.Registerer // nil = none
}

// ErrUnknownApp is returned by Config.WebhookSecret for an app that is not
// configured.
var ErrUnknownApp = errors.New("no such app")

// Host carries out effects. It implements pipeline.Effects.
type Host struct {
	cfg       Config
	providers map[string]connectors.Provider
	producer  *kgo.Client
	metrics   *metrics
	directory *directory

	ctx    context.Context // of everything that runs; ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	accounts map[accountKey]*account
	owned    map[int32]bool
}

type accountKey struct {
	partition int32
	tenant    string
	provider  string
}

var _ pipeline.Effects = (*Host)(nil)

// New returns a Host. Close ends it.
func New(cfg Config) (*Host, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.PublicURL = strings.TrimSuffix(cfg.PublicURL, "/")
	if cfg.Env.Now == nil {
		cfg.Env.Now = time.Now
	}
	if cfg.Env.Log == nil {
		cfg.Env.Log = cfg.Log
	}
	opts := append([]kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...), kgo.ClientID("crmstream-host"), kgo.ProducerLinger(0), kgo.MetadataMinAge(250 * time.Millisecond), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(schemas.RecordLimit + (64 << 10)), kgo.MaxBufferedRecords(1 << 17),
	}, cfg.Opts...)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	h := &Host{cfg: cfg, providers: make(map[string]connectors.Provider), producer: cl, metrics: newMetrics(cfg.Metrics),
		accounts: make(map[accountKey]*account), owned: make(map[int32]bool)}
	for _, p := range cfg.Providers {
		h.providers[p.Name()] = p
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.directory = newDirectory(h)
	return h, nil
}

// Close ends streams, waits for requests on their way for at most ctx, and flushes
// their answers.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	for p := range h.owned {
		delete(h.owned, p)
	}
	for k, a := range h.accounts {
		a.stop(moved)
		delete(h.accounts, k)
	}
	h.mu.Unlock()
	done := make(chan struct{})
	go func() {
		h.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		h.cancel()
		<-done
	}
	h.cancel()
	err := h.producer.Flush(ctx)
	h.producer.Close()
	if err != nil {
		return fmt.Errorf("flushing results: %w", err)
	}
	return nil
}

// Own implements pipeline.Effects.
func (h *Host) Own(partition int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.owned[partition] = true
}

// Disown implements pipeline.Effects. Once it returns, nothing of the partition
// leaves that had not begun to.
func (h *Host) Disown(partition int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.owned, partition)
	for k, a := range h.accounts {
		if k.partition == partition {
			a.stop(moved)
			delete(h.accounts, k)
		}
	}
}

// Do implements pipeline.Effects.
func (h *Host) Do(partition int32, effects []pipeline.Effect) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.owned[partition] {
		return
	}
	for _, e := range effects {
		switch e := e.(type) {
		case pipeline.Watch:
			h.watch(partition, e)
		case pipeline.Unwatch:
			k := accountKey{partition, e.Tenant, e.Provider}
			if a := h.accounts[k]; a != nil {
				a.stop(removed)
				delete(h.accounts, k)
			}
		case pipeline.Start:
			k := accountKey{partition, e.Attempt.Tenant, e.Attempt.Provider}
			h.start(h.accounts[k], partition, e.Attempt)
		}
	}
}

// start runs one attempt on a goroutine of its own; deliver caps how many are open.
func (h *Host) start(a *account, partition int32, at *schemas.Attempt) {
	now := time.Now() // monotonic: a clock that is set does not move the limits
	leave := now.Add(time.Duration(at.LeaveBy-at.DecidedAt) * time.Millisecond)
	over := now.Add(time.Duration(at.OverBy-at.DecidedAt) * time.Millisecond)
	h.metrics.attempts.WithLabelValues(at.Provider, at.Kind).Inc()
	h.wg.Add(1)
	go func() {
		defer h.wg.Done()
		ctx, cancel := context.WithDeadline(h.ctx, over)
		defer cancel()
		var ans connectors.Answer
		if a == nil {
			ans.Result = aborted(at, removed)
		} else {
			ans = a.do(ctx, at, leave)
		}
		h.metrics.seconds.WithLabelValues(at.Provider, at.Kind).Observe(time.Since(now).Seconds())
		if ans.Result.Error != "" {
			h.metrics.failures.WithLabelValues(at.Provider, ans.Result.Error).Inc()
		}
		h.finish(partition, at, ans)
	}()
}

// finish produces the marker of a page after its records, then the result.
func (h *Host) finish(partition int32, at *schemas.Attempt, ans connectors.Answer) {
	r := &ans.Result
	r.AttemptID, r.Provider, r.Account, r.Kind, r.Object = at.ID, at.Provider, at.Account, at.Kind, at.Object
	if r.FinishedAt == 0 {
		r.FinishedAt = h.cfg.Env.Now().UnixMilli()
	}
	if ans.Page != nil && at.Page != nil && r.Error == "" {
		m := &schemas.CRMChange{Provider: at.Provider, Account: at.Account, Object: at.Object, ObservedAt: r.FinishedAt,
			PageEnd: &schemas.PageMarker{Source: at.Page.Source, From: at.Page.Cursor, To: ans.Page.Next, AttemptID: at.ID, Last: ans.Page.Last}}
		var marker reading
		err := h.produce(h.ctx, partition, schemas.TopicCRMChanges, at.Tenant+"/"+at.Provider+"/~cursor", m, marker.add())
		if err == nil {
			err = marker.wait(h.ctx)
		}
		if err != nil {
			h.cfg.Log.Error("producing a page marker", "attempt", at.ID, "why", err)
			return // without marker and result the attempt expires and the page is read again
		}
	}
	if err := h.produce(h.ctx, partition, schemas.TopicCRMResults, at.Tenant+"/"+at.ID, r, nil); err != nil {
		h.cfg.Log.Error("producing a result", "attempt", at.ID, "why", err)
	}
}

var errTooLarge = errors.New("the record is too large")

// produce sends one record, in the order of its partition. done, if there is one, is
// called with what became of it unless an error is returned; a failure without done
// is logged: what it answered expires and is tried again.
func (h *Host) produce(ctx context.Context, partition int32, topic, key string, v any, done func(error)) error {
	value, err := h.cfg.Codec.Append(nil, topic, v)
	if err != nil {
		return err
	}
	if len(key)+len(value) > schemas.RecordLimit {
		return fmt.Errorf("%w: a record for %s has %d bytes, at most %d fit", errTooLarge, topic, len(key)+len(value), schemas.RecordLimit)
	}
	rec := &kgo.Record{Topic: topic, Partition: partition, Key: []byte(key), Value: value}
	h.producer.Produce(ctx, rec, func(_ *kgo.Record, err error) {
		if done != nil {
			done(err)
			return
		}
		if err != nil && ctx.Err() == nil {
			h.cfg.Log.Error("producing", "topic", topic, "key", key, "why", err)
		}
	})
	return nil
}

// aborted is the result of an attempt that never left.
func aborted(at *schemas.Attempt, e ending) schemas.AttemptResult {
	r := unsent(at, schemas.NotSent, schemas.ErrAborted, e.why)
	r.Code = e.code
	for i := range r.Items {
		r.Items[i].Code = e.code
	}
	return r
}

func unsent(at *schemas.Attempt, outcome, class, why string) schemas.AttemptResult {
	r := schemas.AttemptResult{Error: class, Message: why}
	for _, it := range at.Items {
		r.Items = append(r.Items, schemas.ItemResult{Key: it.Key, Outcome: outcome, ID: it.ID, Error: class, Message: why})
	}
	return r
}
