package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// killers finds records that end the process in a way that recover cannot catch, such
// as a stack that overflows: without it the process would start, read the record, and
// end, for ever (P5).
//
// What the rules are at work on stands in a file. Found there at a start, the
// transaction's records are run again one at a time; found there again, the record goes
// to the dead letters without being run. The file says something during the rules'
// work alone, which takes milliseconds: a process that somebody else kills is hardly
// ever found there, and never twice at one record.
type killers struct {
	mu     sync.Mutex
	file   *os.File
	path   string // of the suspicions
	known  suspicions
	atWork map[int32]work // by partition
}

// work is what the rules are at work on: a record, or all of a transaction.
type work struct {
	Place string `json:"place"`
	// Through is the last offset of each input topic.
	Through map[string]int64 `json:"through"`
}

// suspicions is what ended the process at work.
type suspicions struct {
	Deaths map[string]int `json:"deaths"` // by place
	// Through is, by partition, how far its records are run one at a time.
	Through map[int32]map[string]int64 `json:"through"`
}

// openKillers opens the files in dir; "" = nothing is kept.
func openKillers(dir string) (*killers, error) {
	k := &killers{atWork: make(map[int32]work), known: suspicions{Deaths: make(map[string]int), Through: make(map[int32]map[string]int64)}}
	if dir == "" {
		return k, nil
	}
	fail := func(err error) (*killers, error) {
		return nil, fmt.Errorf("opening the log of what is at work: %w", err)
	}
	k.path = filepath.Join(dir, "deaths.json")
	b, err := os.ReadFile(k.path)
	if err == nil {
		var known suspicions
		// One that a power cut left empty is no reason never to start again.
		if json.Unmarshal(b, &known) == nil && known.Deaths != nil && known.Through != nil {
			k.known = known
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(err)
	}
	if k.file, err = os.OpenFile(filepath.Join(dir, "at-work"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return fail(err)
	}
	last, err := io.ReadAll(io.LimitReader(k.file, 1<<20))
	if err != nil {
		return fail(err)
	}
	var was map[int32]work
	if line, _, ok := bytes.Cut(last, []byte{'\n'}); ok && line[0] == '1' && json.Unmarshal(line[1:], &was) == nil { // else it was cut off while it was written
		for p, w := range was {
			k.known.Deaths[w.Place]++
			if k.known.Through[p] == nil {
				k.known.Through[p] = make(map[string]int64)
			}
			for t, o := range w.Through {
				k.known.Through[p][t] = max(k.known.Through[p][t], o)
			}
		}
		if err := k.save(); err != nil {
			return fail(err)
		}
	}
	return k, k.rest()
}

func (k *killers) save() error {
	b, err := json.Marshal(k.known)
	if err != nil {
		return err
	}
	if err := os.WriteFile(k.path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(k.path+".new", k.path)
}

// suspect reports whether the records that come next of a partition are among those
// that ended the process. Behind them the partition is forgotten.
func (k *killers) suspect(p int32, pos *positions) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	through, ok := k.known.Through[p]
	if !ok {
		return false, nil
	}
	for t, last := range through {
		if pos.Next[t] <= last {
			return true, nil
		}
	}
	delete(k.known.Through, p)
	if len(k.known.Through) == 0 {
		clear(k.known.Deaths)
	}
	return false, k.save()
}

// died says how often the process ended at a place.
func (k *killers) died(place string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known.Deaths[place]
}

// begin notes that the rules are at work.
func (k *killers) begin(p int32, w work) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.atWork[p] = w
	return k.write()
}

// done notes that they have ended.
func (k *killers) done(p int32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.atWork, p)
	if len(k.atWork) == 0 {
		return k.rest()
	}
	return k.write()
}

func (k *killers) write() error {
	if k.file == nil {
		return nil
	}
	b, err := json.Marshal(k.atWork)
	if err == nil {
		_, err = k.file.WriteAt(append(append([]byte{'1'}, b...), '\n'), 0)
	}
	if err != nil {
		return fmt.Errorf("noting what is at work: %w", err)
	}
	return nil
}

func (k *killers) rest() error {
	if k.file == nil {
		return nil
	}
	if _, err := k.file.WriteAt([]byte("0\n"), 0); err != nil {
		return fmt.Errorf("noting what is at work: %w", err)
	}
	return nil
}

func (k *killers) close() error {
	if k.file == nil {
		return nil
	}
	return k.file.Close()
}

// runNoted runs a batch with what it is about noted meanwhile.
func (r *Runner) runNoted(b *batch, o *owned) error {
	w := b.work()
	if b.alone && r.killers.died(w.Place) > 0 {
		b.killer = w.Place
		return b.run(o.store, o.pos)
	}
	if err := r.killers.begin(b.partition, w); err != nil {
		return err
	}
	err := b.run(o.store, o.pos)
	return errors.Join(err, r.killers.done(b.partition))
}

// work says what a batch is about.
func (b *batch) work() work {
	w := work{Through: make(map[string]int64)}
	if b.alone && len(b.inputs) > 0 {
		w.Place = source(b.inputs[0])
	}
	for _, in := range b.inputs {
		w.Through[in.readFrom()] = in.Offset
	}
	return w
}

// killed is the dead letter's text; a replay writes it again.
const killed = "it ended the process at every try"

// quarantined reports whether a record is not to be run.
func (b *batch) quarantined(in *input) bool { return b.killer != "" && b.killer == source(in) }
