package sync

import (
	"strings"
	"unicode/utf8"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/conflict"
)

// whyMost is how much of the CRM's words stands in a warning, in bytes.
const whyMost = 300

func notTaken(message string) string {
	if len(message) > whyMost {
		at := whyMost
		for !utf8.RuneStart(message[at]) {
			at--
		}
		message = message[:at] + "…"
	}
	return notWritten + message
}

// fieldsDropped remembers values that a CRM refused, and went on without: they are not
// sent again until they change, here or there, and the record has a warning (B27).
func (w *world) fieldsDropped(p *person, l *link, st *pipeline.Settlement) error {
	o := w.lines.Object(l.Provider, l.Object)
	e := &edit{p: p, dirty: true, origin: conflict.Decided, at: w.tx.Now, silent: true} // an answer brings about no write by itself
	for _, f := range st.Fields {
		if !l.arrived(&f, w.tx.Now) {
			continue // another value is on its way already
		}
		l.Refused = set(l.Refused, f.Name, f.Value)
		if o == nil {
			continue
		}
		for _, m := range o.Lines {
			if m.CRM == f.Name && m.Outbound() {
				w.warn(e, l, m, notTaken(st.Message))
			}
		}
	}
	w.timer(w.tx.Now, timerAgain, p.ID)
	return w.store(e)
}

// drop is the same for an activity: what it lacks, and why, is on sync.records.
func (a *activity) drop(st *pipeline.Settlement) {
	why := notTaken(st.Message)
	for _, f := range st.Fields {
		a.Dropped = set(a.Dropped, f.Name, &why)
	}
}

// why is what is wrong with an activity, for people; "" if nothing is.
func (a *activity) why() string {
	if a.Reason != "" || len(a.Dropped) == 0 {
		return a.Reason
	}
	parts := make([]string, 0, len(a.Dropped))
	for _, f := range a.Dropped {
		parts = append(parts, f.Name+" "+*f.Value)
	}
	return strings.Join(parts, "; ")
}
