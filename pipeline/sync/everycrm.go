package sync

import (
	"strings"

	"github.com/crmstream/crmstream/state"
)

// timerEveryCRM: person NUL call id, or "" for the first: those after it may have to be
// logged in a CRM that holds the person by now.
const timerEveryCRM byte = 'X'

// holdsToo looks at the calls of a person when a record of another CRM joins those that
// he has: a call is logged in each CRM that holds him, whichever was read first (B10).
func (w *world) holdsToo(p *person) error {
	first, more := "", false
	for i := range p.Links {
		if l := &p.Links[i]; l.live() && first == "" {
			first = l.Provider
		} else if l.live() && l.Provider != first {
			more = true
		}
	}
	if !more {
		return nil
	}
	t, err := w.total(p.ID)
	if err == nil && t.Count > 0 {
		w.timer(w.tx.Now, timerEveryCRM, p.ID+"\x00")
	}
	return err
}

// logEverywhere decides anew about those calls of a person that one of his CRMs lacks,
// some at a time (P8).
func (w *world) logEverywhere(id string) error {
	pid, after, _ := strings.Cut(id, "\x00")
	p, ok, err := w.load(pid)
	if err != nil || !ok {
		return err
	}
	prefix, from := p.ID+"\x00", state.Key{}
	if after != "" {
		from = w.t.Key(kindMember, prefix+after)
	}
	var ids []string
	err = w.tx.Store.Scan(w.t.Prefix(kindMember, prefix), from, func(k state.Key, _ []byte) (bool, error) {
		ids = append(ids, k.ID()[len(prefix):])
		return len(ids) < releaseAtOnce, nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, ok, err := w.getCall(id)
		if err != nil {
			return err
		}
		if !ok || !w.lacks(c, p) {
			continue
		}
		if err := w.decide(c); err != nil {
			return err
		}
	}
	if len(ids) == releaseAtOnce {
		w.timer(w.tx.Now+1, timerEveryCRM, prefix+ids[len(ids)-1])
	}
	return nil
}

// lacks reports whether one of a person's CRMs has nothing of a call.
func (w *world) lacks(c *call, p *person) bool {
	for i := range p.Links {
		if l := &p.Links[i]; l.live() && w.configured(l.Provider) && c.activity(l.Provider) == nil {
			return true
		}
	}
	return false
}
