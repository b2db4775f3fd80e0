package sync

import (
	"slices"
	"strings"

	"github.com/crmstream/crmstream/pipeline"
	act "github.com/crmstream/crmstream/pipeline/activity"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// stageByCall moves the deal of a call where the tenant's rules say so: once for each
// stage, however often the call is edited (B22).
func (w *world) stageByCall(c *call) error {
	deal := c.Event.Deal
	if deal == nil || c.Tallied == "" {
		return nil
	}
	value := func(name string) string { return textOf(w.callValue(&c.Event, name)) }
	to, from, ok := w.stageRule(deal, value, textOf(c.Event.Disposition))
	if !ok || slices.Contains(c.Moved, to) {
		return nil
	}
	c.Moved = append(c.Moved, to)
	return w.moveDeal(deal, to, from)
}

// stageRule is the first rule that fits.
func (w *world) stageRule(deal *schemas.Link, value func(string) string, disposition string) (to string, from []string, ok bool) {
	for i := range w.cfg.Dispositions {
		d := &w.cfg.Dispositions[i]
		if d.Provider == deal.Provider && d.StageObject == deal.Object && d.Stage != "" && disposition != "" && act.Letters(d.Label) == act.Letters(disposition) {
			return d.Stage, nil, true
		}
	}
	for i := range w.cfg.Stages {
		r := &w.cfg.Stages[i]
		if r.Provider != deal.Provider || r.Object != deal.Object || r.To == "" || len(r.When) == 0 {
			continue
		}
		fits := true
		for _, f := range r.When {
			fits = fits && strings.EqualFold(strings.TrimSpace(value(f.Name)), strings.TrimSpace(textOf(f.Value)))
		}
		if fits {
			return r.To, r.From, true
		}
	}
	return "", nil, false
}

// moveDeal asks where the deal stands: it is moved once the CRM has said so.
func (w *world) moveDeal(deal *schemas.Link, to string, from []string) error {
	pr, ok := w.profile(deal.Provider)
	acc := w.account(deal.Provider)
	if !ok || acc == nil || pr.Deal.Object != deal.Object {
		return nil
	}
	l := w.normalLink(*deal)
	put(w, dealMoves, kindMove, w.linkID(l.Provider, l.Object, l.ID), &dealMove{To: to, From: from, At: w.tx.Now})
	w.want.Reads = append(w.want.Reads, pipeline.Read{Provider: l.Provider, Account: acc.ID, Object: l.Object, ID: l.ID, Urgent: true})
	return nil
}

// dealRead moves a deal that was read, if it may be: never out of a closed stage, and
// only out of those that the rule names.
func (w *world) dealRead(pr *profile.Profile, id string, deleted bool, fields []schemas.Field) error {
	key := w.linkID(pr.Provider, pr.Deal.Object, id)
	m, ok, err := get(w, dealMoves, kindMove, key)
	if err != nil || !ok {
		return err
	}
	w.tx.Store.Delete(w.t.Key(kindMove, key))
	acc := w.account(pr.Provider)
	stage, _ := find(fields, pr.Deal.Stage)
	closed, says := find(fields, pr.Deal.Closed)
	named := slices.ContainsFunc(m.From, func(s string) bool { return strings.EqualFold(s, textOf(stage)) })
	switch {
	case acc == nil, deleted, truth(closed), textOf(stage) == m.To, len(m.From) > 0 && !named, (!says || blank(closed)) && !named:
		_, err := w.tx.NextSequence("deals not moved") // counted (P5)
		return err
	}
	w.want.Writes = append(w.want.Writes, pipeline.Write{Provider: pr.Provider, Account: acc.ID, Object: pr.Deal.Object, Key: "deal:" + pr.Deal.Object + ":" + id, ID: id,
		Fields: []schemas.Field{schemas.Text(pr.Deal.Stage, m.To)}, Priority: pipeline.PriorityField, Revision: m.At})
	return nil
}
