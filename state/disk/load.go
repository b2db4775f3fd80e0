package disk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/crmstream/crmstream/state"
)

// loading is the end of a table's name before Pebble takes it over.
const loading = ".loading"

// Load implements state.Store. The writes become a table of their own, which Pebble
// takes over as it is: no log, no table in memory, no flush.
//
// P2: the watermark is in the table.
func (s *store) Load(ws []state.Write, wm state.Watermark) error {
	if s.db.closed.Load() {
		return state.ErrClosed
	}
	ws = append(slices.Clone(ws), state.Write{Key: metaKey(s.partition), Value: encodeWatermark(wm)})
	path := filepath.Join(s.db.dir, fmt.Sprintf("%d-%d%s", s.partition, s.db.loads.Add(1), loading))
	if err := s.db.writeTable(path, lastOfEach(ws)); err != nil {
		return fmt.Errorf("loading state: %w", errors.Join(err, s.db.removeTable(path)))
	}
	if err := s.db.pebble.Ingest(context.Background(), []string{path}); err != nil {
		return fmt.Errorf("loading state: %w", errors.Join(err, s.db.removeTable(path)))
	}
	s.db.rows.drop(s.partition)
	return nil
}

// lastOfEach sorts writes by key and keeps the last of each.
func lastOfEach(ws []state.Write) []state.Write {
	order := make([]int32, len(ws))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		if c := strings.Compare(ws[a].Key.String(), ws[b].Key.String()); c != 0 {
			return c
		}
		return int(a - b)
	})
	sorted := make([]state.Write, 0, len(ws))
	for i, at := range order {
		if i+1 == len(order) || ws[order[i+1]].Key != ws[at].Key {
			sorted = append(sorted, ws[at])
		}
	}
	return sorted
}

func (d *DB) writeTable(path string, ws []state.Write) (err error) {
	f, err := d.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), d.opts.MakeWriterOptions(0, d.pebble.TableFormat()))
	defer func() { err = errors.Join(err, w.Close()) }()
	for i := range ws {
		if ws[i].Value == nil {
			err = w.Delete(bytesOf(ws[i].Key))
		} else {
			err = w.Set(bytesOf(ws[i].Key), ws[i].Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeTable removes a table that Pebble has not taken over.
func (d *DB) removeTable(path string) error {
	if _, err := d.fs.Stat(path); err != nil {
		return nil //nolint:nilerr // Pebble moves what it takes over
	}
	return d.fs.Remove(path)
}

// removeTables removes what an end amid a load has left.
func (d *DB) removeTables() error {
	names, err := d.fs.List(d.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, loading) {
			if err := d.fs.Remove(filepath.Join(d.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
