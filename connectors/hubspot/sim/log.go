package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// logLine is a line of a portal's log: one JSON object, one write(2), one committed change. Exactly one member is set.
type logLine struct {
	Portal   *PortalConfig `json:"portal,omitempty"`   // the configuration; the last one counts
	Tx       *logTx        `json:"tx,omitempty"`       // a committed transaction and the webhook events it raised
	Property *logProperty  `json:"property,omitempty"` // a property was defined
	Webhook  *logWebhook   `json:"webhook,omitempty"`  // a delivery ended or failed
}

type logTx struct {
	At      int64    `json:"t"` // ms
	Changes []change `json:"c"`
	Events  []*event `json:"e,omitempty"`
}

type logProperty struct {
	Object string    `json:"object"`
	Def    *property `json:"def"`
}

// logWebhook says what became of some events: Attempt is the number of their next delivery, 0 if there will be none.
type logWebhook struct {
	Events  []int64 `json:"events"`
	Attempt int     `json:"attempt,omitempty"`
	Dropped bool    `json:"dropped,omitempty"`
}

// logFile is a portal's log. Without a data folder it has no file and keeps nothing.
type logFile struct {
	f      *os.File
	size   int64
	closed bool
	broken error
}

// openLog reads a log from its start and leaves it open for appending. A last line without its newline was torn by the end of the
// process: its change was never answered, and it is cut off. Any other line that does not parse is damage, and an error.
func openLog(path string, replay func(logLine) error) (*logFile, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading log: %w", err)
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	for rest, n := whole, 1; len(rest) > 0; n++ {
		var raw []byte
		raw, rest, _ = bytes.Cut(rest, []byte("\n"))
		var line logLine
		err := json.Unmarshal(raw, &line)
		if err == nil {
			err = replay(line)
		}
		if err != nil {
			return nil, fmt.Errorf("reading log %s line %d: %w", path, n, err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening log: %w", err)
	}
	l := &logFile{f: f, size: int64(len(whole))}
	if len(whole) != len(data) {
		if err := f.Truncate(l.size); err != nil {
			return nil, errors.Join(fmt.Errorf("cutting torn line: %w", err), f.Close())
		}
	}
	return l, nil
}

// append writes one line. When it returns nil the line is with the operating system.
func (l *logFile) append(line logLine) error {
	switch {
	case l.closed:
		return errors.New("appending to log: closed")
	case l.broken != nil:
		return l.broken
	case l.f == nil:
		return nil
	}
	b, err := marshal(line)
	if err != nil {
		return fmt.Errorf("encoding log line: %w", err)
	}
	b = append(b, '\n')
	if _, err := l.f.WriteAt(b, l.size); err != nil {
		err = fmt.Errorf("appending to log: %w", err)
		if terr := l.f.Truncate(l.size); terr != nil { // a torn line in the middle must never be followed by another
			l.broken = errors.Join(err, terr)
		}
		return err
	}
	l.size += int64(len(b))
	return nil
}

func (l *logFile) close() error {
	if l.closed {
		return nil
	}
	l.closed = true
	if l.f == nil {
		return nil
	}
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("closing log: %w", err)
	}
	return nil
}
