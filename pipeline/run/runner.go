package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sort"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// Config is what a Runner is made of.
type Config struct {
	Brokers []string
	// Opts are further options of every Kafka client: TLS, SASL, a dialer.
	Opts []kgo.Opt
	// Group is the consumer group; "" = "crmstream".
	Group string
	// Instance is unique among the group's processes and stable over restarts of one:
	// the transactional id is made of it, and, with Static, the member id.
	Instance string
	// Static keeps partitions for Session over a restart, without a rebalance.
	Static bool
	// Session is how long a silent member keeps its partitions; 0 = 6 s.
	Session time.Duration
	// Partitions is N of all topics.
	Partitions int32
	Codec      Codec
	Task       pipeline.Task
	Effects    pipeline.Effects
	DB         state.DB
	// RefuseForeignState makes state of another cluster an error instead of something
	// to be restored anew.
	RefuseForeignState bool
	// Dir is where the process notes what it is at work on, to find records that end it
	// in a way that cannot be caught; "" = nowhere.
	Dir string
	// StopWithin is how long Run goes on, at most, once its context has ended: a broker
	// that is away must not keep the process; 0 = 15 s.
	StopWithin time.Duration
	// MaxRecords bounds one transaction; 0 = 10,000 for each core, of up to four.
	MaxRecords int
	// Now is the clock; nil = time.Now.
	Now     func() time.Time
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil = none
}

// Runner runs a task as one member of a group.
type Runner struct {
	cfg     Config
	metrics *metrics

	mu        sync.Mutex
	owned     map[int32]*owned // what the loop may touch
	refused   map[int32]error  // what is held and left out
	wall      *sharedClock
	killers   *killers
	restoring map[int32]Restoring
	stats     Status
	lease     *lease                // of the session under way
	stores    map[int32]*sync.Mutex // of which each is written by one at a time
}

// ErrRefused is wrapped by the error of Run where going on would do harm: a person
// must look.
var ErrRefused = errors.New("refused")

// New returns a Runner; Run starts it.
func New(cfg Config) (*Runner, error) {
	switch {
	case len(cfg.Brokers) == 0:
		return nil, errors.New("no brokers")
	case cfg.Instance == "":
		return nil, errors.New("no instance id")
	case cfg.Partitions < 1:
		return nil, errors.New("the number of partitions is not known")
	}
	if cfg.Group == "" {
		cfg.Group = "crmstream"
	}
	if cfg.Session == 0 {
		cfg.Session = 6 * time.Second
	}
	if cfg.StopWithin == 0 {
		cfg.StopWithin = 15 * time.Second
	}
	if cfg.MaxRecords == 0 {
		cfg.MaxRecords = 10_000 * min(4, runtime.GOMAXPROCS(0))
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	k, err := openKillers(cfg.Dir)
	if err != nil {
		return nil, err
	}
	r := &Runner{cfg: cfg, killers: k, wall: newSharedClock(cfg.Now, steadyTime, cfg.Log), metrics: newMetrics(cfg.Metrics), owned: make(map[int32]*owned), refused: make(map[int32]error), restoring: make(map[int32]Restoring), stores: make(map[int32]*sync.Mutex)}
	r.stats.Started = cfg.Now().UnixMilli()
	return r, nil
}

func (r *Runner) clientOpts() []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(r.cfg.Brokers...), kgo.ClientID("crmstream"), kgo.ProducerLinger(0),
		// A leader that moved is looked for at once: a transaction has ten seconds.
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(schemas.RecordLimit + (64 << 10)),
		kgo.MaxBufferedRecords(1 << 20),
	}, r.cfg.Opts...)
}

// maxRestarts is how many sessions in a row may fail before Run gives up: the
// supervisor then decides.
const maxRestarts = 60

// Run works until ctx ends, which it does cleanly: the transaction under way is
// finished. A session that fails is followed by a new one, with a new client and a
// growing pause.
func (r *Runner) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, r.killers.close()) }()
	failures := 0
	for {
		began := r.cfg.Now()
		err := r.session(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop: what it cut off is no error
		}
		if errors.Is(err, kerr.FencedInstanceID) {
			return fmt.Errorf("%w: another process has the instance id %s: was its folder copied? Remove the file \"instance\" of one of the two: %w", ErrRefused, r.cfg.Instance, err)
		}
		if errors.Is(err, ErrRefused) {
			return err
		}
		if r.cfg.Now().Sub(began) > time.Minute {
			failures = 0
		}
		failures++
		if failures >= maxRestarts {
			return fmt.Errorf("after %d sessions that failed: %w", failures, err)
		}
		r.metrics.sessions.Inc()
		r.cfg.Log.Warn("session ended, a new one follows", "why", err, "failures", failures)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(time.Duration(failures)*100*time.Millisecond, 3*time.Second)):
		}
	}
}

// Status is what a Runner can say of itself.
type Status struct {
	Partitions    []PartitionStatus `json:"partitions"`
	Refused       []Refusal         `json:"refused,omitempty"`   // partitions that are held and left out
	Restoring     []Restoring       `json:"restoring,omitempty"` // partitions whose changelog is read
	Stalled       []Stall           `json:"stalled,omitempty"`   // input partitions that a foreign transaction holds up
	Session       int64             `json:"session"`             // of how many, since the start
	Started       int64             `json:"started"`             // ms, of the process
	Transactions  int64             `json:"transactions"`
	Records       int64             `json:"records"`
	DeadLetters   int64             `json:"dead_letters"`
	Forwarded     int64             `json:"forwarded"`
	Repeats       int64             `json:"repeats"`       // records that were forwarded twice, and dropped
	RestoredFull  int64             `json:"restored_full"` // partitions read from the changelog's beginning
	RestoredTail  int64             `json:"restored_tail"` // partitions whose store was there, behind or not
	RestoredCount int64             `json:"restored_records"`
	StateAhead    int64             `json:"state_ahead"` // partitions whose state was ahead of the group's offsets
}

// Restoring is a partition whose changelog is read: from Start, up to End, Next is what
// comes now.
type Restoring struct {
	Partition int32 `json:"partition"`
	Start     int64 `json:"start"`
	Next      int64 `json:"next"`
	End       int64 `json:"end"`
}

// Refusal is a partition with which going on would do harm.
type Refusal struct {
	Partition int32  `json:"partition"`
	Why       string `json:"why"`
}

// PartitionStatus is one owned partition.
type PartitionStatus struct {
	Partition int32 `json:"partition"`
	// Assignment counts, within a session, the assignments that brought partitions.
	Assignment uint64           `json:"assignment"`
	Sequence   int64            `json:"sequence"` // of its last transaction
	Next       map[string]int64 `json:"next"`     // next offset of each input topic
	Resumed    bool             `json:"resumed"`
}

// Status returns the present state. It may be called at any time.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Partitions = nil
	if r.lease == nil || r.lease.left() >= 0 { // what runs out is given up at once, by another goroutine
		for p, o := range r.owned {
			s.Partitions = append(s.Partitions, PartitionStatus{p, o.assignment, o.pos.Sequence, o.pos.clone().Next, o.resumed})
		}
	}
	s.Restoring = nil
	for _, at := range r.restoring {
		s.Restoring = append(s.Restoring, at)
	}
	sort.Slice(s.Restoring, func(i, j int) bool { return s.Restoring[i].Partition < s.Restoring[j].Partition })
	s.Refused = nil
	for p, why := range r.refused {
		s.Refused = append(s.Refused, Refusal{p, why.Error()})
	}
	sort.Slice(s.Refused, func(i, j int) bool { return s.Refused[i].Partition < s.Refused[j].Partition })
	sort.Slice(s.Partitions, func(i, j int) bool { return s.Partitions[i].Partition < s.Partitions[j].Partition })
	return s
}

// lockStore takes the store of a partition for writing, and returns what gives it
// back.
func (r *Runner) lockStore(p int32) (unlock func()) {
	r.mu.Lock()
	m := r.stores[p]
	if m == nil {
		m = new(sync.Mutex)
		r.stores[p] = m
	}
	r.mu.Unlock()
	m.Lock()
	return m.Unlock
}
