package deliver

import (
	"slices"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// drop takes the fields that the CRM refused by name out of what was sent, and tells
// sync. It reports whether that is all that is wrong: none is needed, and there was one.
func (b *box) drop(at *schemas.Attempt, e *entry, r *schemas.ItemResult) bool {
	if at.Kind != schemas.KindWrite || at.Operation == schemas.OpLink || !e.Drops || r.Outcome != schemas.Sent {
		return false
	}
	var rest, refused []schemas.Field
	for _, f := range e.Sent {
		if slices.Contains(r.Fields, f.Name) {
			refused = append(refused, f)
		} else {
			rest = append(rest, f)
		}
	}
	switch {
	case len(refused) == 0, slices.ContainsFunc(e.Needs, func(n string) bool { return slices.Contains(r.Fields, n) }):
		return false
	case len(rest) == 0 && at.Operation != schemas.OpUpdate:
		return false // nothing would be made of nothing
	}
	b.ended.Errors++
	b.settled = append(b.settled, pipeline.Settlement{Ref: pipeline.Ref{Provider: e.Provider, Key: e.Key}, Account: at.Account, Status: schemas.StatusError, Dropped: true, ID: e.ID,
		Reason: schemas.ReasonRefused, Message: r.Message, Revision: e.SentRevision, Object: e.Object, Fields: refused})
	e.Sent = rest
	return true
}

// dropped goes on without what was refused: at once, and no try is counted, for each
// time there is less to be sent. Where nothing is left the write has ended.
func (b *box) dropped(at *schemas.Attempt, e *entry, r *schemas.ItemResult) error {
	if len(e.Sent) > 0 || len(e.SentLinks) > 0 {
		return b.again(e, b.tx.Now)
	}
	b.settled = append(b.settled, pipeline.Settlement{Ref: pipeline.Ref{Provider: e.Provider, Key: e.Key}, Account: at.Account, Status: schemas.StatusSynced,
		ID: e.ID, URL: r.URL, Revision: e.SentRevision, Object: e.Object})
	return b.free(e)
}
