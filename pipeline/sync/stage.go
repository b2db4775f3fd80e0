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
	if !ok {
		return w.stageTakenBack(c, deal)
	}
	if slices.Contains(c.Moved, to) {
		return nil
	}
	c.Moved = append(c.Moved, to)
	return w.moveDeal(deal, to, from)
}

// stageTakenBack lets a deal stand that was to move for what a call was said to be, and is
// not any more: the rep has mended a slip before the CRM said where the deal stands.
func (w *world) stageTakenBack(c *call, deal *schemas.Link) error {
	if len(c.Moved) == 0 {
		return nil
	}
	l := w.normalLink(*deal)
	key := w.linkID(l.Provider, l.Object, l.ID)
	m, waits, err := get(w, dealMoves, kindMove, key)
	if err != nil || !waits || !slices.Contains(c.Moved, m.To) {
		return err
	}
	w.tx.Store.Delete(w.t.Key(kindMove, key))
	c.Moved = slices.DeleteFunc(c.Moved, func(to string) bool { return to == m.To })
	_, err = w.tx.NextSequence("deals not moved") // counted (P5)
	return err
}

// stageRule is the first rule that fits, unless the disposition's says never.
func (w *world) stageRule(deal *schemas.Link, value func(string) string, disposition string) (to string, from []string, ok bool) {
	for i := range w.cfg.Dispositions {
		d := &w.cfg.Dispositions[i]
		switch {
		case d.Provider != deal.Provider || disposition == "" || act.Letters(d.Label) != act.Letters(disposition):
		case d.KeepsStage:
			return "", nil, false
		case d.StageObject == deal.Object && d.Stage != "":
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
	switch there, ahead, err := w.stageOrder(pr, textOf(stage), m.To); {
	case err != nil:
		return err
	case !there: // a CRM that takes any word would have a stage that nobody looks at
		w.stageGone(pr, id, m.To)
		return nil
	case !ahead && !named:
		_, err := w.tx.NextSequence("deals not moved") // counted (P5)
		return err
	}
	w.want.Writes = append(w.want.Writes, pipeline.Write{Provider: pr.Provider, Account: acc.ID, Object: pr.Deal.Object, Key: "deal:" + pr.Deal.Object + ":" + id, ID: id,
		Fields: []schemas.Field{schemas.Text(pr.Deal.Stage, m.To)}, Priority: pipeline.PriorityField, Revision: m.At})
	return nil
}

// stageOrder says by the CRM's own list whether a stage is there, and whether it comes
// after another. What the list does not say is no hindrance.
func (w *world) stageOrder(pr *profile.Profile, from, to string) (there, ahead bool, err error) {
	if !pr.Deal.Listed {
		return true, true, nil
	}
	d, ok, err := get(w, describeds, kindDescribed, w.scope(pr.Provider)+"\x00"+pr.Deal.Object)
	if err != nil || !ok {
		return true, true, err
	}
	i := slices.IndexFunc(d.Fields, func(f schemas.DescribedField) bool { return f.Name == pr.Deal.Stage })
	if i < 0 || len(d.Fields[i].Values) == 0 {
		return true, true, nil
	}
	f := &d.Fields[i]
	place := func(stage string) int {
		return slices.IndexFunc(f.Values, func(v string) bool { return strings.EqualFold(v, stage) })
	}
	is, was := place(to), place(from)
	return is >= 0 || f.MoreValues, is < 0 || was < 0 || is > was, nil
}

// stageGone gives up to move a deal into a stage that the CRM does not have.
func (w *world) stageGone(pr *profile.Profile, id, to string) {
	d := &schemas.DeadLetter{Tenant: w.t.Name(), Reason: schemas.ReasonInvalid, Message: "the deal was to move to the stage " + to + ", which is none of " + pr.Deal.Object + "." + pr.Deal.Stage,
		Fields: []string{pr.Deal.Stage}, RecordKey: pr.Provider + "/deal:" + pr.Deal.Object + ":" + id, Topic: schemas.TopicCRMCommands, Partition: w.tx.Partition, At: w.tx.Now}
	w.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
}
