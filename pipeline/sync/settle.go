package sync

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/pipeline/conflict"
	"github.com/crmstream/crmstream/schemas"
)

// learn takes ids from any result, late ones too.
func (w *world) learn(r *schemas.AttemptResult) error {
	for i := range r.Items {
		it := &r.Items[i]
		if it.ID == "" || it.Outcome != schemas.Sent {
			continue
		}
		o, err := w.standsFor(it.Key)
		if err != nil {
			return err
		}
		if o == nil {
			continue
		}
		if a := o.at(r.Provider); a != nil && a.ID == "" && (r.Account == "" || r.Account == a.Account) {
			a.ID = it.ID
			if it.URL != "" {
				a.URL = it.URL
			}
			o.keep(w)
		}
	}
	return nil
}

// Settle takes over what deliver brought to an end.
func (s *Sync) Settle(tx *pipeline.Tx, tenant string, settled []pipeline.Settlement) error {
	if len(settled) == 0 {
		return nil
	}
	w := &world{s: s, tx: tx, t: tx.Tenant(tenant), ref: "result", settles: true}
	cfg, ok, err := w.config()
	if err != nil {
		return err
	}
	if !ok {
		cfg = &schemas.TenantConfig{Tenant: tenant}
		lines, _ := s.base.Compile(cfg)
		w.use(lines)
	}
	w.cfg = cfg
	for i := range settled {
		if err := w.settle(&settled[i]); err != nil {
			return err
		}
	}
	return w.ended(nil)
}

func (w *world) settle(st *pipeline.Settlement) error {
	switch {
	case strings.HasPrefix(st.Key, callKey("")), strings.HasPrefix(st.Key, happeningKey("")):
		return w.settleActivity(st)
	case isRecordKey(st.Key):
		return w.settlePerson(st)
	case strings.HasPrefix(st.Key, leadKey("")):
		return w.settleLead(st)
	case st.Status == schemas.StatusCRMDeleted && st.ID != "": // a read that found nothing
		p, ok := w.profile(st.Provider)
		if !ok {
			return nil
		}
		key, ours, err := w.text(kindActivity, w.linkID(st.Provider, st.Object, st.ID))
		switch {
		case err != nil:
			return err
		case ours:
			return w.activityGone(st.Provider, key, st.Message)
		case st.Object == p.Deal.Object:
			if err := w.dealRead(p, st.ID, true, nil); err != nil {
				return err
			}
		}
		if t := w.lines.Table(st.Provider, st.Object); t != nil {
			return w.tableGone(t, st.ID, 0)
		}
		return w.deleted(p, st.Object, st.ID)
	}
	return nil
}

// settlePerson remembers what the CRM holds now.
func (w *world) settlePerson(st *pipeline.Settlement) error {
	if a := w.account(st.Provider); a != nil && a.ID != st.Account {
		return nil // of an account that was replaced
	}
	p, l, err := w.byRecordKey(st.Provider, st.Key)
	if err != nil || l == nil {
		return err
	}
	if st.Status == schemas.StatusCRMDeleted {
		pr, ok := w.profile(st.Provider)
		if !ok {
			return nil
		}
		if !l.Deleted { // it may be part of another one now (B7), or have been restored since the write left
			w.timer(w.tx.Now, timerReread, l.Provider+"\x00"+l.Object+"\x00"+l.ID)
		}
		return w.deleted(pr, l.Object, l.ID)
	}
	if st.Dropped {
		return w.fieldsDropped(p, l, st)
	}
	if st.Code != "" {
		w.refusedBy(schemas.Link{Provider: l.Provider, Object: l.Object, ID: l.ID}, st.Code)
	}
	if st.Taken != "" {
		if err := w.taken(p, l, st); err != nil {
			return err
		}
	}
	e, o := &edit{p: p, origin: conflict.Decided, at: w.tx.Now}, w.lines.Object(l.Provider, l.Object)
	for _, f := range st.Fields {
		pending := l.arrived(&f, w.tx.Now)
		switch {
		case st.Status == schemas.StatusSynced:
			before, told := find(l.Known, f.Name)
			if w.listens(l, f.Name) {
				l.landed(f.Name, f.Value, before, w.tx.Now)
			}
			if !w.s.echoes {
				l.Known = set(l.Known, f.Name, f.Value)
				if o != nil && o.Shared {
					if err := w.heardByOthers(e, l, o, &f); err != nil {
						return err
					}
				}
			}
			l.Refused = unset(l.Refused, f.Name)
			if told && w.stoodOver(p, l, &f, before) {
				w.timer(w.tx.Now, timerAgain, p.ID)
			}
		case pending && st.Reason != schemas.ReasonCredentialLost: // that says nothing of the value
			l.Refused = set(l.Refused, f.Name, f.Value)
			if m := writerOf(o, f.Name); m != nil && slices.Contains(st.Named, f.Name) {
				w.warn(e, l, m, notTaken(st.Message))
			}
		}
	}
	if e.changed { // an answer brings about no write by itself
		e.silent = true
		w.timer(w.tx.Now, timerAgain, p.ID)
		return w.store(e)
	}
	w.save(p)
	return nil
}

// stoodOver says that a write, which was on its way when the CRM said what is in force,
// was taken after that: the CRM has an older value of ours now, and nothing would say so
// (P7).
func (w *world) stoodOver(p *person, l *link, f *schemas.Field, before *string) bool {
	o := w.lines.Object(l.Provider, l.Object)
	if o == nil {
		return false
	}
	if _, waits := find(l.Wanted, f.Name); waits {
		return false
	}
	for _, m := range o.Lines {
		if m.CRM != f.Name || !m.Outbound() || m.Alike(w.env, before, f.Value) || p.disputed(m.Dialer) {
			continue
		}
		if v, has, _ := w.outward(p, m); has && m.Alike(w.env, before, v) {
			return true
		}
	}
	return false
}

// writeAgain writes what the CRMs lack of a person.
func (w *world) writeAgain(id string) error {
	p, ok, err := w.load(id)
	if err != nil || !ok {
		return err
	}
	return w.store(&edit{p: p, dirty: true, origin: conflict.Decided, at: w.tx.Now})
}
