package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
	"github.com/crmstream/crmstream/state/mem"
)

// ReplayConfig says what is replayed.
type ReplayConfig struct {
	Brokers    []string
	Opts       []kgo.Opt // further options of the Kafka clients
	Codec      Codec
	Task       pipeline.Task
	Partitions int32   // N of all topics
	Only       []int32 // these partitions; empty = all
}

// ReplayReport says what came of a replay.
type ReplayReport struct {
	Transactions int64        `json:"transactions"` // run again
	Records      int64        `json:"records"`      // input records applied in them
	Differences  []Difference `json:"differences"`  // at most 100 a partition
}

// Difference is one place where a replay came out otherwise than the run.
type Difference struct {
	Partition int32  `json:"partition"`
	Sequence  int64  `json:"sequence"` // of the transaction; 0 = the final state
	What      string `json:"what"`
}

// String names the place and what differs there.
func (d Difference) String() string {
	if d.Sequence == 0 {
		return fmt.Sprintf("partition %d, state at the end: %s", d.Partition, d.What)
	}
	return fmt.Sprintf("partition %d, transaction %d: %s", d.Partition, d.Sequence, d.What)
}

// maxDifferences bounds what is told of a partition: after the first, most follow
// from it.
const maxDifferences = 100

// maxRounds is how often Replay runs after a partition that goes on meanwhile.
const maxRounds = 5

// ErrNotReplayable is wrapped where the journal or its inputs are not whole any
// more, were made by another version of the rules, or grow faster than they are
// replayed.
var ErrNotReplayable = errors.New("cannot be replayed")

// Replay runs the journal of each partition again from its beginning, into memory,
// and compares the hash of each transaction and the final state with what the run
// itself wrote (P9). It reads only, and holds one partition's state in memory; ctx
// bounds it.
func Replay(ctx context.Context, cfg ReplayConfig) (*ReplayReport, error) {
	r := &Runner{cfg: Config{Brokers: cfg.Brokers, Opts: cfg.Opts, Codec: cfg.Codec, Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
	cl, err := kgo.NewClient(r.clientOpts()...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	defer cl.Close()
	partitions := cfg.Only
	if len(partitions) == 0 {
		for p := range cfg.Partitions {
			partitions = append(partitions, p)
		}
	}
	report := &ReplayReport{Differences: []Difference{}}
	for _, n := range partitions {
		p := &replayer{r: r, cfg: cfg, adm: kadm.NewClient(cl), partition: n, store: mem.New().Store(n),
			pos: &positions{Next: make(map[string]int64)}, readers: make(map[string]*rangeReader)}
		err := p.run(ctx)
		p.close()
		report.Transactions += p.transactions
		report.Records += p.records
		report.Differences = append(report.Differences, p.differences...)
		if err != nil {
			return report, fmt.Errorf("replaying partition %d: %w", n, err)
		}
	}
	return report, nil
}

type replayer struct {
	r         *Runner
	cfg       ReplayConfig
	adm       *kadm.Client
	partition int32
	store     state.Store
	pos       *positions
	readers   map[string]*rangeReader

	transactions, records int64
	differences           []Difference
}

func (p *replayer) close() {
	for _, rd := range p.readers {
		rd.cl.Close()
	}
}

func (p *replayer) differ(sequence int64, format string, args ...any) {
	if len(p.differences) < maxDifferences {
		p.differences = append(p.differences, Difference{p.partition, sequence, fmt.Sprintf(format, args...)})
	}
}

func (p *replayer) run(ctx context.Context) error {
	for range maxRounds {
		if err := p.follow(ctx); err != nil {
			return err
		}
		if done, err := p.compare(ctx); err != nil || done {
			return err
		}
		for topic, rd := range p.readers {
			_, end, err := bounds(ctx, p.adm, topic, p.partition)
			if err != nil {
				return err
			}
			rd.end = end
		}
	}
	return fmt.Errorf("%w: the partition goes on while it is replayed: stop the pipeline first", ErrNotReplayable)
}

// follow runs all transactions that the journal has. After an unclean end of the
// embedded broker a sequence can stand there twice: either the same entry again, or
// first one whose changelog was lost; so an entry is run once the next one is seen.
func (p *replayer) follow(ctx context.Context) error {
	journal, err := p.reader(ctx, schemas.TopicJournal)
	if err != nil {
		return err
	}
	var waiting *schemas.JournalEntry
	for {
		rec, err := journal.next(ctx)
		if err != nil {
			return err
		}
		var entry *schemas.JournalEntry
		if rec != nil {
			v, err := p.cfg.Codec.Decode(ctx, schemas.TopicJournal, rec.Value)
			if err != nil {
				return fmt.Errorf("decoding the journal's record @%d: %w", rec.Offset, err)
			}
			var ok bool
			if entry, ok = v.(*schemas.JournalEntry); !ok {
				return fmt.Errorf("the journal's record @%d is a %T", rec.Offset, v)
			}
			if entry.Sequence <= p.pos.Sequence || waiting != nil && entry.Sequence < waiting.Sequence {
				continue // a repeat
			}
		}
		if waiting != nil && (entry == nil || entry.Sequence > waiting.Sequence) {
			if err := p.again(ctx, waiting); err != nil {
				return fmt.Errorf("transaction %d: %w", waiting.Sequence, err)
			}
		}
		if entry == nil {
			return nil
		}
		switch {
		case entry.Sequence != p.pos.Sequence+1:
			return fmt.Errorf("%w: sequence %d follows %d in the journal", ErrNotReplayable, entry.Sequence, p.pos.Sequence)
		case entry.CodeVersion != pipeline.Version:
			return fmt.Errorf("%w: transaction %d was made by version %s of the rules, this is %s", ErrNotReplayable, entry.Sequence, entry.CodeVersion, pipeline.Version)
		}
		waiting = entry
	}
}

// again runs one transaction. A timer fires in it only if one fired in the run.
func (p *replayer) again(ctx context.Context, entry *schemas.JournalEntry) error {
	b := &batch{partition: p.partition, n: p.cfg.Partitions, task: p.cfg.Task, codec: p.cfg.Codec, now: entry.At, resume: entry.Resumed, ticks: entry.Timers > 0}
	for _, rng := range entry.Inputs {
		rd, err := p.reader(ctx, rng.Topic)
		if err != nil {
			return err
		}
		recs, err := rd.read(ctx, rng.First, rng.Next)
		if err != nil {
			return err
		}
		for _, rec := range recs {
			in, err := judge(ctx, p.cfg.Codec, p.cfg.Partitions, rec)
			if err != nil {
				return err
			}
			b.inputs = append(b.inputs, in)
		}
	}
	for _, i := range entry.Isolated {
		if i.Reason == schemas.ReasonProcessKiller {
			b.killer = i.Topic + "-" + strconv.Itoa(int(p.partition)) + "@" + strconv.FormatInt(i.Offset, 10)
		}
	}
	if err := b.run(p.store, p.pos); err != nil {
		return err
	}
	if b.journal.Timers != entry.Timers {
		p.differ(entry.Sequence, "%d timers fired, %d in the run", b.journal.Timers, entry.Timers)
	}
	if !bytes.Equal(b.journal.OutputHash, entry.OutputHash) {
		p.differ(entry.Sequence, "its outputs or state are not the run's")
	}
	if err := p.store.Apply(b.writes, state.Watermark{Next: entry.Sequence}); err != nil {
		return err
	}
	p.pos = b.pos
	p.transactions++
	p.records += int64(len(b.inputs))
	return nil
}

// compare holds the replayed state against the changelog's; done is false where the
// changelog has gone on.
func (p *replayer) compare(ctx context.Context) (done bool, err error) {
	start, end, err := bounds(ctx, p.adm, schemas.TopicChangelog, p.partition)
	if err != nil {
		return false, err
	}
	logged := mem.New().Store(p.partition)
	if _, err := p.r.copyChangelog(ctx, logged, &state.Watermark{Next: start}, p.partition, end, func(int64) {}); err != nil {
		return false, err
	}
	pos, err := readPositions(logged, p.partition)
	if err != nil {
		return false, err
	}
	if pos.Sequence > p.pos.Sequence {
		return false, nil
	}
	each := func(a, b state.Reader, where string, values bool) error {
		return a.Scan(state.PartitionPrefix(p.partition), state.Key{}, func(k state.Key, v []byte) (bool, error) {
			if isTorn(k) {
				return true, nil
			}
			w, ok, err := b.Get(k)
			switch {
			case err != nil:
				return false, err
			case !ok:
				p.differ(0, "the key %q is in %s only", k.String(), where)
			case values && !bytes.Equal(v, w):
				p.differ(0, "the value of key %q is not the run's", k.String())
			}
			return true, nil
		})
	}
	if err := each(p.store, logged, "the replay", true); err != nil {
		return false, err
	}
	return true, each(logged, p.store, "the changelog", false)
}

func (p *replayer) reader(ctx context.Context, topic string) (*rangeReader, error) {
	if rd := p.readers[topic]; rd != nil {
		return rd, nil
	}
	start, end, err := bounds(ctx, p.adm, topic, p.partition)
	if err != nil {
		return nil, err
	}
	rd, err := p.r.openRange(topic, p.partition, start, end)
	if err != nil {
		return nil, err
	}
	p.readers[topic] = rd
	return rd, nil
}
