package run

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// maxTicks is the most timers that one transaction of one partition fires.
const maxTicks = 1000

// sourceHeader stands on each append-only output: the input that caused it and a
// number. A reader that has seen it drops the repeat that an unclean end of the
// embedded broker can cause.
const sourceHeader = "crmstream.source"

// produced is one record to produce, encoded.
type produced struct {
	topic     string
	partition int32
	key       []byte
	value     []byte // nil = tombstone
	headers   []schemas.Header
}

func (p *produced) record() *kgo.Record {
	rec := &kgo.Record{Topic: p.topic, Partition: p.partition, Key: p.key, Value: p.value}
	for _, h := range p.headers {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return rec
}

// batch is one transaction of one partition: what goes in, then what came out. Run
// and replay share it (P9).
type batch struct {
	partition int32
	n         int32 // partitions of each topic
	task      pipeline.Task
	codec     Codec
	now       int64
	began     time.Time // when now was taken
	inputs    []*input  // sorted
	ticks     bool      // timers may fire
	resume    bool

	tx        *pipeline.Tx
	out       []produced
	writes    []state.Write
	pos       *positions
	journal   *schemas.JournalEntry
	forwarded int
	repeats   int          // records of the entry topic that were forwarded before
	chunks    int          // of the outputs that are kept in state
	stored    atomic.Int64 // offset after the last of its changelog records
	failed    error        // what run returned
	alone     bool         // one record at a time, as the transaction ended the process before
	killer    string       // place of a record that is not to be run
	buf       []byte
}

// run applies everything. An error means that state can't be read or written as it
// must: the partition stops.
func (b *batch) run(base state.Reader, pos *positions) error {
	b.pos = pos.clone()
	b.now = max(b.now, pos.Now)
	b.tx = pipeline.NewTx(b.partition, b.now, base)
	b.tx.Check = b.fits
	b.out = make([]produced, 0, 2*len(b.inputs))
	b.journal = &schemas.JournalEntry{Sequence: pos.Sequence + 1, At: b.now, CodeVersion: pipeline.Version, Resumed: b.resume}
	if b.resume {
		if err := b.step(b.source("resume"), nil, func() error { return b.task.Resume(b.tx) }); err != nil {
			return err
		}
	}
	for _, in := range b.inputs {
		if in.Offset < b.pos.Next[in.readFrom()] {
			continue // polled again: state has it already
		}
		if err := b.apply(in); err != nil {
			return err
		}
		b.note(in)
	}
	if b.ticks {
		if err := b.fire(); err != nil {
			return err
		}
	}
	b.pos.Sequence, b.pos.Now = b.journal.Sequence, b.now
	b.tx.Store.Put(positionsKey(b.partition), b.pos.marshal())
	b.writes = b.tx.Store.Writes()
	b.journal.OutputHash = b.hash()
	return nil
}

// note moves the position and writes the record into the journal's ranges.
func (b *batch) note(in *input) {
	from := in.readFrom()
	b.pos.Next[from] = in.Offset + 1
	if k := len(b.journal.Inputs) - 1; k >= 0 && b.journal.Inputs[k].Topic == from {
		b.journal.Inputs[k].Next = in.Offset + 1
		return
	}
	b.journal.Inputs = append(b.journal.Inputs, schemas.InputRange{Topic: from, First: in.Offset, Next: in.Offset + 1})
}

func (b *batch) apply(in *input) error {
	switch {
	case b.quarantined(in):
		return b.isolate(in, schemas.ReasonProcessKiller, killed)
	case in.reason != "":
		return b.isolate(in, in.reason, in.detail)
	case in.forward:
		b.forward(in)
		return nil
	}
	if in.Via == schemas.TopicEntry {
		fresh, err := b.admit(in)
		if err != nil || !fresh {
			return err
		}
	}
	return b.step(source(in), in, func() error { return b.task.Step(b.tx, &in.Record) })
}

func source(in *input) string {
	return in.readFrom() + "-" + strconv.Itoa(int(in.Partition)) + "@" + strconv.FormatInt(in.Offset, 10)
}

// step runs one unit of work that can be taken back alone (P5): a rejection, a
// panic or something too large takes back what it did and leaves a dead letter.
func (b *batch) step(src string, in *input, work func() error) error {
	mark, outs := b.tx.Mark(), len(b.out)
	err := guarded(work)
	if err == nil {
		err = b.encode(src, mark)
	}
	if err == nil {
		return nil
	}
	var reject *pipeline.Reject
	if !errors.As(err, &reject) {
		return fmt.Errorf("applying %s: %w", src, err)
	}
	b.tx.Rollback(mark)
	b.out = b.out[:outs]
	if in == nil {
		return fmt.Errorf("applying %s: %w", src, err)
	}
	return b.isolate(in, reject.Reason, reject.Detail)
}

// guarded turns a panic into a rejection with the place of the panic.
func guarded(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = pipeline.Rejectf(schemas.ReasonPanic, "%v at %s", p, place(debug.Stack()))
		}
	}()
	return work()
}

// encode encodes what was emitted since the mark, and checks sizes.
func (b *batch) encode(src string, mark pipeline.Mark) error {
	outs := b.tx.TakeOutputs(mark)
	for i := range outs {
		o := &outs[i]
		if err := b.encodeOne(o); err != nil {
			return err
		}
		p := produced{topic: o.Topic, partition: b.partition, key: []byte(o.Key)}
		if o.Value != nil {
			p.value = append(make([]byte, 0, len(b.buf)), b.buf...)
		}
		if t, _ := schemas.TopicByName(o.Topic); !t.Compact {
			p.headers = []schemas.Header{{Key: sourceHeader, Value: []byte(src + "#" + strconv.Itoa(i))}}
		}
		b.out = append(b.out, p)
	}
	return b.stateFits(mark)
}

// source names what has no place on a topic, by its transaction. The time tells a
// transaction from one that was lost after a part of its outputs had been shown: what
// comes of the other is no repeat.
func (b *batch) source(what string) string {
	return what + "-" + strconv.Itoa(int(b.partition)) + "@" + strconv.FormatInt(b.journal.Sequence, 10) + "/" + strconv.FormatInt(b.now, 10)
}

// fits is encode without keeping anything: a task asks where it can give up a part of
// a record alone.
func (b *batch) fits(mark pipeline.Mark) error {
	outs := b.tx.OutputsSince(mark)
	for i := range outs {
		if err := b.encodeOne(&outs[i]); err != nil {
			return err
		}
	}
	return b.stateFits(mark)
}

// encodeOne encodes an output's value into the buffer.
func (b *batch) encodeOne(o *pipeline.Output) (err error) {
	b.buf = b.buf[:0]
	if o.Value != nil {
		if b.buf, err = b.codec.Append(b.buf, o.Topic, o.Value); err != nil {
			return pipeline.Rejectf(schemas.ReasonInvalid, "its output can't be encoded: %v", err)
		}
	}
	if size := len(o.Key) + len(b.buf); size > schemas.RecordLimit {
		return pipeline.Rejectf(schemas.ReasonTooLarge, "its output for %s has %d bytes, at most %d fit", o.Topic, size, schemas.RecordLimit)
	}
	return nil
}

// stateFits checks the values written since the mark.
func (b *batch) stateFits(mark pipeline.Mark) (err error) {
	b.tx.Store.Touched(mark.Store(), func(k state.Key, v []byte) {
		if size := len(k.String()) + len(v); size > schemas.RecordLimit && err == nil {
			err = pipeline.Rejectf(schemas.ReasonTooLarge, "its state has %d bytes, at most %d fit", size, schemas.RecordLimit)
		}
	})
	return err
}

// isolate dead-letters one record.
func (b *batch) isolate(in *input, reason, detail string) error {
	d := &schemas.DeadLetter{
		Tenant: in.Tenant, Reason: reason, Message: detail, Topic: in.readFrom(), Partition: in.Partition, Offset: in.Offset,
		Key: in.Key, Value: in.Value, Headers: in.Headers, At: b.now,
	}
	d.Message = strings.ToValidUTF8(d.Message[:min(len(d.Message), 8<<10)], "")
	if size := in.size(); size > schemas.RecordLimit-(64<<10) {
		d.Message += fmt.Sprintf(" (its %d bytes are not repeated here)", size)
		d.Key, d.Value, d.Headers = head(d.Key, 1<<10), head(d.Value, 1<<10), nil
	}
	mark, outs := b.tx.Mark(), len(b.out)
	b.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
	if err := b.encode(source(in), mark); err != nil {
		b.tx.Rollback(mark)
		b.out = b.out[:outs]
		return fmt.Errorf("dead-lettering %s: %w", source(in), err)
	}
	b.journal.Isolated = append(b.journal.Isolated, schemas.IsolatedItem{Topic: in.readFrom(), Offset: in.Offset, Reason: reason})
	return nil
}

func head(b []byte, n int) []byte { return b[:min(len(b), n)] }

// forward sends a record that stands in a foreign partition to the right one, in
// this transaction.
func (b *batch) forward(in *input) {
	headers := append([]schemas.Header(nil), in.Headers...)
	headers = append(headers, schemas.Header{Key: originHeader, Value: []byte(in.Topic + "/" + strconv.Itoa(int(in.Partition)) + "/" + strconv.FormatInt(in.Offset, 10))})
	b.out = append(b.out, produced{topic: schemas.TopicEntry, partition: schemas.PartitionOf(in.Tenant, b.n), key: in.Key, value: in.Value, headers: headers})
	b.forwarded++
}

// admit says whether a forwarded record is new: the highest offset of each place
// that it may come from is remembered.
func (b *batch) admit(in *input) (bool, error) {
	k := state.System(b.partition, pipeline.SysShell, "entry/"+in.originTopic+"/"+strconv.Itoa(int(in.originPartition)))
	v, ok, err := b.tx.Store.Get(k)
	if err != nil {
		return false, fmt.Errorf("applying %s: %w", source(in), err)
	}
	if ok && len(v) == 9 && int64(binary.BigEndian.Uint64(v[1:])) > in.originOffset {
		b.repeats++
		return false, nil
	}
	b.tx.Store.Put(k, binary.BigEndian.AppendUint64([]byte{1}, uint64(in.originOffset+1)))
	return true, nil
}

// fire fires what is due, in order of (due, key), last of all.
func (b *batch) fire() error {
	for range maxTicks {
		tm, ok, err := pipeline.NextTimer(b.tx.Store, b.partition)
		if err != nil {
			return err
		}
		if !ok || tm.Due > b.now {
			return nil
		}
		b.tx.Cancel(tm)
		src := b.source("timer") + "." + strconv.Itoa(int(b.journal.Timers))
		var reject *pipeline.Reject
		err = b.step(src, nil, func() error { return b.task.Tick(b.tx, tm) })
		switch {
		case errors.As(err, &reject):
			if err := b.postpone(tm, src, reject); err != nil {
				return err
			}
		case err != nil:
			return err
		}
		b.journal.Timers++
	}
	return nil
}

// postponed is how long a timer waits that could not be carried out.
const postponed = 10 * time.Minute

// postpone sets a timer that was rejected back, and says so in a dead letter: what
// waits for it goes on once the rule is mended, and all others go on now (P5, P8).
func (b *batch) postpone(tm pipeline.Timer, src string, why *pipeline.Reject) error {
	again := tm
	again.Due = b.now + postponed.Milliseconds()
	b.tx.Schedule(again)
	d := &schemas.DeadLetter{Tenant: tm.Tenant, Reason: why.Reason, Message: "a timer, which is tried again later: " + why.Detail,
		RecordKey: timerKey(tm), Partition: b.partition, At: b.now}
	mark := b.tx.Mark()
	b.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
	if err := b.encode(src, mark); err != nil {
		return fmt.Errorf("dead-lettering %s: %w", src, err)
	}
	b.journal.Isolated = append(b.journal.Isolated, schemas.IsolatedItem{Topic: "timer", Offset: int64(b.journal.Timers), Reason: why.Reason})
	return nil
}

// timerKey names a timer on the dead letters: by a hash, as its id may be a number that
// somebody has.
func timerKey(tm pipeline.Timer) string {
	sum := sha256.Sum256([]byte(tm.ID))
	return "timer/" + strconv.Itoa(int(tm.Kind)) + "/" + hex.EncodeToString(sum[:8])
}

// hash is over everything that the transaction produces but the journal itself.
func (b *batch) hash() []byte {
	h := sha256.New()
	for i := range b.out {
		p := &b.out[i]
		b.buf = hashPart(h, b.buf, p.topic, true)
		b.buf = hashPart(h, b.buf, p.key, p.key != nil)
		b.buf = hashPart(h, b.buf, p.value, p.value != nil)
	}
	for i := range b.writes {
		w := &b.writes[i]
		b.buf = hashPart(h, b.buf, w.Key.String(), true)
		b.buf = hashPart(h, b.buf, w.Value, w.Value != nil)
	}
	return h.Sum(nil)
}

// hashPart adds the length + 1 and the bytes, or a length of 0 for what is not there.
// It returns the buffer, for the next part.
func hashPart[T string | []byte](h hash.Hash, buf []byte, part T, there bool) []byte {
	n := uint64(0)
	if there {
		n = uint64(len(part)) + 1
	}
	buf = append(binary.BigEndian.AppendUint64(buf[:0], n), part...)
	h.Write(buf)
	return buf
}
