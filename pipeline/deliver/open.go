package deliver

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/state"
)

// The open attempts of a partition are counted, and accounts that find no room
// stand in line: what the host takes over has a bound, whatever the tenants do, and
// a place that becomes free goes to who has waited longest (P8).
const (
	sysOpen state.Kind = 'o' // → number of open attempts
	sysLine state.Kind = 'w' // seq u64 → tenant NUL provider
)

func (b *box) openKey() state.Key { return state.System(b.tx.Partition, sysOpen, "") }

func (b *box) open() (int, error) {
	v, ok, err := b.tx.Store.Get(b.openKey())
	if err != nil || !ok {
		return 0, err
	}
	if len(v) != 5 || v[0] != 1 {
		return 0, fmt.Errorf("number of open attempts: %w", pipeline.ErrCorrupt)
	}
	return int(binary.BigEndian.Uint32(v[1:])), nil
}

func (b *box) addOpen(n int) error {
	open, err := b.open()
	if err != nil {
		return err
	}
	b.tx.Store.Put(b.openKey(), binary.BigEndian.AppendUint32([]byte{1}, uint32(max(0, open+n))))
	return nil
}

func lineKey(partition int32, seq int64) state.Key {
	return state.System(partition, sysLine, string(binary.BigEndian.AppendUint64(nil, uint64(seq))))
}

// standInLine notes that an account waits for a place.
func (b *box) standInLine(a *account) error {
	seq, err := b.tx.NextSequence("outbox line")
	if err != nil {
		return err
	}
	a.Line = int64(seq)
	b.tx.Store.Put(lineKey(b.tx.Partition, a.Line), append([]byte{1}, b.t.Name()+"\x00"+a.Provider...))
	return nil
}

// leaveLine takes an account out of the line.
func (b *box) leaveLine(a *account) {
	if a.Line != 0 {
		b.tx.Store.Delete(lineKey(b.tx.Partition, a.Line))
		a.Line = 0
	}
}

// firstInLine returns who has stood in line longest; ok is false if nobody does.
func (b *box) firstInLine() (seq int64, tenant, provider string, ok bool, err error) {
	err = b.tx.Store.Scan(state.System(b.tx.Partition, sysLine, ""), state.Key{}, func(k state.Key, v []byte) (bool, error) {
		if len(k.ID()) != 8 || len(v) < 2 {
			return false, fmt.Errorf("line of accounts: %w", pipeline.ErrCorrupt)
		}
		seq, ok = int64(binary.BigEndian.Uint64([]byte(k.ID()))), true
		tenant, provider, _ = strings.Cut(string(v[1:]), "\x00")
		return false, nil
	})
	return seq, tenant, provider, ok, err
}

// mayTake reports whether an account may take a place now: whoever came later than
// those in the line goes behind them.
func (b *box) mayTake(a *account) (bool, error) {
	seq, _, _, ok, err := b.firstInLine()
	switch {
	case err != nil:
		return false, err
	case !ok:
		return true, nil
	case a.Line == 0:
		return false, b.standInLine(a)
	case a.Line != seq:
		return false, nil
	}
	open, err := b.open()
	if err != nil || open >= maxOpen {
		return false, err
	}
	b.leaveLine(a)
	return true, nil
}

// passOn wakes the first in line if there is a place. Each dispatch ends here: what
// one account does not need goes to the next.
func (b *box) passOn() error {
	open, err := b.open()
	if err != nil || open >= maxOpen {
		return err
	}
	_, tenant, provider, ok, err := b.firstInLine()
	if ok {
		b.tx.Schedule(pipeline.Timer{Due: b.tx.Now, Tenant: tenant, Kind: timerDispatch, ID: provider})
	}
	return err
}
