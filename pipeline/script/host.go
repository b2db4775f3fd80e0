package script

import (
	_ "embed" // the prelude
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/crmstream/crmstream/pipeline/mapping"
)

//go:embed prelude.js
var prelude string

// Limits of what one call may take in and give out, in bytes.
const (
	MaxValue  = 64 << 10
	MaxScript = 16 << 10
)

// Options bound what scripts may use.
type Options struct {
	// Time of one call; 0 = 250 ms. Less than 0 = none: at a replay, where what was cut
	// off is known already.
	Time time.Duration
	// Memory of one machine, in bytes, for all that it has compiled, too; 0 = 32 MiB.
	Memory int
	// Cached is how many scripts a machine keeps compiled; 0 = 512.
	Cached int
	// Machines is how many are kept for the next call; 0 = one for each CPU. More are
	// made while more calls run at once.
	Machines int
}

// Host runs scripts. It is safe for concurrent use.
type Host struct {
	o Options

	mu     sync.Mutex
	idle   []*machine
	closed bool
}

var _ mapping.Scripts = (*Host)(nil)

// ErrClosed is returned by a Host that was closed.
var ErrClosed = errors.New("the host of scripts is closed")

// New returns a Host. It starts nothing.
func New(o Options) *Host {
	if o.Time == 0 {
		o.Time = 250 * time.Millisecond
	}
	if o.Memory == 0 {
		o.Memory = 32 << 20
	}
	if o.Cached == 0 {
		o.Cached = 512
	}
	if o.Machines == 0 {
		o.Machines = runtime.GOMAXPROCS(0)
	}
	return &Host{o: o}
}

// Close ends the machines that no call uses; those in use end with their call.
func (h *Host) Close() {
	h.mu.Lock()
	idle := h.idle
	h.idle, h.closed = nil, true
	h.mu.Unlock()
	for _, m := range idle {
		m.close()
	}
}

func (h *Host) take() (*machine, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if n := len(h.idle); n > 0 {
		m := h.idle[n-1]
		h.idle = h.idle[:n-1]
		return m, nil
	}
	return newMachine(h.o)
}

// put gives a machine back; one whose last call was cut off is not used again.
func (h *Host) put(m *machine) {
	h.mu.Lock()
	keep := !m.spoilt && !h.closed && len(h.idle) < h.o.Machines
	if keep {
		h.idle = append(h.idle, m)
	}
	h.mu.Unlock()
	if !keep {
		m.close()
	}
}

// Run implements mapping.Scripts.
func (h *Host) Run(src string, value *string) (*string, error) {
	if value != nil && len(*value) > MaxValue {
		return nil, fmt.Errorf("the value has more than %d bytes", MaxValue)
	}
	m, err := h.take()
	if err != nil {
		return nil, err
	}
	out, err := m.run(src, value)
	h.put(m)
	if !errors.Is(err, mapping.ErrCutOff) {
		return out, err
	}
	// The process may have stood still, or other scripts have filled the machine. One
	// that is too long or too large by itself is so in a new one, too.
	if m, err = newMachine(h.o); err != nil {
		return nil, err
	}
	defer h.put(m)
	return m.run(src, value)
}

// Check says what is wrong with a script before it is ever run: "" = nothing.
func (h *Host) Check(src string) (wrong string) {
	m, err := h.take()
	if err != nil {
		return err.Error()
	}
	defer h.put(m)
	if _, err := m.compiled(src); err != nil {
		return err.Error()
	}
	return ""
}

// catching is the one statement by which a script could see that it was cut off, and
// answer something else instead. later is what would be left undone after the answer.
var (
	catching = regexp.MustCompile(`\btry\b(?:\s|/\*(?s:.*?)\*/|//[^\n]*\n)*\{`)
	later    = regexp.MustCompile(`\basync\b|\bimport\b(?:\s|/\*(?s:.*?)\*/|//[^\n]*\n)*\(`)
)

// wrap makes an expression a function.
func wrap(src string) (string, error) {
	src = strings.TrimSpace(src)
	src = strings.TrimSpace(strings.TrimSuffix(src, ";"))
	switch {
	case src == "":
		return "", errors.New("it is empty")
	case len(src) > MaxScript:
		return "", fmt.Errorf("it has more than %d bytes", MaxScript)
	case catching.MatchString(src):
		return "", errors.New("try can't be used in it: what cuts a script off may not be caught")
	case later.MatchString(src):
		return "", errors.New("async and import can't be used in it: its answer is wanted at once")
	}
	return `(function (value) { "use strict"; const $result = (` + src + `
); switch (typeof $result) { case "string": case "number": case "boolean": case "undefined": return $result; }
if ($result === null) return null; throw new TypeError("its result is of the type " + typeof $result); })`, nil
}
