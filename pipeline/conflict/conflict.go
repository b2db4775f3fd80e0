package conflict

import (
	"strconv"

	"github.com/crmstream/crmstream/schemas"
)

// Origins of a Version that are no CRM's.
const (
	Dialer  = "dialer"
	Decided = "crmstream" // a person decided it here
)

// Tolerance is by how much the clocks of two sides may differ, in ms: two changes that
// are no further apart, and did not see each other, are at the same time.
const Tolerance int64 = 2000

// Version is what one side said.
type Version struct {
	Value *string // in the dialer's form; nil is empty (B24)
	At    int64   // ms, by the clock of its side
	From  string  // Dialer, Decided, or the name of a CRM
}

func (v *Version) ours() bool  { return v.From == Dialer || v.From == Decided }
func (v *Version) blank() bool { return v.Value == nil || *v.Value == "" }

// Silent says that a CRM's word is none: an empty field of a record that never said
// anything of it, and was read, not told of as changed. As far as anybody knows nobody has
// emptied it, so that no strategy is asked (B24): a record with a few fields would empty
// the person that it is linked to.
func Silent(v *Version, first bool) bool { return first && v.blank() }

// Held is what is in force.
type Held struct {
	Version
	// The latest time of what the dialer, and of what the CRMs said and this replaced or
	// beat; 0 = nothing. What they said before is past.
	OverDialer, OverCRM int64
}

// over is the time up to which the words of v's side were dealt with.
func (h *Held) over(v *Version) int64 {
	if v.ours() {
		return h.OverDialer
	}
	return h.OverCRM
}

// Pass says that a word of v's side was dealt with.
func (h *Held) Pass(v *Version) {
	if v.ours() {
		h.OverDialer = max(h.OverDialer, v.At)
	} else {
		h.OverCRM = max(h.OverCRM, v.At)
	}
}

// after makes v what is in force, after all that h was.
func (v Version) after(h Held) Held {
	if v.From != h.From {
		h.Pass(&h.Version)
	}
	h.Version = v
	return h
}

// Case is one question.
type Case struct {
	// Strategy of the field, as schemas has them; "" = last_write_wins.
	Strategy string
	Held     Held
	New      Version
	// Same says that both values mean the same; Echo that the CRM says what was on its way
	// to it: that is no word of its own, and changes nothing of whose value it is.
	Same, Echo bool
	// Of a CRM's word: Pending, a value of ours is on its way to that record; First, the
	// record never said anything of the field (and then it is not empty: Silent). Either way
	// it can't have seen what is held.
	Pending, First bool
	// Live: it is told once, and in order, so that at the time of the word before it is
	// another one: a CRM that has seconds only may say two in one.
	Live bool
	// Snapshot: it came with an initial load, which makes no conflicts (B34).
	Snapshot bool
	Ranks    Ranks
}

// Ranks says who wins a tie: the lower (B10). It is asked of two origins that differ.
type Ranks interface {
	Rank(origin string) int
}

// Verdict is what becomes of a word.
type Verdict int

// Verdicts.
const (
	Kept   Verdict = iota // what is held stays
	Taken                 // the new value is in force
	Opened                // a person decides: the dialer's value is held, the other is the rival
)

// Outcome is an answer.
type Outcome struct {
	Verdict  Verdict
	Held     Held    // in force from now on
	Rival    Version // of Opened: what the CRM's side wants
	Cause    string  // the rule; "" where nothing was decided
	Conflict bool    // both sides had changed it
	// Undone: a CRM said something new and ours is written over it again.
	Undone bool
}

// Decide answers a Case.
func Decide(c *Case) Outcome {
	h, n := &c.Held, &c.New
	if c.Same {
		return agree(c)
	}
	switch {
	case n.From == h.From:
		if held, cause, later := Alone(c.Strategy, *h, *n); later {
			return Outcome{Verdict: Taken, Held: held, Cause: cause}
		}
		return c.keep("")
	case n.At <= h.over(n) && n.At != 0 && !(c.Live && n.At == h.over(n)):
		return c.keep("") // it was dealt with (P7)
	case c.Snapshot:
		if first, _ := c.later(); first {
			return c.beat(schemas.LastWriteWins + " (initial load)")
		}
		return c.stand("", false)
	case n.From == Dialer:
		if n.At > max(h.At, h.OverCRM) {
			return c.beat(named(c.Strategy, "a later change, no conflict"))
		}
	case !c.Pending && !c.First:
		// The record had what is held, or nobody wanted it to: who changed it there saw that,
		// unless it is older, and then the CRM itself has left it behind.
		if n.At+Tolerance < h.At {
			return c.stand("", false)
		}
		return c.beat(named(c.Strategy, "a later change, no conflict"))
	}
	return c.conflict()
}

// Alone is what Decide does where one side alone speaks, which is most of all: its later
// word is in force.
func Alone(strategy string, h Held, n Version) (held Held, cause string, later bool) {
	if n.At < h.At {
		return h, "", false
	}
	h.Version = n
	return h, named(strategy, "a later change of the same side"), true
}

// named is why a value was taken without a conflict. Of last_write_wins there is nothing
// else to be said.
func named(strategy, why string) string {
	if strategy == "" || strategy == schemas.LastWriteWins {
		return schemas.LastWriteWins
	}
	return why
}

// agree lets the later of two that say the same stand for both.
func agree(c *Case) Outcome {
	out := Outcome{Verdict: Kept, Held: c.Held}
	h, n := &c.Held, &c.New
	switch {
	case c.Echo:
	case n.From == h.From:
		out.Held.At = max(h.At, n.At)
	case n.At > h.At || n.At == h.At && c.Ranks.Rank(n.From) < c.Ranks.Rank(h.From):
		out.Held = Version{Value: h.Value, At: n.At, From: n.From}.after(*h)
	default:
		out.Held.Pass(n)
	}
	return out
}

// conflict decides where both changed the field since what both had.
func (c *Case) conflict() Outcome {
	h, n := &c.Held, &c.New
	strategy := c.Strategy
	switch {
	case h.ours() == n.ours():
		strategy = schemas.LastWriteWins // of two CRMs neither is the dialer (B10)
	}
	switch strategy {
	case schemas.CRMWins:
		return c.either(!n.ours(), schemas.CRMWins)
	case schemas.DialerWins:
		return c.either(n.ours(), schemas.DialerWins)
	case schemas.Manual:
		return c.open()
	}
	newer, why := c.later()
	cause := schemas.LastWriteWins + why
	if strategy == schemas.FieldMerge {
		cause = schemas.FieldMerge + ": " + cause
	}
	return c.either(newer, cause)
}

// later reports whether the new value is the later one, and says where that is no
// question of time.
func (c *Case) later() (newer bool, why string) {
	h, n := &c.Held, &c.New
	newer = n.At > h.At
	if d := n.At - h.At; d > Tolerance || d < -Tolerance {
		return newer, ""
	}
	byRank := c.Ranks.Rank(n.From) < c.Ranks.Rank(h.From)
	if byRank == newer && n.At != h.At {
		return newer, ""
	}
	who := "CRM"
	if !h.ours() && !n.ours() {
		who = h.From
		if byRank {
			who = n.From
		}
	}
	return byRank, " (clocks within " + strconv.FormatInt(Tolerance/1000, 10) + " s: " + who + " by tie)"
}

func (c *Case) either(newWins bool, cause string) Outcome {
	var out Outcome
	if newWins {
		out = c.beat(cause)
	} else {
		out = c.stand(cause, true)
	}
	out.Conflict = true
	return out
}

// beat puts the new value in force.
func (c *Case) beat(cause string) Outcome {
	return Outcome{Verdict: Taken, Held: c.New.after(c.Held), Cause: cause}
}

// stand keeps what is held over another side's.
func (c *Case) stand(cause string, conflict bool) Outcome {
	out := c.keep(cause)
	out.Conflict = conflict
	out.Held.Pass(&c.New)
	return out
}

func (c *Case) keep(cause string) Outcome {
	again := c.New.At != 0 && c.New.At <= c.Held.OverCRM // what was dealt with is not undone anew
	return Outcome{Verdict: Kept, Held: c.Held, Cause: cause, Undone: !c.New.ours() && c.New.From != c.Held.From && !c.First && !c.Snapshot && !again}
}

// open leaves both values where they are: the dialer's is held, the CRM's is its rival.
func (c *Case) open() Outcome {
	out := Outcome{Verdict: Opened, Conflict: true, Cause: schemas.Manual, Held: c.Held, Rival: c.New}
	if c.New.ours() {
		out.Held, out.Rival = c.New.after(c.Held), c.Held.Version
	}
	out.Held.Pass(&out.Rival)
	return out
}
