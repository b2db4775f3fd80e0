package sync

import (
	"slices"
	"strconv"
	"time"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
	"github.com/crmstream/crmstream/state"
)

// Counters of a person, by the dialer's names: how many calls there were, when the last
// one began, how the last one that was rated was.
const (
	callCount    = "call_count"
	lastCalledAt = "last_called_at"
	aiScore      = "ai_score"
)

func isCounter(field string) bool {
	return field == callCount || field == lastCalledAt || field == aiScore
}

// tally keeps a call in the counters of its person, or takes it out: they are computed
// from the set of its calls, so that the same call twice changes nothing (B19). Held
// and skipped calls are not in them.
func (w *world) tally(c *call) error {
	person := c.Person
	if c.Status == schemas.StatusHeld || c.Status == schemas.StatusSkipped || c.Base == 0 {
		person = ""
	}
	if c.Tallied != "" && c.Tallied != person {
		if err := w.untally(c.Tallied, c.Event.CallID); err != nil {
			return err
		}
	}
	c.Tallied = person
	if person == "" {
		return nil
	}
	id := person + "\x00" + c.Event.CallID
	m, was, err := get(w, members, kindMember, id)
	if err != nil {
		return err
	}
	now := member{Start: c.Event.StartedAt, Score: figure(c.Event.Score)}
	if was && m.Start == now.Start && sameNumber(m.Score, now.Score) {
		return nil
	}
	t, err := w.total(person)
	if err != nil {
		return err
	}
	put(w, members, kindMember, id, &now)
	switch {
	case !was:
		t.Count++
		t.add(c.Event.CallID, &now)
	case m.Start != now.Start || t.ScoredBy == c.Event.CallID:
		if err := w.retally(person, t); err != nil {
			return err
		}
	default:
		t.add(c.Event.CallID, &now)
	}
	w.saveTotal(person, t)
	return nil
}

func sameNumber(a, b *float64) bool { return a == b || a != nil && b != nil && *a == *b }

// add takes one call in; it is right in any order.
func (t *total) add(id string, m *member) {
	t.Last = max(t.Last, m.Start)
	if m.Score != nil && (t.Score == nil || m.Start > t.ScoreAt || m.Start == t.ScoreAt && id >= t.ScoredBy) {
		t.Score, t.ScoreAt, t.ScoredBy = m.Score, m.Start, id
	}
}

// untally takes a call out of a person's counters.
func (w *world) untally(person, id string) error {
	key := w.t.Key(kindMember, person+"\x00"+id)
	if _, ok, err := w.tx.Store.Get(key); err != nil || !ok {
		return err
	}
	w.tx.Store.Delete(key)
	t, err := w.total(person)
	if err != nil {
		return err
	}
	t.Count--
	if err := w.retally(person, t); err != nil {
		return err
	}
	w.saveTotal(person, t)
	return nil
}

// retally looks at all calls of a person again, where one was taken out or changed.
func (w *world) retally(person string, t *total) error {
	t.Last, t.Score, t.ScoreAt, t.ScoredBy = 0, nil, 0, ""
	prefix := person + "\x00"
	return w.tx.Store.Scan(w.t.Prefix(kindMember, prefix), state.Key{}, func(k state.Key, raw []byte) (bool, error) {
		m := new(member)
		if err := members.Unmarshal(raw, m); err != nil {
			return false, err
		}
		t.add(k.ID()[len(prefix):], m)
		return true, nil
	})
}

// total loads a person's counters. Where they begin, the CRM may have counted before:
// its figures stand below ours for good.
func (w *world) total(person string) (*total, error) {
	t, ok, err := get(w, totals, kindTotal, person)
	if err != nil || ok {
		return t, err
	}
	t = new(total)
	p, ok, err := w.load(person)
	if err != nil || !ok {
		return t, err
	}
	for i := range p.Links {
		l := &p.Links[i]
		o := w.lines.Object(l.Provider, l.Object)
		if o == nil {
			continue
		}
		for _, m := range o.Lines {
			if !isCounterLine(m) {
				continue
			}
			v, _ := find(l.Known, m.CRM)
			if blank(v) {
				continue
			}
			switch m.Dialer {
			case callCount:
				if n, err := strconv.ParseFloat(*v, 64); err == nil && n > 0 && n < 1<<53 {
					t.Base = max(t.Base, int64(n))
				}
			case lastCalledAt:
				t.BaseLast = max(t.BaseLast, instantOf(*v))
			}
		}
	}
	return t, nil
}

// instantOf reads an instant of a CRM, in ms; 0 if it is none.
func instantOf(s string) int64 {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000-0700", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMilli()
		}
	}
	return 0
}

// saveTotal stores counters and sees to it that the CRMs get them: soon, together with
// those of others, and after calls.
func (w *world) saveTotal(person string, t *total) {
	put(w, totals, kindTotal, person, t)
	for _, p := range w.s.order {
		if w.countsIn(p) {
			w.timer((w.tx.Now/totalsEvery+1)*totalsEvery, timerTotals, person)
			return
		}
	}
}

// countsIn reports whether counters are mapped to anything in a CRM.
func (w *world) countsIn(provider string) bool {
	for _, o := range w.lines.Objects() {
		if o.Provider == provider && w.configured(provider) && slices.ContainsFunc(o.Lines, isCounterLine) {
			return true
		}
	}
	return false
}

func isCounterLine(m *mapping.Line) bool { return isCounter(m.Dialer) && m.Outbound() }

// takes reports whether a field goes to one of a person's records at all. Of several of
// one kind, several leads of one person, the first is the primary: do-not-call and
// counters go to all, other fields to it alone (B5).
func (p *person) takes(l *link, m *mapping.Line) bool {
	return m.Role == profile.DoNotCall || isCounter(m.Dialer) || p.primary(l)
}

// primary reports whether a record is the one of its kind that a person's fields go to:
// the one that was linked first, of those that were not deleted.
func (p *person) primary(l *link) bool {
	for i := range p.Links {
		if first := &p.Links[i]; first.Provider == l.Provider && first.Object == l.Object && first.live() {
			return first == l || first.ID == l.ID
		}
	}
	return true
}

// writeTotals makes a person's counters fields of the person: they go to sync.contacts,
// and to every CRM record that maps them (B5).
func (w *world) writeTotals(person string) error {
	t, ok, err := get(w, totals, kindTotal, person)
	if err != nil || !ok {
		return err
	}
	p, ok, err := w.load(person)
	if err != nil || !ok || p.ID != person { // united with another, whose counters have the calls
		return err
	}
	e := &edit{p: p, origin: "crmstream", at: w.tx.Now}
	last := ""
	if at := max(t.Last, t.BaseLast); at > 0 {
		last = time.UnixMilli(at).UTC().Format(instant)
	}
	score := ""
	if t.Score != nil {
		score = strconv.FormatFloat(*t.Score, 'f', -1, 64)
	}
	for _, f := range []schemas.Field{schemas.Text(callCount, strconv.FormatInt(t.Base+t.Count, 10)), schemas.Text(lastCalledAt, last), schemas.Text(aiScore, score)} {
		cur := p.value(f.Name)
		if blank(cur) && blank(f.Value) || cur != nil && *cur == *f.Value {
			continue
		}
		if blank(f.Value) {
			f.Value = nil
		}
		p.set(fieldValue{Name: f.Name, Value: f.Value, At: w.tx.Now, From: e.origin, Ref: w.ref})
		e.changed, e.dirty = true, true
	}
	return w.store(e)
}

func ms(n int64) string { return strconv.FormatInt(n, 10) }

func parseMs(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, pipeline.ErrCorrupt
	}
	return n, nil
}
