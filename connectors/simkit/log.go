package simkit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Log is a file of JSON objects, one a line, one write(2) a line. The zero value has
// no file and keeps nothing. Its owner serialises all calls but Read.
type Log[L any] struct {
	f      *os.File // nil without a file
	keep   bool     // in memory, for Read
	end    int64
	closed bool
	broken error
}

// Ref is where a line is: in the file, or in memory when there is none.
type Ref struct {
	off int64
	n   int
	mem []byte
}

// MemoryLog is a log without a file whose lines can be read again.
func MemoryLog[L any]() *Log[L] { return &Log[L]{keep: true} }

// OpenLog opens or creates a log and gives each line to apply. A last line without
// its line feed is cut off. Any other damage is an error that names the place.
func OpenLog[L any](path string, apply func(L, *Ref) error) (*Log[L], error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening log: %w", err)
	}
	l := &Log[L]{f: f}
	if err := l.replay(apply); err != nil {
		return nil, errors.Join(fmt.Errorf("reading log %s at byte %d: %w", path, l.end, err), f.Close())
	}
	if err := f.Truncate(l.end); err != nil {
		return nil, errors.Join(fmt.Errorf("cutting torn line of %s: %w", path, err), f.Close())
	}
	return l, nil
}

func (l *Log[L]) replay(apply func(L, *Ref) error) error {
	rd := bufio.NewReaderSize(l.f, 1<<20)
	for {
		b, err := rd.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var line L
		if err := json.Unmarshal(b, &line); err != nil {
			return fmt.Errorf("it is damaged: %w", err)
		}
		if err := apply(line, &Ref{off: l.end, n: len(b) - 1}); err != nil {
			return err
		}
		l.end += int64(len(b))
	}
}

// Append writes one line. A short write is cut off again, so that a full disk can't
// leave half a line in the middle.
func (l *Log[L]) Append(line L) (*Ref, error) {
	switch {
	case l.closed:
		return nil, errors.New("appending to log: closed")
	case l.broken != nil:
		return nil, l.broken
	case l.f == nil && !l.keep:
		return &Ref{}, nil
	}
	b, err := Marshal(line)
	if err != nil {
		return nil, fmt.Errorf("encoding log line: %w", err)
	}
	if l.f == nil {
		return &Ref{mem: b, n: len(b)}, nil
	}
	if _, err := l.f.WriteAt(append(b, '\n'), l.end); err != nil {
		err = fmt.Errorf("appending to log: %w", err)
		if terr := l.f.Truncate(l.end); terr != nil { // nothing may follow a torn line
			l.broken = errors.Join(err, terr)
		}
		return nil, err
	}
	ref := &Ref{off: l.end, n: len(b)}
	l.end += int64(len(b)) + 1
	return ref, nil
}

// Read returns a line written earlier. It is safe beside Append.
func (l *Log[L]) Read(ref *Ref) (line L, err error) {
	b := ref.mem
	if b == nil {
		if l.f == nil {
			return line, errors.New("reading log: nothing is kept")
		}
		b = make([]byte, ref.n)
		if _, err := l.f.ReadAt(b, ref.off); err != nil {
			return line, fmt.Errorf("reading log at %d: %w", ref.off, err)
		}
	}
	if err := json.Unmarshal(b, &line); err != nil {
		return line, fmt.Errorf("reading log at %d: %w", ref.off, err)
	}
	return line, nil
}

// Close closes the file; appending is an error from then on. It may be called twice.
func (l *Log[L]) Close() error {
	if l.closed || l.f == nil {
		l.closed = l.f != nil
		return nil
	}
	l.closed = true
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("closing log: %w", err)
	}
	return nil
}

// Stored returns the names between prefix and ".log" of the logs in a data folder,
// which is created if it is missing; dir "" has none.
func Stored(dir, prefix string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating data folder: %w", err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, prefix+"*.log"))
	if err != nil {
		return nil, fmt.Errorf("listing data folder: %w", err)
	}
	for i, path := range logs {
		logs[i] = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), prefix), ".log")
	}
	return logs, nil
}

// Marshal is json.Marshal without the HTML escapes.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
