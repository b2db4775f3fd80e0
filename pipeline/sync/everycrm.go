package sync

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
	return w.callsOf(id, timerEveryCRM, func(p *person, c *call) error {
		if !w.lacks(c, p) {
			return nil
		}
		return w.decide(c)
	})
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
