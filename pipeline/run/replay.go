package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	Opts       []kgo.Opt
	Codec      Codec
	Task       pipeline.Task
	Partition  int32
	Partitions int32 // N of all topics
}

// Difference is one place where a replay came out otherwise than the run.
type Difference struct {
	Sequence int64 // of the transaction; 0 = the final state
	What     string
}

// maxDifferences bounds what Replay returns: after the first, most follow from it.
const maxDifferences = 100

// ErrNotReplayable is wrapped where the journal or its inputs are not whole any
// more, or were made by another version of the rules.
var ErrNotReplayable = errors.New("cannot be replayed")

// Replay runs a partition's journal again from its beginning, into memory, and
// compares each transaction's hash and the final state with what is on Kafka (P9).
// The partition must be quiet meanwhile; ctx bounds the reading.
func Replay(ctx context.Context, cfg ReplayConfig) ([]Difference, error) {
	r := &Runner{cfg: Config{Brokers: cfg.Brokers, Opts: cfg.Opts, Codec: cfg.Codec, Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
	cl, err := kgo.NewClient(r.clientOpts()...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	defer cl.Close()
	p := &replayer{r: r, cfg: cfg, adm: kadm.NewClient(cl), db: mem.New(), readers: make(map[string]*rangeReader)}
	defer p.close()
	err = p.run(ctx)
	return p.differences, err
}

type replayer struct {
	r           *Runner
	cfg         ReplayConfig
	adm         *kadm.Client
	db          state.DB
	readers     map[string]*rangeReader
	differences []Difference
}

func (p *replayer) close() {
	for _, rd := range p.readers {
		rd.cl.Close()
	}
}

func (p *replayer) differ(sequence int64, format string, args ...any) {
	if len(p.differences) < maxDifferences {
		p.differences = append(p.differences, Difference{sequence, fmt.Sprintf(format, args...)})
	}
}

func (p *replayer) run(ctx context.Context) error {
	journal, err := p.reader(ctx, schemas.TopicJournal)
	if err != nil {
		return err
	}
	store := p.db.Store(p.cfg.Partition)
	pos := &positions{Next: make(map[string]int64)}
	for {
		rec, err := journal.next(ctx)
		if err != nil {
			return err
		}
		if rec == nil {
			break
		}
		v, err := p.cfg.Codec.Decode(ctx, schemas.TopicJournal, rec.Value)
		if err != nil {
			return fmt.Errorf("decoding journal record @%d: %w", rec.Offset, err)
		}
		entry, ok := v.(*schemas.JournalEntry)
		switch {
		case !ok:
			return fmt.Errorf("journal record @%d is a %T", rec.Offset, v)
		case entry.Sequence != pos.Sequence+1:
			return fmt.Errorf("%w: sequence %d follows %d in the journal", ErrNotReplayable, entry.Sequence, pos.Sequence)
		case entry.CodeVersion != pipeline.Version:
			return fmt.Errorf("%w: transaction %d was made by version %s of the rules, this is %s", ErrNotReplayable, entry.Sequence, entry.CodeVersion, pipeline.Version)
		}
		if pos, err = p.again(ctx, entry, store, pos); err != nil {
			return fmt.Errorf("replaying transaction %d: %w", entry.Sequence, err)
		}
	}
	return p.compare(ctx, store)
}

// again runs one transaction. A timer fires in it only if one fired in the run.
func (p *replayer) again(ctx context.Context, entry *schemas.JournalEntry, store state.Store, pos *positions) (*positions, error) {
	b := &batch{partition: p.cfg.Partition, n: p.cfg.Partitions, task: p.cfg.Task, codec: p.cfg.Codec, now: entry.At, resume: entry.Resumed, ticks: entry.Timers > 0}
	for _, rng := range entry.Inputs {
		rd, err := p.reader(ctx, rng.Topic)
		if err != nil {
			return nil, err
		}
		recs, err := rd.read(ctx, rng.First, rng.Next)
		if err != nil {
			return nil, err
		}
		for _, rec := range recs {
			in, err := judge(ctx, p.cfg.Codec, p.cfg.Partitions, rec)
			if err != nil {
				return nil, err
			}
			b.inputs = append(b.inputs, in)
		}
	}
	if err := b.run(store, pos); err != nil {
		return nil, err
	}
	if b.journal.Timers != entry.Timers {
		p.differ(entry.Sequence, "%d timers fired, %d in the run", b.journal.Timers, entry.Timers)
	}
	if !bytes.Equal(b.journal.OutputHash, entry.OutputHash) {
		p.differ(entry.Sequence, "other outputs or state than in the run")
	}
	if err := store.Apply(b.writes, state.Watermark{Next: entry.Sequence}); err != nil {
		return nil, err
	}
	return b.pos, nil
}

// compare holds the replayed state against the changelog's.
func (p *replayer) compare(ctx context.Context, store state.Store) error {
	start, end, err := bounds(ctx, p.adm, schemas.TopicChangelog, p.cfg.Partition)
	if err != nil {
		return err
	}
	db := mem.New()
	logged := db.Store(p.cfg.Partition)
	if _, err := p.r.copyChangelog(ctx, logged, &state.Watermark{Next: start}, p.cfg.Partition, end); err != nil {
		return err
	}
	each := func(a, b state.Reader, what string, both bool) error {
		return a.Scan(state.PartitionPrefix(p.cfg.Partition), state.Key{}, func(k state.Key, v []byte) (bool, error) {
			w, ok, err := b.Get(k)
			switch {
			case err != nil:
				return false, err
			case !ok:
				p.differ(0, "key %x is only in %s", k.Bytes(), what)
			case both && !bytes.Equal(v, w):
				p.differ(0, "key %x has other values", k.Bytes())
			}
			return true, nil
		})
	}
	if err := each(store, logged, "the replay", true); err != nil {
		return err
	}
	return each(logged, store, "the changelog", false)
}

func (p *replayer) reader(ctx context.Context, topic string) (*rangeReader, error) {
	if rd := p.readers[topic]; rd != nil {
		return rd, nil
	}
	start, end, err := bounds(ctx, p.adm, topic, p.cfg.Partition)
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(p.r.clientOpts(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p.cfg.Partition: kgo.NewOffset().At(start)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	rd := &rangeReader{cl: cl, topic: topic, at: start, end: end}
	p.readers[topic] = rd
	return rd, nil
}
