package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
)

// changeLog is the file with all that was ever committed in one portal, one JSON entry a line.
type changeLog struct {
	file   *os.File
	size   int64 // of the whole lines in it
	broken error // after a write that could not be undone
}

// append writes one entry with one write(2). When it returns an error the entry is not in the log.
func (l *changeLog) append(e *entry) error {
	if l == nil {
		return nil // memory only
	}
	if l.broken != nil {
		return l.broken
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding change: %w", err)
	}
	line = append(line, '\n')
	if _, err := l.file.Write(line); err != nil {
		err = fmt.Errorf("writing change log: %w", err)
		if back := l.file.Truncate(l.size); back != nil {
			l.broken = errors.Join(err, fmt.Errorf("undoing it: %w", back))
		}
		return err
	}
	l.size += int64(len(line))
	return nil
}

func (l *changeLog) close() error {
	if l == nil {
		return nil
	}
	l.broken = os.ErrClosed
	return l.file.Close()
}

// logName is the file of a portal within the data folder.
func logName(portal int64) string { return fmt.Sprintf("portal-%d.log", portal) }

// openLog opens a portal's log, creating it if need be, and hands every entry to apply. A torn last
// line, left by the end of a process in the middle of a write, is cut off; it was never answered.
func openLog(dir string, portal int64, logger *slog.Logger, apply func(*entry) error) (*changeLog, error) {
	path := filepath.Join(dir, logName(portal))
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening change log: %w", err)
	}
	size, err := replay(file, apply)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", path, err), file.Close())
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", path, err), file.Close())
	}
	if torn := info.Size() - size; torn > 0 {
		logger.Warn("cutting a torn entry off the change log", "portal", portal, "bytes", torn)
		if err := file.Truncate(size); err != nil {
			return nil, errors.Join(fmt.Errorf("repairing %s: %w", path, err), file.Close())
		}
	}
	return &changeLog{file: file, size: size}, nil
}

// replay reads whole lines and returns how many bytes they take.
func replay(r io.Reader, apply func(*entry) error) (int64, error) {
	var size int64
	in := bufio.NewReaderSize(r, 1<<20)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		var e entry
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil {
			return size, fmt.Errorf("line %d: %w", n, err)
		}
		if err := apply(&e); err != nil {
			return size, fmt.Errorf("line %d: %w", n, err)
		}
		size += int64(len(line))
	}
}
