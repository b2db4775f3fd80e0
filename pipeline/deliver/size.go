package deliver

import (
	"fmt"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Bounds in bytes of names and values. An entry holds what is on its way and what
// waits, which may become one; an attempt holds its items; both are state values and
// must stay below schemas.RecordLimit whatever comes together (P5, P8).
const (
	itemBytes  = 384 << 10
	batchBytes = 512 << 10
)

func weight(fields []schemas.Field, links []schemas.Link) (n int) {
	for i := range fields {
		n += len(fields[i].Name) + 8
		if fields[i].Value != nil {
			n += len(*fields[i].Value)
		}
	}
	for i := range links {
		n += len(links[i].Provider) + len(links[i].Object) + len(links[i].ID) + 8
	}
	return n
}

// load is what an entry adds to the size of a request.
func load(e *entry) int {
	return weight(e.Fields, e.Associations) + len(e.Key) + len(e.ID) + len(e.IdentityField) + len(e.Identity) + 64
}

// batchLimit is the most that a request of several items carries.
func batchLimit(p *profile.Profile) int {
	if p.Limits.Bytes > 0 {
		return min(p.Limits.Bytes, batchBytes)
	}
	return batchBytes
}

// tooLarge gives up one write that no request can carry; what waits already goes on.
func (b *box) tooLarge(w *pipeline.Write, n int) error {
	why := fmt.Sprintf("what is to be written has %d bytes, at most %d go in one request", n, itemBytes)
	d := &schemas.DeadLetter{Tenant: b.t.Name(), Reason: schemas.ReasonTooLarge, Message: why, RecordKey: w.Provider + "/" + w.Key,
		Topic: schemas.TopicCRMCommands, Partition: b.tx.Partition, At: b.tx.Now}
	b.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
	b.settled = append(b.settled, pipeline.Settlement{Ref: pipeline.Ref{Provider: w.Provider, Key: w.Key}, Account: w.Account, Status: schemas.StatusError,
		ID: w.ID, Reason: schemas.ReasonTooLarge, Message: why, Revision: w.Revision, Object: w.Object, Fields: w.Fields})
	b.ended.Errors++
	return b.flush(w.Provider)
}
