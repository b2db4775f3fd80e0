package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The broker's own log cleaner runs amid the traffic, and is not made for state:
//
//   - it lets a record of an open transaction supersede a committed one: when that
//     transaction is aborted, the key has neither;
//   - it forgets of the batches that it writes anew that they belong to an open
//     transaction: after a crash they count as committed;
//   - it removes a partition's files before it writes the new ones: killed between,
//     it leaves nothing.
//
// So it is switched off, and logs are compacted at a boot: behind the closed door,
// when no transaction is open, and with the old files kept until the new ones are
// complete.
const never = "3153600000000" // 100 years, in ms

const (
	kafkaDir   = "kafka"
	keptDir    = "kafka.kept"    // complete, of a compaction that has not ended
	linkingDir = "kafka.linking" // not complete yet
	usedDir    = "kafka.used"    // no longer needed
)

// Compaction is due when the logs have grown to more than twice what the last one
// left, and at least once a day, for what is to be removed by age.
const (
	compactGrowth = 64 << 20
	compactEvery  = 24 * time.Hour
)

// recoverFiles puts the files back that a compaction was to replace when it was cut
// off.
func recoverFiles(dir string) error {
	kept := filepath.Join(dir, keptDir)
	_, err := os.Stat(kept)
	switch {
	case err == nil:
		if err := os.RemoveAll(filepath.Join(dir, kafkaDir)); err != nil {
			return fmt.Errorf("undoing a compaction: %w", err)
		}
		if err := os.Rename(kept, filepath.Join(dir, kafkaDir)); err != nil {
			return fmt.Errorf("undoing a compaction: %w", err)
		}
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("looking for a compaction that was cut off: %w", err)
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, linkingDir)), os.RemoveAll(filepath.Join(dir, usedDir)))
}

// compact removes what is superseded or too old. Nobody else may be connected, and no
// transaction open.
func (b *Broker) compact(now time.Time) error {
	size, err := treeSize(filepath.Join(b.dir, kafkaDir))
	if err != nil {
		return err
	}
	last := b.file.Compacted
	if size <= 2*last.Size+compactGrowth && now.Sub(time.UnixMilli(last.At)) < compactEvery {
		return nil
	}
	path := func(name string) string { return filepath.Join(b.dir, name) }
	if err := linkTree(path(kafkaDir), path(linkingDir)); err != nil {
		// A file system without second names, or without room: larger logs are no harm.
		b.said.log.Warn("the logs are not compacted", "why", err)
		return os.RemoveAll(path(linkingDir))
	}
	if err := os.Rename(path(linkingDir), path(keptDir)); err != nil {
		return fmt.Errorf("keeping the logs for a compaction: %w", err)
	}
	said := b.said.count.Load()
	b.cluster.Compact()
	if b.said.count.Load() != said {
		// Such as a disk that is full: the broker has lost what it could not write anew. The
		// next boot puts the old files back, and leaves them as they are.
		b.file.Compacted = compacted{At: now.UnixMilli(), Size: size}
		return errors.New("compacting the logs: files could not be written; is the disk full?")
	}
	if err := os.Rename(path(keptDir), path(usedDir)); err != nil {
		return fmt.Errorf("ending a compaction: %w", err)
	}
	if err := os.RemoveAll(path(usedDir)); err != nil {
		return fmt.Errorf("ending a compaction: %w", err)
	}
	if size, err = treeSize(path(kafkaDir)); err != nil {
		return err
	}
	b.file.Compacted = compacted{At: now.UnixMilli(), Size: size}
	return writeBoot(b.dir, b.file)
}

// linkTree makes a second name for each file: enough, as a compaction replaces files
// and nothing is written to them meanwhile but at their end.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		return os.Link(path, filepath.Join(to, rel))
	})
}

func treeSize(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measuring %s: %w", dir, err)
	}
	return size, nil
}
