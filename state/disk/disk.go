package disk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/crmstream/crmstream/state"
)

// ErrLocked is returned by Open for a folder that another process has open.
var ErrLocked = errors.New("the state folder is in use by another process")

// Options say where and how to open a DB.
type Options struct {
	Dir string
	// FS is the file system; nil = the machine's.
	FS vfs.FS
	// CacheBytes bounds the block cache; 0 = 128 MiB.
	CacheBytes int64
	// RowCacheBytes bounds the cache of single values; 0 = 64 MiB.
	RowCacheBytes int64
	// MemTableBytes is the size of one of up to four tables in memory; 0 = 32 MiB.
	MemTableBytes uint64
	// Logger takes what Pebble has to say of errors; nil = nothing.
	Logger *slog.Logger
}

// DB is a state.DB on disk.
type DB struct {
	pebble *pebble.DB
	opts   *pebble.Options
	fs     vfs.FS
	dir    string
	rows   *rowCache
	loads  atomic.Int64 // tables that were loaded
	closed atomic.Bool
}

var _ state.DB = (*DB)(nil)

// metaKind is the kind of a partition's own entry that holds its watermark. It
// sorts before every other kind of the partition.
const metaKind state.Kind = 0

// Open opens the database in o.Dir, making it if need be.
func Open(o Options) (*DB, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 128 << 20
	}
	if o.RowCacheBytes == 0 {
		o.RowCacheBytes = 64 << 20
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 32 << 20
	}
	opts := &pebble.Options{
		FS:                          o.FS,
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   o.CacheBytes,
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       20,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                1000,
		BytesPerSync:                1 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, max(1, min(3, runtime.GOMAXPROCS(0)-1)) },
		Logger:                      quiet{o.Logger},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		opts.Levels[i].BlockSize = 16 << 10
	}
	opts.EnsureDefaults()
	p, err := pebble.Open(o.Dir, opts)
	if err != nil {
		// Pebble has no error of its own for it: the first is the kernel's answer, the
		// second Pebble's for a folder that this process has open itself.
		if errors.Is(err, syscall.EAGAIN) || strings.HasSuffix(err.Error(), "lock held by current process") {
			return nil, fmt.Errorf("opening %s: %w", o.Dir, ErrLocked)
		}
		return nil, fmt.Errorf("opening state in %s: %w", o.Dir, err)
	}
	d := &DB{pebble: p, opts: opts, fs: o.FS, dir: o.Dir, rows: newRowCache(o.RowCacheBytes)}
	if err := d.removeTables(); err != nil {
		return nil, fmt.Errorf("opening state in %s: %w", o.Dir, errors.Join(err, p.Close()))
	}
	return d, nil
}

// Store implements state.DB.
func (d *DB) Store(partition int32) state.Store { return &store{d, partition} }

// Partitions implements state.DB.
func (d *DB) Partitions() ([]int32, error) {
	if d.closed.Load() {
		return nil, state.ErrClosed
	}
	it, err := d.pebble.NewIter(nil)
	if err != nil {
		return nil, fmt.Errorf("listing partitions: %w", err)
	}
	defer it.Close()
	var ps []int32
	for ok := it.First(); ok; {
		k, valid := state.RestoredKey(it.Key())
		if !valid {
			return nil, fmt.Errorf("listing partitions: %x is no key of ours", it.Key())
		}
		p := k.Partition()
		if k == metaKey(p) {
			ps = append(ps, p)
		}
		next := successor(state.PartitionPrefix(p).Bytes())
		ok = next != nil && it.SeekGE(next)
	}
	return ps, it.Error()
}

// Flush implements state.DB.
func (d *DB) Flush() error {
	if d.closed.Load() {
		return state.ErrClosed
	}
	if err := d.pebble.Flush(); err != nil {
		return fmt.Errorf("flushing state: %w", err)
	}
	return nil
}

// Close implements state.DB.
func (d *DB) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	if err := errors.Join(d.pebble.Flush(), d.pebble.Close()); err != nil {
		return fmt.Errorf("closing state: %w", err)
	}
	return nil
}

func metaKey(partition int32) state.Key { return state.System(partition, metaKind, "") }

type store struct {
	db        *DB
	partition int32
}

// Get implements state.Reader.
func (s *store) Get(k state.Key) ([]byte, bool, error) {
	if s.db.closed.Load() {
		return nil, false, state.ErrClosed
	}
	v, hit, version := s.db.rows.get(k.String())
	if hit {
		return v, v != nil, nil
	}
	v, closer, err := s.db.pebble.Get(bytesOf(k))
	if errors.Is(err, pebble.ErrNotFound) {
		s.db.rows.fill(k.String(), nil, version)
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading state: %w", err)
	}
	out := append(make([]byte, 0, len(v)), v...)
	s.db.rows.fill(k.String(), out, version)
	return out, true, closer.Close()
}

// Scan implements state.Reader.
func (s *store) Scan(prefix, after state.Key, fn func(state.Key, []byte) (bool, error)) error {
	if s.db.closed.Load() {
		return state.ErrClosed
	}
	lower := prefix.Bytes()
	if after.String() >= prefix.String() && !after.IsZero() {
		lower = append(after.Bytes(), 0)
	}
	it, err := s.db.pebble.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: successor(prefix.Bytes())})
	if err != nil {
		return fmt.Errorf("scanning state: %w", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		k, valid := state.RestoredKey(it.Key())
		if !valid {
			return fmt.Errorf("scanning state: %x is no key of ours", it.Key())
		}
		if k == metaKey(s.partition) {
			continue
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("scanning state: %w", err)
		}
		if more, err := fn(k, v); err != nil || !more {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("scanning state: %w", err)
	}
	return nil
}

// successor returns the least key above all that begin with prefix.
func successor(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// Apply implements state.Store.
//
// P2: the writes and the watermark are one batch.
func (s *store) Apply(ws []state.Write, wm state.Watermark) error {
	if s.db.closed.Load() {
		return state.ErrClosed
	}
	b := s.db.pebble.NewBatch()
	defer b.Close()
	for _, w := range ws {
		var err error
		if w.Value == nil {
			err = b.Delete(bytesOf(w.Key), nil)
		} else {
			err = b.Set(bytesOf(w.Key), w.Value, nil)
		}
		if err != nil {
			return fmt.Errorf("writing state: %w", err)
		}
	}
	if err := b.Set(metaKey(s.partition).Bytes(), encodeWatermark(wm), nil); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	s.db.rows.write(ws)
	s.db.rows.write([]state.Write{{Key: metaKey(s.partition), Value: encodeWatermark(wm)}})
	return nil
}

// Watermark implements state.Store.
func (s *store) Watermark() (state.Watermark, bool, error) {
	v, ok, err := s.Get(metaKey(s.partition))
	if err != nil || !ok {
		return state.Watermark{}, false, err
	}
	wm, err := decodeWatermark(v)
	return wm, err == nil, err
}

// Drop implements state.Store. The watermark goes first, durably: a crash between
// the two leaves rows without watermark, which the next restore drops again.
func (s *store) Drop() error {
	if s.db.closed.Load() {
		return state.ErrClosed
	}
	if err := s.db.pebble.Delete(metaKey(s.partition).Bytes(), pebble.Sync); err != nil {
		return fmt.Errorf("dropping partition %d: %w", s.partition, err)
	}
	s.db.rows.drop(s.partition)
	lo := state.PartitionPrefix(s.partition).Bytes()
	if err := s.db.pebble.Excise(context.Background(), pebble.KeyRange{Start: lo, End: successor(lo)}); err != nil {
		return fmt.Errorf("dropping partition %d: %w", s.partition, err)
	}
	s.db.rows.drop(s.partition)
	return nil
}

func bytesOf(k state.Key) []byte { return []byte(k.String()) }

// A watermark is: version 1, flags, topic id [16], next i64, applied at i64,
// cluster.
func encodeWatermark(wm state.Watermark) []byte {
	b := []byte{1, 0}
	if wm.Restoring {
		b[1] = 1
	}
	b = append(b, wm.TopicID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(wm.Next))
	b = binary.BigEndian.AppendUint64(b, uint64(wm.AppliedAt))
	return append(b, wm.Cluster...)
}

func decodeWatermark(b []byte) (state.Watermark, error) {
	if len(b) < 34 || b[0] != 1 {
		return state.Watermark{}, fmt.Errorf("reading watermark: %x is of no version that this release reads", b)
	}
	wm := state.Watermark{Restoring: b[1] == 1, Next: int64(binary.BigEndian.Uint64(b[18:])), AppliedAt: int64(binary.BigEndian.Uint64(b[26:])), Cluster: string(b[34:])}
	copy(wm.TopicID[:], b[2:])
	return wm, nil
}

// quiet passes on Pebble's errors and drops its chatter.
type quiet struct{ log *slog.Logger }

func (q quiet) Infof(string, ...any) {}

func (q quiet) Errorf(format string, args ...any) {
	if q.log != nil {
		q.log.Error("state store", "what", fmt.Sprintf(format, args...))
	}
}

// Fatalf is called where Pebble cannot go on, such as a write-ahead log that takes
// no more: the panic ends the process with a reason, and the changelog heals what
// the store lacks.
func (q quiet) Fatalf(format string, args ...any) {
	panic("state store: " + fmt.Sprintf(format, args...))
}
