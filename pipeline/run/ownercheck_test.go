package run

import (
	"context"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// ownerCheck writes down who believed to own which partition from when to when, and
// what they handed over as effects: no partition may have two believers, and no
// effect may come from one that is none (P12).
type ownerCheck struct {
	mu      sync.Mutex
	began   time.Time
	owners  map[int32]map[string]time.Time // partition -> believer -> since
	excused map[string]time.Time           // who may still believe beside another, until when
	effects map[string]string              // attempt id -> who
	log     []string
	bad     []string
}

func newOwnerCheck() *ownerCheck {
	return &ownerCheck{began: time.Now(), owners: make(map[int32]map[string]time.Time), excused: make(map[string]time.Time), effects: make(map[string]string)}
}

// as returns the effects of one member.
func (c *ownerCheck) as(name string) pipeline.Effects { return checkedEffects{c, name} }

// note adds a line to the story that a failed test tells.
func (c *ownerCheck) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noteLocked(format, args...)
}

func (c *ownerCheck) noteLocked(format string, args ...any) {
	c.log = append(c.log, fmt.Sprintf("%8.3f  ", time.Since(c.began).Seconds())+fmt.Sprintf(format, args...))
}

func (c *ownerCheck) fail(format string, args ...any) {
	c.bad = append(c.bad, fmt.Sprintf(format, args...))
	c.noteLocked("BAD: "+format, args...)
}

// died ends what a member believed that is no more: its process would be gone.
func (c *ownerCheck) died(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noteLocked("%s died", name)
	for _, who := range c.owners {
		delete(who, name)
	}
}

// excuse lets a member believe beside others for a while: it was thrown out by hand,
// which nothing tells it before its next heartbeat.
func (c *ownerCheck) excuse(name string, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.excused[name] = until
}

// of returns the partitions of a member, and the believers of all.
func (c *ownerCheck) of(name string) (mine int, all int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, who := range c.owners {
		if _, ok := who[name]; ok {
			mine++
		}
		all += len(who)
	}
	return mine, all
}

// report fails the test with what was wrong and the story of it.
func (c *ownerCheck) report(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.bad {
		t.Error(b)
	}
	if t.Failed() || *ownershipStory {
		t.Logf("what happened (s):\n%s", strings.Join(c.log, "\n"))
	}
}

type checkedEffects struct {
	c    *ownerCheck
	name string
}

// Own implements pipeline.Effects.
func (e checkedEffects) Own(p int32) {
	e.c.mu.Lock()
	defer e.c.mu.Unlock()
	e.c.noteLocked("%s owns %d", e.name, p)
	who := e.c.owners[p]
	if who == nil {
		who = make(map[string]time.Time)
		e.c.owners[p] = who
	}
	if _, twice := who[e.name]; twice {
		e.c.fail("partition %d was given to %s, which has it", p, e.name)
	}
	var others []string
	for o := range who {
		if o != e.name && time.Now().After(e.c.excused[o]) {
			others = append(others, o)
		}
	}
	sort.Strings(others)
	if len(others) > 0 {
		e.c.fail("partition %d: %s owns it while %v do", p, e.name, others)
	}
	who[e.name] = time.Now()
}

// Disown implements pipeline.Effects.
func (e checkedEffects) Disown(p int32) {
	e.c.mu.Lock()
	defer e.c.mu.Unlock()
	if _, has := e.c.owners[p][e.name]; !has {
		return // one that died is told so a second time
	}
	e.c.noteLocked("%s gives up %d", e.name, p)
	for o := range e.c.owners[p] {
		if o != e.name && !e.c.excused[e.name].IsZero() && time.Now().After(e.c.excused[e.name]) {
			e.c.fail("partition %d: %s was thrown out and believed for too long beside %s", p, e.name, o)
		}
	}
	delete(e.c.owners[p], e.name)
}

// Do implements pipeline.Effects.
func (e checkedEffects) Do(p int32, effects []pipeline.Effect) {
	e.c.mu.Lock()
	defer e.c.mu.Unlock()
	if _, has := e.c.owners[p][e.name]; !has {
		e.c.fail("partition %d: %s hands over %d effects and does not own it", p, e.name, len(effects))
	}
	for _, ef := range effects {
		id := ef.(pipeline.Start).Attempt.ID
		if o, twice := e.c.effects[id]; twice {
			e.c.fail("the effect of %s came from %s and from %s", id, o, e.name)
		}
		e.c.effects[id] = e.name
	}
}

// logger writes what a member logs into the story.
func (c *ownerCheck) logger(name string) *slog.Logger { return slog.New(storyHandler{c, name}) }

type storyHandler struct {
	c    *ownerCheck
	name string
}

// Enabled implements slog.Handler.
func (storyHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h storyHandler) Handle(_ context.Context, r slog.Record) error {
	line := h.name + " says: " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
	h.c.note("%s", line)
	return nil
}

// WithAttrs implements slog.Handler.
func (h storyHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h storyHandler) WithGroup(string) slog.Handler { return h }

// The checker sees what it is there for.
func TestOwnerCheck(t *testing.T) {
	do := func(e pipeline.Effects, p int32, id string) {
		e.Do(p, []pipeline.Effect{pipeline.Start{Attempt: &schemas.Attempt{ID: id}}})
	}
	for name, c := range map[string]struct {
		does func(c *ownerCheck, a, b pipeline.Effects)
		bad  int
	}{
		"one after the other": {func(_ *ownerCheck, a, b pipeline.Effects) {
			a.Own(1)
			do(a, 1, "x")
			a.Disown(1)
			b.Own(1)
			do(b, 1, "y")
		}, 0},
		"different partitions":     {func(_ *ownerCheck, a, b pipeline.Effects) { a.Own(1); b.Own(2) }, 0},
		"two believers":            {func(_ *ownerCheck, a, b pipeline.Effects) { a.Own(1); b.Own(1) }, 1},
		"the second after a death": {func(c *ownerCheck, a, b pipeline.Effects) { a.Own(1); c.died("a"); b.Own(1) }, 0},
		"given twice":              {func(_ *ownerCheck, a, _ pipeline.Effects) { a.Own(1); a.Own(1) }, 1},
		"an effect of another's":   {func(_ *ownerCheck, a, b pipeline.Effects) { a.Own(1); do(b, 1, "x") }, 1},
		"an effect after the end":  {func(_ *ownerCheck, a, _ pipeline.Effects) { a.Own(1); a.Disown(1); do(a, 1, "x") }, 1},
		"an effect twice":          {func(_ *ownerCheck, a, _ pipeline.Effects) { a.Own(1); do(a, 1, "x"); do(a, 1, "x") }, 1},
		"thrown out, for a while": {func(c *ownerCheck, a, b pipeline.Effects) {
			a.Own(1)
			c.excuse("a", time.Now().Add(time.Hour))
			b.Own(1)
			a.Disown(1)
		}, 0},
		"thrown out, for too long": {func(c *ownerCheck, a, b pipeline.Effects) {
			a.Own(1)
			c.excuse("a", time.Now().Add(time.Hour))
			b.Own(1)
			c.excuse("a", time.Now().Add(-time.Hour))
			a.Disown(1)
		}, 1},
		"an excuse is one's own": {func(c *ownerCheck, a, b pipeline.Effects) {
			a.Own(1)
			c.excuse("b", time.Now().Add(time.Hour))
			b.Own(1)
		}, 1},
		"an excuse that has run out": {func(c *ownerCheck, a, b pipeline.Effects) {
			a.Own(1)
			c.excuse("a", time.Now().Add(-time.Hour))
			b.Own(1)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			check := newOwnerCheck()
			c.does(check, check.as("a"), check.as("b"))
			if len(check.bad) != c.bad {
				t.Errorf("found %d: %q", len(check.bad), check.bad)
			}
		})
	}
}
