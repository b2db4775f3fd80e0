package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/state"
)

// Kinds of entries that belong to the partition itself (state.System).
const (
	sysTimer   state.Kind = 't' // due u64 big endian, tenant length u8, tenant, kind u8, id
	sysCounter state.Kind = 'n'
	// SysShell is the shell's own: positions, journal sequence.
	SysShell state.Kind = 's'
)

// Tx is one transaction of one partition, as a task sees it.
type Tx struct {
	Partition int32
	// Now is the transaction's one value of time, in ms: never less than the last
	// transaction's of this partition.
	Now   int64
	Store *state.Overlay
	// Check, where it is set, says whether what was done since a mark can be committed:
	// the shell encodes the outputs, keeps nothing of them, and looks at the sizes of
	// state values. It returns a *Reject where something is too large or cannot be
	// encoded. Unset, as in tests of rules, Fits goes by an estimate.
	Check func(Mark) error

	outputs []Output
	effects []Effect
}

// NewTx returns a transaction above the partition's committed state.
func NewTx(partition int32, now int64, base state.Reader) *Tx {
	return &Tx{Partition: partition, Now: now, Store: state.NewOverlay(base)}
}

// Tenant returns the handle to a tenant's state in this partition.
func (t *Tx) Tenant(name string) state.Tenant { return state.TenantIn(t.Partition, name) }

// Emit adds an output.
func (t *Tx) Emit(topic, key string, value any) {
	t.outputs = append(t.outputs, Output{Topic: topic, Key: key, Value: value})
}

// Do adds an effect.
func (t *Tx) Do(e Effect) { t.effects = append(t.effects, e) }

// Outputs returns what was emitted so far.
func (t *Tx) Outputs() []Output { return t.outputs }

// Effects returns the effects so far.
func (t *Tx) Effects() []Effect { return t.effects }

// NextAttemptID returns a new attempt id: partition-counter.
func (t *Tx) NextAttemptID() (string, error) {
	n, err := t.next("attempt")
	if err != nil {
		return "", err
	}
	return strconv.Itoa(int(t.Partition)) + "-" + strconv.FormatUint(n, 10), nil
}

// NextSequence returns the next number, from 1, of a named counter of the
// partition.
func (t *Tx) NextSequence(name string) (uint64, error) { return t.next("seq/" + name) }

func (t *Tx) next(name string) (uint64, error) {
	k := state.System(t.Partition, sysCounter, name)
	v, ok, err := t.Store.Get(k)
	if err != nil {
		return 0, fmt.Errorf("reading counter %s: %w", name, err)
	}
	n := uint64(1)
	if ok {
		if len(v) != 9 || v[0] != 1 {
			return 0, fmt.Errorf("counter %s: %w", name, ErrCorrupt)
		}
		n = binary.BigEndian.Uint64(v[1:]) + 1
	}
	t.Store.Put(k, binary.BigEndian.AppendUint64([]byte{1}, n))
	return n, nil
}

// ErrCorrupt is wrapped where a state value can't be read back.
var ErrCorrupt = errors.New("state value is corrupt")

// Timer is something that becomes due.
type Timer struct {
	Due    int64 // ms
	Tenant string
	Kind   byte // the task's own number
	ID     string
}

func (tm Timer) key(partition int32) state.Key {
	b := binary.BigEndian.AppendUint64(nil, uint64(tm.Due))
	b = append(b, byte(len(tm.Tenant)))
	b = append(b, tm.Tenant...)
	b = append(b, tm.Kind)
	return state.System(partition, sysTimer, string(b)+tm.ID)
}

// Schedule sets a timer; the same timer set twice is one. A due time in the past
// is due at once, after the inputs of this transaction or in the next.
func (t *Tx) Schedule(tm Timer) {
	if tm.Due < 0 {
		tm.Due = 0
	}
	t.Store.Put(tm.key(t.Partition), []byte{1})
}

// Cancel takes a timer back; one that is not set is none.
func (t *Tx) Cancel(tm Timer) { t.Store.Delete(tm.key(t.Partition)) }

// NextTimer returns the earliest timer of a partition; ok is false if there is
// none.
func NextTimer(r state.Reader, partition int32) (tm Timer, ok bool, err error) {
	prefix := state.System(partition, sysTimer, "")
	err = r.Scan(prefix, state.Key{}, func(k state.Key, _ []byte) (bool, error) {
		id := k.ID()
		if len(id) < 10 || len(id) < 10+int(id[8]) {
			return false, fmt.Errorf("timer %x: %w", id, ErrCorrupt)
		}
		n := int(id[8])
		tm = Timer{
			Due:    int64(binary.BigEndian.Uint64([]byte(id[:8]))),
			Tenant: id[9 : 9+n], Kind: id[9+n], ID: id[10+n:],
		}
		ok = true
		return false, nil
	})
	return tm, ok, err
}

// Mark is a point in a transaction to which Rollback can return.
type Mark struct{ store, outputs, effects int }

// Mark returns the present point: what one record does after it can be taken back
// alone.
func (t *Tx) Mark() Mark { return Mark{t.Store.Savepoint(), len(t.outputs), len(t.effects)} }

// Rollback takes back writes, timers, outputs and effects since the mark.
func (t *Tx) Rollback(m Mark) {
	t.Store.Rollback(m.store)
	clear(t.outputs[m.outputs:])
	t.outputs = t.outputs[:m.outputs]
	clear(t.effects[m.effects:])
	t.effects = t.effects[:m.effects]
}

// OutputsSince returns what was emitted since the mark. The slice is valid until the
// next Emit.
func (t *Tx) OutputsSince(m Mark) []Output { return t.outputs[m.outputs:] }

// Fits reports, as a *Reject, that what was done since the mark is too large to be
// committed. A task that gives up a part of a record alone asks it there: the shell
// looks at the record as a whole only, and would take back all of it (P3, P5).
func (t *Tx) Fits(m Mark) error {
	if t.Check != nil {
		return t.Check(m)
	}
	var err error
	t.Store.Touched(m.store, func(k state.Key, v []byte) {
		if size := len(k.String()) + len(v); size > schemas.RecordLimit && err == nil {
			err = Rejectf(schemas.ReasonTooLarge, "its state has %d bytes, at most %d fit", size, schemas.RecordLimit)
		}
	})
	for i := range t.outputs[m.outputs:] {
		o := &t.outputs[m.outputs+i]
		if size := len(o.Key) + textSize(reflect.ValueOf(o.Value)); size > schemas.RecordLimit && err == nil {
			err = Rejectf(schemas.ReasonTooLarge, "its output for %s has about %d bytes, at most %d fit", o.Topic, size, schemas.RecordLimit)
		}
	}
	return err
}

// textSize is the length of all texts and bytes of an output: nearly all of its
// encoding.
func textSize(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			n = textSize(v.Elem())
		}
	case reflect.String:
		n = v.Len()
	case reflect.Struct:
		for i := range v.NumField() {
			n += textSize(v.Field(i))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Len()
		}
		for i := range v.Len() {
			n += textSize(v.Index(i))
		}
	}
	return n
}

// TakeOutputs returns the outputs since the mark and forgets them: they are encoded
// now. The slice is valid until the next Emit.
func (t *Tx) TakeOutputs(m Mark) []Output {
	outs := t.outputs[m.outputs:]
	t.outputs = t.outputs[:m.outputs]
	return outs
}

// Reject is the error by which a task gives a record up: the shell takes back what
// the record did and dead-letters it with the reason. Any other error of a task
// stops the partition: it means that state can't be read.
type Reject struct {
	Reason string // one of schemas.Reason…
	Detail string // what, where, how to mend; no personal data
}

// Error implements error.
func (r *Reject) Error() string { return r.Reason + ": " + r.Detail }

// Rejectf returns a Reject.
func Rejectf(reason, format string, args ...any) error {
	return &Reject{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// DeadLetterKey returns the key of a dead letter on its topic.
func DeadLetterKey(d *schemas.DeadLetter) string {
	if d.RecordKey != "" {
		return d.Tenant + "/" + d.RecordKey
	}
	return d.Tenant + "/" + d.Topic + "-" + strconv.Itoa(int(d.Partition)) + "@" + strconv.FormatInt(d.Offset, 10)
}

// Store returns the mark's savepoint in the store.
func (m Mark) Store() int { return m.store }
