package conflict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crmstream/crmstream/schemas"
)

var strategies = []string{"", schemas.CRMWins, schemas.DialerWins, schemas.LastWriteWins, schemas.FieldMerge, schemas.Manual}

type ranks struct{}

func (ranks) Rank(origin string) int { return strings.Index("ab", origin) & 7 } // a, b, then whoever else

func alike(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// word is one thing that one side said.
type word struct {
	from string
	v    string // "" is empty
	at   int64
}

func (w word) version() Version {
	v := Version{At: w.at, From: w.from}
	if w.v != "" {
		v.Value = &w.v
	}
	return v
}

// world is one field on all sides, in the plainest form: what the CRMs and the dialer
// really hold, and what is known of that here.
type world struct {
	strategy string
	held     *Held
	dispute  *Dispute
	undone   int
	links    map[string]*side
	dialer   string
	trace    strings.Builder
}

type side struct {
	holds         word // in the CRM itself
	known, wanted string
	told, pending bool
	sent          []string // writes that the CRM took, and did not confirm yet
}

func newWorld(strategy string, crms ...string) *world {
	w := &world{strategy: strategy, links: make(map[string]*side)}
	for _, c := range crms {
		w.links[c] = &side{}
	}
	return w
}

// hear takes a word in.
func (w *world) hear(x word) {
	n := x.version()
	l := w.links[x.from]
	pending, first := false, false
	if l != nil {
		if l.told && l.known == x.v {
			return
		}
		pending, first = l.pending && !(l.told && l.known == l.wanted), !l.told
		l.known, l.told = x.v, true
	}
	before := w.value()
	defer func() {
		if w.value() != before {
			w.publish()
		}
		w.out()
	}()
	switch {
	case Silent(&n, first):
		if l.pending {
			l.pending = false // what is on its way may have been taken before
		}
		return
	case w.dispute != nil:
		if _, closed := w.dispute.Hear(n, alike); closed {
			w.held, w.dispute, w.undone = &w.dispute.Held, nil, 0
		} else {
			w.held = &w.dispute.Held
		}
		return
	case w.held == nil:
		w.held = &Held{Version: n}
		return
	}
	was := *w.held
	o := Decide(&Case{Strategy: w.strategy, Held: was, New: n, Same: alike(was.Value, n.Value), Pending: pending, First: first, Ranks: ranks{}})
	*w.held = o.Held
	fmt.Fprintf(&w.trace, "%v %v: %v %s %d/%d/%d\n", x, o.Verdict, o.Held.From, o.Cause, o.Held.At, o.Held.OverDialer, o.Held.OverCRM)
	if o.Verdict == Taken {
		w.undone = 0
	}
	if x.from == Dialer && o.Verdict == Kept && !alike(was.Value, n.Value) && was.From != Dialer {
		w.publish() // it lost, and is told
	}
	if l != nil && o.Verdict == Kept {
		l.pending = false
	}
	if o.Undone {
		w.undone++
	}
	if o.Verdict == Opened {
		w.dispute = &Dispute{Held: o.Held, Rival: o.Rival}
	} else if w.undone == UndoneMost {
		w.dispute, w.undone = &Dispute{Held: o.Held, Rival: n}, 0
	}
}

func (w *world) value() string {
	if w.held == nil || w.held.Value == nil {
		return ""
	}
	return *w.held.Value
}

func (w *world) publish() { w.dialer = w.value() }

// out puts on its way what a CRM lacks.
func (w *world) out() {
	if w.dispute != nil {
		return
	}
	for _, l := range w.links {
		v := w.value()
		if l.pending && l.wanted == v || !l.pending && (l.known == v && (l.told || v == "")) {
			continue
		}
		l.wanted, l.pending = v, true
	}
}

// apply is a CRM taking a write, at its time; confirm is the news of it.
func (w *world) apply(crm string, at int64) {
	if l := w.links[crm]; l.pending && len(l.sent) == 0 {
		l.holds = word{crm, l.wanted, at}
		l.sent = append(l.sent, l.wanted)
	}
}

func (w *world) confirm(crm string) {
	l := w.links[crm]
	if len(l.sent) == 0 {
		return
	}
	v := l.sent[0]
	l.sent = l.sent[1:]
	if l.pending && l.wanted == v {
		l.pending = false
	}
	l.known, l.told = v, true
	w.out()
}

// settle lets everything come to its end: the sides' present values are read again and
// all writes are taken. It reports whether that ends.
func (w *world) settle(now int64) bool {
	crms := make([]string, 0, 2)
	for c := range w.links {
		crms = append(crms, c)
	}
	slices.Sort(crms)
	for range 20 {
		moving := false
		for _, c := range crms {
			l := w.links[c]
			for len(l.sent) > 0 {
				w.confirm(c)
			}
			if l.holds.from != "" {
				w.hear(l.holds)
			}
			if l.pending && w.dispute == nil {
				moving = true
				now += 10_000
				w.apply(c, now)
				w.confirm(c)
			}
		}
		for _, l := range w.links { // a later one may have said what an earlier one lacks
			moving = moving || l.pending && w.dispute == nil
		}
		if !moving {
			return true
		}
	}
	return false
}
