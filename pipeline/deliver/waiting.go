package deliver

import (
	"time"

	"github.com/crmstream/crmstream/pipeline"
	"github.com/crmstream/crmstream/schemas"
)

// Waiting says what the outbox has of one record; nil = nothing waits or is on its way.
// The transaction is only read from.
func (d *Deliver) Waiting(tx *pipeline.Tx, tenant, provider, key string) (*pipeline.Waiting, error) {
	b := &box{d: d, tx: tx, t: tx.Tenant(tenant)}
	e, ok, err := b.entry(provider, key)
	if err != nil || !ok || !e.Waiting && e.Attempt == "" {
		return nil, err
	}
	out := &pipeline.Waiting{Attempt: e.Attempt, Tries: e.Tries}
	if e.FreeAt > tx.Now {
		out.FreeAt = e.FreeAt
	}
	for _, fs := range [][]schemas.Field{e.Sent, e.Fields} {
		for _, f := range fs {
			out.Fields = append(out.Fields, f.Name)
		}
	}
	a, ok, err := b.account(provider)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		out.Account = "there is no account"
	case a.Parked != "":
		out.Account = "parked: " + a.Parked
	case a.PausedUntil > tx.Now:
		out.Account = "waits until " + time.UnixMilli(a.PausedUntil).UTC().Format(time.TimeOnly) + " UTC, as the CRM asked or after failures"
	}
	return out, nil
}
